"""What the scripts in `reproduce/` share: a config from the command line, and mistakes told in one line."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from timing_tasks.errors import ConfigurationError, UserError


def run(script: str, main: Callable[[DictConfig], None], configs: Path) -> None:
    """Compose the config of a script and call its main function; a user's mistake ends in one line and exit status 2.

    Args:
        script: the script's `__file__`; the config of the same name is its own.
        main: what to do with the composed config.
        configs: the folder of the configs.
    """
    name = Path(script).stem
    arguments = sys.argv[1:]
    try:
        if not any(argument.startswith("-") for argument in arguments):  # Hydra's own flags are Hydra's to answer for
            _check_overrides(name, arguments, configs)

        @hydra.main(version_base="1.3", config_path=str(configs), config_name=name)
        def application(config: DictConfig) -> None:
            try:
                main(_named_changes(config))
            except UserError as error:
                _end(error)

        application()
    except UserError as error:
        _end(error)


def _end(error: UserError) -> None:
    print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
    sys.exit(2)


def _check_overrides(name: str, overrides: list[str], configs: Path) -> None:
    """Raise ConfigurationError for an override that Hydra would answer with many lines."""
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(configs)):
        plain = hydra.compose(name)
        groups = {path.name for path in configs.iterdir() if path.is_dir()}
        for override in overrides:
            if "=" not in override:
                raise UserError(f"{override!r}: not of the form key=value")
            key, value = override.split("=", 1)
            bare = key.lstrip("+~")
            try:
                hydra.compose(name, overrides=[override])
            except (HydraException, OmegaConfBaseException) as error:
                if bare in groups and bare in plain:
                    options = sorted(path.stem for path in (configs / bare).glob("*.yaml"))
                    raise ConfigurationError(bare, value, f"one of {', '.join(options)}") from None
                known = _keys(plain)
                if bare not in known:
                    near = difflib.get_close_matches(bare, known, n=1)
                    parent = [other for other in known if other.rpartition(".")[0] == bare.rpartition(".")[0]]
                    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(parent or sorted(plain))}"
                    raise ConfigurationError(bare, value, f"no such key; {hint}") from None
                raise ConfigurationError(bare, value, _first_line(error)) from None
            if key.startswith(("+", "~")):
                raise ConfigurationError(key, value, "keys can be changed, not added or removed")
        try:
            hydra.compose(name, overrides=overrides)
        except (HydraException, OmegaConfBaseException) as error:
            raise UserError(_first_line(error)) from None


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


def _named_changes(config: DictConfig) -> DictConfig:
    """A protocol that an override has changed says so in its name: no row passes for one of the plain protocol."""
    changes = [o.removeprefix("protocol.") for o in HydraConfig.get().overrides.task if o.startswith("protocol.")]
    changes = [change for change in changes if not change.startswith(("name=", "changed="))]
    if changes:
        OmegaConf.set_struct(config, False)
        config.protocol.changed = f"{config.protocol.name}({' '.join(sorted(changes))})"
    return config
