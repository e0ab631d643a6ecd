"""What the scripts in `reproduce/` share: a config from the command line, and mistakes told in one line."""

from __future__ import annotations

import difflib
import importlib.util
import io
import itertools
import shutil
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from timing_tasks.cli import interrupted  # before torch
from timing_tasks.cli.config import experiment
from timing_tasks.errors import ConfigurationError, StoppedError, UserError
from timing_tasks.experiment.experiment import Experiment
from timing_tasks.results.folder import differences

_SWEEP = ("-m", "--multirun")
_SLURM = "hydra/launcher=slurm"


def run(script: str, main: Callable[[DictConfig], None], configs: Path) -> None:
    """Compose the config of a script and call its main function; a user's mistake ends in one line and exit status 2.

    Args:
        script: the script's `__file__`; the config of the same name is its own.
        main: what to do with the composed config.
        configs: the folder of the configs.
    """
    name = Path(script).stem
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without some sign is no reason to end
    warnings.formatwarning = lambda message, *_: f"warning: {message}\n"
    arguments = [argument for argument in sys.argv[1:] if argument not in _SWEEP]
    is_sweep = len(arguments) < len(sys.argv[1:])
    sys.argv[1:] = [*(_SWEEP[:1] if is_sweep else ()), *arguments]  # Hydra understands it in some places only
    try:
        if not any(argument.startswith("-") for argument in arguments):  # Hydra's own flags are Hydra's to answer for
            elsewhere = ("trainer",) if _SLURM in arguments else ()  # GPUs, say, need not be on this machine
            found: list[Experiment] = []
            for job in _jobs(arguments) if is_sweep else [arguments]:
                _check_overrides(name, job, configs)
                if is_sweep:  # before the first of its runs, not after
                    one = _checked(name, [value for value in job if not value.startswith(elsewhere)], configs)
                    found += [one] if one is not None and any(value.startswith("output=") for value in job) else []
            _check_folders(found)

        @hydra.main(version_base="1.3", config_path=str(configs), config_name=name)
        def application(config: DictConfig) -> None:
            try:
                main(_with_default_output(_named_changes(config, overrides()), configs.parent))
            except UserError as error:
                _end(error)
            except (KeyboardInterrupt, StoppedError) as stop:
                interrupted.say_stopped()
                sys.exit(128 + (stop.number if isinstance(stop, StoppedError) else signal.SIGINT))

        sys.argv[1:] = _replacing(sys.argv[1:])
        application()
    except UserError as error:
        _end(error)


def _end(error: UserError) -> None:
    print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
    sys.exit(2)


def _jobs(arguments: list[str]) -> Iterator[list[str]]:
    """The overrides of each run of a sweep; those of the sweep itself are Hydra's to answer for."""
    if _SLURM in arguments:
        if importlib.util.find_spec("hydra_plugins.hydra_submitit_launcher") is None:
            raise ConfigurationError("hydra/launcher", "slurm", "needs `pip install '.[slurm]'`")
        if shutil.which("srun") is None:
            raise ConfigurationError("hydra/launcher", "slurm", "there is no srun on this machine")
    choices = []
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key.startswith(("hydra.", "hydra/")):
            continue
        try:
            parsed = OverridesParser.create().parse_override(argument)
        except HydraException as error:
            raise ConfigurationError(key, value, _first_line(error)) from None
        if not parsed.is_sweep_override():
            choices.append([argument])
        elif not parsed.is_discrete_sweep() or isinstance(parsed.value(), Glob):
            raise ConfigurationError(key, value, "a sweep lists its values")
        else:
            choices.append([f"{key}={v}" for v in parsed.sweep_string_iterator()])
    return map(list, itertools.product(*choices))


def _checked(name: str, overrides: list[str], configs: Path) -> Experiment | None:
    """The experiment of a config, or none for a script without one.

    Raises:
        ConfigurationError: for the first value that it cannot have.
    """
    from timing_tasks.cli import report  # which needs this module

    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(configs)):
        config = hydra.compose(name, overrides=_replacing(overrides))
    if "conditions" not in config and "task" not in config:
        return None
    report.check_names(config)
    return experiment(config)


def _check_folders(experiments: Sequence[Experiment]) -> None:
    """Raise ConfigurationError where one folder is asked for and the runs cannot share it."""
    first: dict[Path, Experiment] = {}
    for one in experiments:
        there, here = ((of.identity, of.described_conditions) for of in (first.setdefault(one.output, one), one))
        if differing := differences(there, here):
            why = f"not for runs that differ ({'; '.join(differing[:3])}); left out, each has a folder of its own"
            raise ConfigurationError("output", str(one.output), why)


def _check_overrides(name: str, overrides: list[str], configs: Path) -> None:
    """Raise UserError for the first override that Hydra would answer with many lines."""
    groups = {path.name for path in configs.iterdir() if path.is_dir()}
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(configs)):
        plain = hydra.compose(name)
        chosen: list[str] = []  # options of groups; they decide which keys there are
        for override in sorted(overrides, key=lambda o: o.partition("=")[0] not in groups):
            key, equals, value = override.partition("=")
            if not equals:
                raise UserError(f"{override!r}: not of the form key=value")
            if key.startswith(("+", "~")):
                raise ConfigurationError(key, value, "keys can be changed, not added or removed")
            if key == "name" or key.endswith(".name"):
                raise ConfigurationError(
                    key, value, f"a name cannot be changed; choose an option, such as {key.partition('.')[0]}=..."
                )
            is_option = key in groups and key in plain
            options = ", ".join(sorted(path.stem for path in (configs / key).glob("*.yaml")))
            if is_option and value.lstrip().startswith(("{", "[")):  # Hydra would merge it, past the option's name
                raise ConfigurationError(key, value, f"one of {options}; single values as {key}.KEY=VALUE")
            known = _keys(plain)
            if key not in known and not key.startswith("hydra"):
                raise ConfigurationError(key, value, f"no such key; {_hint(key, known)}")
            try:
                composed = hydra.compose(name, overrides=[*chosen, *_replacing([override])])
                OmegaConf.to_container(composed, resolve=True)
            except (HydraException, OmegaConfBaseException, ValueError) as error:
                if is_option:
                    raise ConfigurationError(key, value, f"one of {options}") from None
                quoted = (
                    f"; if that is a text, write '{key}=\"...\"'" if isinstance(error, OverrideParseException) else ""
                )
                raise ConfigurationError(key, value, _first_line(error) + quoted) from None
            if is_option:
                chosen.append(override)
                plain = composed


def _replacing(overrides: Sequence[str]) -> list[str]:
    """For Hydra, which would merge a mapping into the one that is there, if it can: here `=` puts a value in another's place.

    In a sweep Hydra keeps one override of each key; `++key` is another one.
    """
    found: list[str] = []
    for override in overrides:
        key = _replaced(override)
        found += [f"++{key}=null", override] if key else [override]
    return found


def _replaced(override: str) -> str:
    """The key of a mapping or list, if it is not Hydra's own; else nothing."""
    key, _, value = override.partition("=")
    return key if value.lstrip().startswith(("{", "[")) and not key.startswith(("hydra.", "+", "~")) else ""


def _hint(key: str, known: list[str]) -> str:
    if near := difflib.get_close_matches(key, known, n=1, cutoff=0.75):
        return f"did you mean {near[0]}?"
    parent = key.rpartition(".")[0]
    beside = [other for other in known if other.rpartition(".")[0] == parent]
    return f"there are {', '.join(beside or [other for other in known if '.' not in other])}"


def _first_line(error: Exception) -> str:
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


def compose(name: str, changes: Sequence[str]) -> DictConfig:
    """Another script's config, as its command would compose it; within the main function of `run`."""
    return _named_changes(hydra.compose(name, overrides=_replacing(changes)), changes)


def overrides() -> list[str]:
    """What the command line has changed; within the main function of `run`."""
    return [one for one in HydraConfig.get().overrides.task if not one.startswith("++")]


def folder(config: DictConfig) -> Path:
    """The output folder of a script that has one by default.

    Raises:
        ConfigurationError: there is none.
    """
    if not isinstance(config.output, str) or not config.output:
        raise ConfigurationError("output", config.output, "a folder")
    return Path(config.output)


def _with_default_output(config: DictConfig, repository: Path) -> DictConfig:
    """A script whose folder is one of the repository's finds it from anywhere, and doesn't put other things there.

    Raises:
        ConfigurationError: a value has been changed and no other folder given.
    """
    keys = [override.partition("=")[0] for override in overrides()]
    if "output" not in keys and isinstance(config.output, str):
        changed = [key for key in keys if not key.startswith("engine")]
        if changed:
            raise ConfigurationError("output", config.output, f"give another folder for what {changed[0]} changes")
        config.output = str(repository / config.output)
    return config


def _named_changes(config: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """What an override has changed of a protocol or a recipe stands in its name: no row passes for one of the plain kind."""

    def changes(group: str) -> str:
        return " ".join(sorted(o.removeprefix(f"{group}.") for o in overrides if o.startswith(f"{group}.")))

    OmegaConf.set_struct(config, False)
    if changes("protocol"):
        config.protocol.changed = f"{config.protocol.name}({changes('protocol')})"
    if changes("recipe"):
        config.recipe.changes = changes("recipe")
    return config
