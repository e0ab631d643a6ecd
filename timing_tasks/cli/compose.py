"""From a command line to composed configs; a mistake is found in the override that makes it, and is one line."""

from __future__ import annotations

import difflib
import importlib.util
import itertools
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from timing_tasks.cli import schema
from timing_tasks.errors import ConfigurationError, UserError

SLURM = "hydra/launcher=slurm"
_ERRORS = (HydraException, OmegaConfBaseException, ValueError)
_FIRST_LOOK = {
    "replicas": 1,
    "budget.name": "fast_dev_run",
    "budget.training_streams": 5,
    "budget.net_steps": 1_000_000,
}


@dataclass(frozen=True)
class Call:
    """One call of a script.

    Attributes:
        name: of the script and of its config.
        home: the folder with `configs/` and `reproduce/`.
        overrides: what the command line has changed.
        output: the folder for what is written; empty: the one that config and overrides say.
    """

    name: str
    home: Path
    overrides: tuple[str, ...] = ()
    output: str = ""

    @property
    def published(self) -> Path:
        """The folder with the paper's values."""
        return self.home / "reproduce" / "published"

    @property
    def own_folder(self) -> Path:
        """The base of the configs' relative folders: the clone, so that scripts find its rows, or here."""
        return Path() if self.home.name == "_share" else self.home

    def other(self, name: str, overrides: Sequence[str] = (), output: str = "") -> Call:
        """The call of another script, or with other overrides."""
        return replace(self, name=name, overrides=tuple(overrides), output=output)

    def config(self) -> DictConfig:
        """The composed config.

        Raises:
            UserError: for the first override that cannot be.
        """
        for override in self.overrides:
            self._check_form(override)
        if not GlobalHydra.instance().is_initialized():
            with hydra.initialize_config_dir(version_base="1.3", config_dir=str(self.home / "configs")):
                return self.config()
        try:
            return self.finished(self._composed(self.overrides))
        except MissingMandatoryValue as error:
            raise ConfigurationError(str(error.full_key), "???", "a value is needed") from None
        except _ERRORS:
            raise self._mistake() from None

    def finished(self, config: DictConfig) -> DictConfig:
        """The config, with what follows from the overrides.

        What an override has changed of a protocol or a recipe stands in its name: no row passes for one of the plain
        kind. A script whose folder is one of the clone's finds it from anywhere, and doesn't put other things there.

        Raises:
            ConfigurationError: a value has been changed, and no other folder given.
        """
        with open_dict(config):
            for group in ("protocol", "recipe"):
                own = sorted(o.removeprefix(f"{group}.") for o in self.overrides if o.startswith(f"{group}."))
                if own:
                    replaced = {change.partition("=")[0] for change in own}
                    before = str(config[group].get("changes") or "").split()
                    kept = [change for change in before if change.partition("=")[0] not in replaced]
                    config[group].changes = " ".join([*kept, *own])
        keys = [key for key, _, _ in map(_parted, self.overrides) if not key.startswith(("hydra.", "hydra/"))]
        is_first_look = config.get("fast_dev_run", False)
        if not isinstance(is_first_look, bool):
            raise ConfigurationError("fast_dev_run", is_first_look, "true or false")
        if is_first_look:
            for key, value in _FIRST_LOOK.items():
                OmegaConf.update(config, key, value)
        if self.output:
            config.output = self.output
        elif not is_first_look and isinstance(config.get("output"), str) and "output" not in keys:
            if changed := [key for key in keys if not key.startswith(("engine", "trainer.max_time"))]:
                raise ConfigurationError("output", config.output, f"give another folder for what {changed[0]} changes")
            config.output = str(self.own_folder / config.output)
        return config

    def _check_form(self, override: str) -> None:
        """Raise UserError for an override that has not the form of one, or that Hydra would let pass."""
        key, equals, value = _parted(override)
        if not equals:
            raise UserError(f"{override!r}: not of the form key=value")
        if key.startswith(("+", "~")):
            raise ConfigurationError(key, value, "keys can be changed, not added or removed")
        if key.rpartition(".")[2] in ("name", "changes") and not key.startswith("hydra"):
            group = key.partition(".")[0]
            raise ConfigurationError(key, value, f"a name cannot be changed; choose an option, such as {group}=...")
        parsed_override(override)
        if key in schema.GROUPS and value.lstrip().startswith(("{", "[")):  # it would be merged, past the option's name
            raise ConfigurationError(key, value, f"{self._options(key)}; single values as {key}.KEY=VALUE")

    def _options(self, group: str) -> str:
        names = sorted(path.stem for path in (self.home / "configs" / group).glob("*.yaml"))
        return f"one of {', '.join(names)}"

    def _composed(self, overrides: Sequence[str], is_final: bool = True) -> DictConfig:
        config = hydra.compose(self.name, overrides=_replacing(overrides))
        OmegaConf.to_container(config, resolve=True, throw_on_missing=is_final)
        return config

    def _mistake(self) -> UserError:
        """What is wrong with the first invalid override; options of groups first: they decide which keys exist."""
        good: list[str] = []
        for override in sorted(self.overrides, key=lambda one: _parted(one)[0] not in schema.GROUPS):
            key, _, value = _parted(override)
            plain = self._composed(good, is_final=False)
            known = _keys(plain)
            if key not in known and not key.startswith("hydra"):
                return ConfigurationError(key, value, f"no such key{_with(key, plain)}; {_hint(key, known)}")
            try:
                self._composed([*good, override], is_final=False)
            except MissingConfigException as error:
                return ConfigurationError(key, value, f"one of {', '.join(error.options or ())}")
            except _ERRORS as error:
                is_option = key in schema.GROUPS
                return ConfigurationError(
                    key, value, self._options(key) if is_option else _first_line(error.__cause__ or error)
                )
            good.append(override)
        return UserError(f"the config {self.name} cannot be composed")


def keys_of(config: DictConfig) -> type:
    """The structured config that a composed one has begun with."""
    found: type = OmegaConf.get_type(config)  # type: ignore[assignment]
    return found


def jobs(arguments: Sequence[str]) -> Iterator[list[str]]:
    """The overrides of each run of a sweep; those of the sweep itself are Hydra's to answer for.

    Raises:
        ConfigurationError: a sweep that does not list its values, or that this machine cannot start.
    """
    if SLURM in arguments:
        if importlib.util.find_spec("hydra_plugins.hydra_submitit_launcher") is None:
            raise ConfigurationError("hydra/launcher", "slurm", "needs `pip install '.[slurm]'`")
        if shutil.which("srun") is None:
            raise ConfigurationError("hydra/launcher", "slurm", "there is no srun on this machine")
    choices = []
    for argument in arguments:
        key, _, value = _parted(argument)
        parsed = parsed_override(argument)
        if not parsed.is_sweep_override() or key.startswith("hydra"):
            choices.append([argument])
        elif not parsed.is_discrete_sweep() or isinstance(parsed.value(), Glob):
            raise ConfigurationError(key, value, "a sweep lists its values")
        else:
            choices.append([f"{key}={v}" for v in parsed.sweep_string_iterator()])
    return map(list, itertools.product(*choices))


def for_sweep(overrides: Sequence[str]) -> list[str]:
    """For Hydra, whose config of the whole sweep may lack a key that the options of all runs have.

    Hydra keeps one override of each key; `++key` is another one.
    """
    found: list[str] = []
    for override in overrides:
        key = _parted(override)[0]
        is_ours = key not in schema.GROUPS and not key.startswith("hydra")
        found += [f"++{key}=null", override] if is_ours else [override]
    return found


def of_sweep(overrides: Iterable[str]) -> list[str]:
    """What `for_sweep` had been given."""
    return [override for override in overrides if not override.startswith("++")]


def _replacing(overrides: Sequence[str]) -> list[str]:
    """For Hydra, which would merge a mapping into the one that is there: here `=` puts a value in another's place."""
    found: list[str] = []
    for override in overrides:
        key, _, value = _parted(override)
        replaces = value.lstrip().startswith(("{", "[")) and not key.startswith("hydra")
        found += [f"{key}=null", override] if replaces else [override]
    return found


def parsed_override(override: str) -> Override:
    """What Hydra reads in an override; raises ConfigurationError if it cannot be read."""
    key, _, value = _parted(override)
    try:
        return OverridesParser.create().parse_override(override)
    except HydraException as error:
        raise ConfigurationError(
            key, value, f"{_first_line(error)}; if that is a text, write '{key}=\"...\"'"
        ) from None


def _parted(override: str) -> tuple[str, str, str]:
    return override.partition("=")


def _with(key: str, config: DictConfig) -> str:
    """The option of a group on which it depends whether there is such a key."""
    group = key.partition(".")[0]
    return f" with {group}={config[group].name}" if group in ("recipe", "model", "task") and config.get(group) else ""


def _hint(key: str, known: list[str]) -> str:
    if near := difflib.get_close_matches(key, known, n=1, cutoff=0.75):
        return f"did you mean {near[0]}?"
    parent = key.rpartition(".")[0]
    beside = [other for other in known if other.rpartition(".")[0] == parent and not other.endswith(".name")]
    if not beside and parent in known:
        return "there are none"
    return f"there are {', '.join(beside or [other for other in known if '.' not in other])}"


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0].partition(" See https")[0]


def _keys(config: DictConfig) -> list[str]:
    """Every key of a config, dotted."""
    found: list[str] = []

    def visit(node: object, at: str) -> None:
        if isinstance(node, dict):
            for key, value in node.items():
                found.append(f"{at}{key}")
                visit(value, f"{at}{key}.")

    visit(OmegaConf.to_container(config, resolve=False), "")
    return found
