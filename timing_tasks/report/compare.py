"""A reviewer's own rows beside the committed ones, net by net."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from timing_tasks.errors import ResultsError
from timing_tasks.report.check import differing
from timing_tasks.report.tables import Table
from timing_tasks.results.description import described
from timing_tasks.results.row import Key, Row, read_rows

SAME, LAST_DIGITS, DIFFERENT, MISSING, NEW = "the same", "last digits", "different", "missing", "not committed"
_FREE = ("engine",)  # every engine gives the same digits
_REALS = ("rmse", "weights")
_CLOSE = 1e-6  # relative; what two engines or two compilers can make of one net


@dataclass(frozen=True)
class Condition:
    """What became of the nets of a condition.

    Attributes:
        name: of the condition, as `Row.condition_name` has it.
        counts: of nets, by SAME, LAST_DIGITS, DIFFERENT, MISSING (committed, but not among the reviewer's rows) and
            NEW.
        columns: in which rows differ.
    """

    name: str
    counts: Counter[str]
    columns: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether a row does."""
        return self.counts[LAST_DIGITS] + self.counts[DIFFERENT] > 0


def compare(folder: Path, committed: Path) -> list[Condition]:
    """Rows of one run, or of all in a folder of such folders, beside the committed ones of the same conditions.

    Conditions are the same if all is that `run.json` says of them, the budget included.

    Args:
        folder: the reviewer's.
        committed: a folder of results folders.

    Raises:
        ResultsError: there are no rows, or rows that cannot be read, or of another version.
    """
    mine = list(_rows(folder))
    if not mine:
        raise ResultsError(f"{folder}: no rows (runs.csv) there")
    ours, keys = {one.of for one in mine}, {one.key for one in mine}
    known: dict[Key, Row] = {}
    counts: dict[str, Counter[str]] = {one.row.condition_name: Counter() for one in mine}
    columns: dict[str, list[str]] = {name: [] for name in counts}
    for other in _rows(committed):
        known.setdefault(other.key, other.row)
        if other.of in ours and other.key not in keys:
            counts[other.row.condition_name][MISSING] += 1
    for one in mine:
        name, found = one.row.condition_name, known.get(one.key)
        different = [] if found is None else [column for column in differing(one.row, found) if column not in _FREE]
        columns[name] += different
        counts[name][NEW if found is None else _kind(one.row, found, different)] += 1
    return [Condition(name, counts[name], tuple(dict.fromkeys(columns[name]))) for name in counts]


def table(conditions: Sequence[Condition]) -> Table:
    """One line a condition."""
    kinds = (SAME, LAST_DIGITS, DIFFERENT, MISSING, NEW)
    lines = [(one.name, *(str(one.counts[kind] or "") for kind in kinds), ", ".join(one.columns)) for one in conditions]
    differing_nets = sum(one.counts[LAST_DIGITS] + one.counts[DIFFERENT] for one in conditions)
    same = sum(one.counts[SAME] for one in conditions)
    title = f"{same} nets are the same, {differing_nets} differ"
    return Table(title, ("condition", *kinds, "differing"), tuple(lines), (), ("differing", NEW))


@dataclass(frozen=True)
class _Net:
    """A row and where it comes from: the experiment, and its condition in full."""

    row: Row
    experiment: str
    condition: str

    @property
    def key(self) -> Key:
        return self.row.replica_key, self.condition

    @property
    def of(self) -> Key:
        """What the rows of an experiment's condition have in common."""
        return self.row.condition, self.experiment, self.condition


def _rows(folder: Path) -> Iterable[_Net]:
    """The rows of all results folders in a folder, itself among them."""
    if not folder.is_dir():
        raise ResultsError(f"{folder}: a folder is needed")
    for path in sorted(folder.rglob("runs.csv")):
        experiment, conditions = described(path.parent)
        texts = {name: repr(one) for name, one in conditions.items()}
        for row in read_rows(path):
            yield _Net(row, experiment, texts.get(row.condition_name, ""))


def _kind(one: Row, other: Row, different: Sequence[str]) -> str:
    if not different:
        return SAME
    if set(different) <= set(_REALS) and len(one.weights) == len(other.weights):
        pairs = [(one.rmse or 0.0, other.rmse or 0.0), *zip(one.weights, other.weights, strict=True)]
        if all(math.isclose(a, b, rel_tol=_CLOSE, abs_tol=1e-12) for a, b in pairs):
            return LAST_DIGITS
    return DIFFERENT
