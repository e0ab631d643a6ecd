"""Conditions in full, as `run.json` describes them: what rows do not say of how their nets were trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from timing_tasks.conditions.condition import Budget, Condition, Protocol
from timing_tasks.conditions.initial_state import NamedInitialState
from timing_tasks.results.row import condition_name
from timing_tasks.tasks.task import Task


def describe(conditions: Sequence[Condition]) -> dict[str, object]:
    """Conditions in full, by what their rows say of them. A value that nobody has changed is what the version's code says it is."""
    return {condition_name(c.columns): _chosen(c) for c in conditions}


def _chosen(value: Any) -> dict[str, Any]:
    """The fields of a dataclass that are not at their defaults, those of dataclasses among them likewise."""
    if isinstance(value, Task):
        return value.parameters
    mine = {one.name: getattr(value, one.name) for one in fields(value)}
    for one in fields(value):
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
