"""Conditions in full, as `run.json` describes them: what rows do not say of how their nets were trained."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

import timing_tasks
from timing_tasks.conditions.condition import CONDITION_COLUMNS, Budget, Condition, Protocol
from timing_tasks.conditions.initial_state import NamedInitialState
from timing_tasks.errors import ResultsError
from timing_tasks.results.row import Key, condition_name
from timing_tasks.tasks.task import Task


def describe(conditions: Sequence[Condition]) -> dict[str, object]:
    """Conditions in full, as their rows describe them; an unchanged value is that of the version's code."""
    return {condition_name(c.columns): _chosen(c) for c in conditions}


def _chosen(value: Any) -> dict[str, Any]:
    """The fields of a dataclass that are not at their defaults, and the same of dataclasses among them."""
    if isinstance(value, Task):
        return value.parameters
    described = [one for one in fields(value) if one.compare]
    mine = {one.name: getattr(value, one.name) for one in described}
    for one in described:
        default = one.default if one.default_factory is MISSING else one.default_factory()
        if mine[one.name] == default:
            del mine[one.name]
    return {name: _described(held) for name, held in mine.items()}


def _described(value: Any) -> Any:
    if isinstance(value, NamedInitialState):
        return str(value)
    return _chosen(value) if is_dataclass(value) else value


def condition_of(description: Mapping[str, Any]) -> Condition:
    """The condition, of the online recipe, that a `run.json` describes.

    Raises:
        TypeError: a value is missing, or unknown.
        ConfigurationError: a value that cannot be.
    """
    values = dict(description)
    task = dict(values.pop("task"))
    task["offsets"] = tuple(task.get("offsets", ()))
    return Condition(
        task=Task(**task), protocol=Protocol(**values.pop("protocol")), budget=Budget(**values.pop("budget")), **values
    )


def described(folder: Path) -> tuple[str, dict[str, Any]]:
    """The experiment of a results folder and its conditions, as its `run.json` describes them, by `Row.condition_name`.

    Raises:
        ResultsError: the file cannot be read, or is another version's.
    """
    path = folder / "run.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version, conditions = content["version"], dict(content["conditions"])
        experiment = str(content["experiment"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ResultsError(f"{path}: cannot be read ({error})") from None
    if version != timing_tasks.__version__:
        raise ResultsError(
            f"{folder}: rows of version {version}; this is {timing_tasks.__version__}, which others need not match"
        )
    return experiment, conditions


def online_conditions(folder: Path) -> dict[Key, Condition]:
    """The conditions of a results folder that are of the online recipe, by `Row.condition`.

    Raises:
        ResultsError: see `described`.
    """
    found = [condition_of(one) for one in described(folder)[1].values() if "recipe" not in one]
    return {tuple(one.columns[name] for name in CONDITION_COLUMNS): one for one in found}
