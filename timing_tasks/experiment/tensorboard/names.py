"""Names that tell runs apart: one of TensorBoard's runs is a net and how it is trained; a tag names the task."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from timing_tasks.conditions.condition import CONDITION_COLUMNS, Condition
from timing_tasks.conditions.initial_state import ZERO
from timing_tasks.conditions.model import PEEPHOLE_LSTM
from timing_tasks.conditions.recipe import ONLINE
from timing_tasks.tasks import Task

_LONGEST = 120  # characters of a folder's name
_STRANGE = re.compile(r"[^\w .,=+{}()\[\]-]")  # in a folder's name


def task_name(task: Task) -> str:
    """Such as `msd F=10 {0,1}`: the tags of curves and pictures have it, alike in all runs."""
    return str(task).replace("I=", "")


def net_name(condition: Condition) -> str:
    """The net, such as `peephole LSTM`."""
    net = ("peephole LSTM" if condition.peepholes else "LSTM") if condition.model == PEEPHOLE_LSTM else ""
    return (net or str(condition.model)) + ("" if condition.forget_gate else " without forget gate")


def run_names(conditions: Sequence[Condition], seed: int) -> list[str]:
    """For each condition the run that it is part of, such as `peephole LSTM, learned, seed 1`: a folder's name.

    Conditions of one name have different tasks.
    """
    names = [_name(condition, seed) for condition in conditions]
    keys = [(name, task_name(condition.task)) for name, condition in zip(names, conditions, strict=True)]
    for key in {key for key in keys if keys.count(key) > 1}:  # they differ in what names usually don't say
        alike = [place for place, other in enumerate(keys) if other == key]
        columns = [conditions[place].columns for place in alike]
        differing = [column for column in CONDITION_COLUMNS if len({of[column] for of in columns}) > 1]
        for place, of in zip(alike, columns, strict=True):
            names[place] += "".join(f", {column}={of[column]}" for column in differing)
    return [folder_name(name) for name in names]


def _name(condition: Condition, seed: int) -> str:
    parts = [net_name(condition)]
    if condition.initial_state != ZERO:
        parts.append(condition.columns["initial_state"].replace("_", " "))
    if condition.recipe != ONLINE:
        parts.append(condition.recipe.name)
    _, bracket, changes = condition.protocol.name.partition("(")
    if bracket:
        parts.append(changes.removesuffix(")"))
    return ", ".join([*parts, f"seed {seed}"])


def folder_name(name: str) -> str:
    """The name as a valid folder name, cut where it is too long; different names stay different."""
    plain = _STRANGE.sub("_", name)
    if plain == name and len(plain) <= _LONGEST:
        return plain
    return f"{plain[:_LONGEST]} {hashlib.sha256(name.encode()).hexdigest()[:6]}"
