"""What `--help` says: what the script does, and what each key of its config means."""

from __future__ import annotations

import ast
import inspect
from typing import Any

from omegaconf import DictConfig, OmegaConf

from timing_tasks.cli.compose import Call, keys_of
from timing_tasks.cli.schema import GROUPS

_MORE = """
A key with options: OPTION chooses one; its keys can be changed: protocol=printed protocol.momentum=0.9
-m KEY=A,B KEY=C,D: one run for each combination, in a folder of its own. --cfg job: the config, as it would be.
Ctrl-C, or SIGTERM (where Ctrl-C is ignored, as under nohup), stops a run; the same command goes on from there."""


def help_of(call: Call) -> str:
    """The text for a script."""
    script = call.home / "reproduce" / f"{call.name}.py"
    said = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""
    config = call.config()
    lines = [*_lines(config, keys_of(config), call), _MORE]
    return "\n".join([said, "", f"usage: python reproduce/{call.name}.py [KEY=VALUE ...]", "", *lines])


def _lines(config: DictConfig, keys: type, call: Call) -> list[str]:
    """One for each key that can be changed, in the order of the config, those of groups last."""
    meanings = meanings_of(keys)
    found, of_groups = [], []
    values: dict[str, Any] = OmegaConf.to_container(config)  # type: ignore[assignment]
    for key, value in values.items():
        if key == "name" or (value is None and key in GROUPS):
            continue
        if key not in GROUPS:
            found.append(_line(key, value, meanings[key]))
            continue
        options = sorted(path.stem for path in (call.home / "configs" / key).glob("*.yaml"))
        of_groups += ["", f"{key}={'|'.join(options)}: {meanings[key]}"]
        own = meanings_of(GROUPS[key])
        of_groups += [_line(f"{key}.{k}", v, own[k]) for k, v in value.items() if k not in ("name", "changes")]
    return found + of_groups


def _line(key: str, value: object, meaning: str) -> str:
    return f"  {key}={_shown(value)}: {meaning}"


def _shown(value: object) -> str:
    """A default as the command line would have it; long ones are in the config's file."""
    if isinstance(value, dict):
        text = "{" + ",".join(f"{key}:{_shown(held)}" for key, held in value.items()) + "}"
    elif isinstance(value, list):
        text = "[" + ",".join(map(_shown, value)) + "]"
    elif value is None:
        text = "null"
    else:
        text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 60 else "..."


def meanings_of(keys: type) -> dict[str, str]:
    """The descriptions of a dataclass's attributes, by name, from the docstrings of it and its bases."""
    found: dict[str, str] = {}
    for one in reversed(keys.__mro__):
        _, _, attributes = (inspect.cleandoc(one.__dict__.get("__doc__") or "")).partition("Attributes:\n")
        name = ""
        for line in attributes.splitlines():
            if line.startswith("    ") and not line.startswith("     "):
                name, _, text = line.strip().partition(": ")
                found[name] = text
            elif name:
                found[name] += f" {line.strip()}"
    return found
