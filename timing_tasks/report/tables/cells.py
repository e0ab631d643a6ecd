"""What stands in the cells of tables: names of conditions and nets, numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from timing_tasks.conditions.initial_state import INITIAL_STATE_NAMES
from timing_tasks.conditions.model import PEEPHOLE_LSTM
from timing_tasks.results.reliability import Reliability, pooled
from timing_tasks.results.row import Key, Row
from timing_tasks.results.statistics import Summary
from timing_tasks.tasks.task import usual_tolerance

TASK_COLUMNS = ("task", "interval", "offsets", "waveform", "tolerance")
STATES = {"learned_cell_state": "learned s(0)", "learned_cell_output": "learned y(0)"}
PAPERS_MODEL = str(PEEPHOLE_LSTM)
RELIABILITY_NOTE = (
    "Reliable: of 100 fresh test sets that each solved net ran with its weights as they are, the share that it passed, "
    "mean over the nets with its 95% interval: where streams are random, a net is solved by one set that it passed."
)


class Columns:
    """Columns of cells, in the order in which they first got one."""

    def __init__(self) -> None:
        self.cells: dict[str, list[str]] = {}

    def add(self, column: str, text: str) -> None:
        """Add a cell to a column."""
        self.cells.setdefault(column, []).append(text)

    def without(self, *parts: str) -> Columns:
        """Only the columns whose names have none of the parts."""
        kept = Columns()
        kept.cells = {name: cells for name, cells in self.cells.items() if not any(part in name for part in parts)}
        return kept

    @property
    def header(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.cells)

    @property
    def lines(self) -> tuple[tuple[str, ...], ...]:
        """The cells line by line."""
        return tuple(zip(*self.cells.values(), strict=True))


def by_condition(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows of each condition; tasks in the order of their first rows, and their nets from the plainest on."""

    def place(some: list[Row]) -> tuple[int, int, int, bool, bool, int]:
        row = some[0]
        of_net = row.forget_gate, row.peepholes, INITIAL_STATE_NAMES.index(row.initial_state.split()[0])
        return tasks[task_of(row)], recipes[row.recipe], models[row.model], *of_net

    conditions: dict[Key, list[Row]] = {}
    for row in rows:
        conditions.setdefault(row.condition, []).append(row)
    tasks = {task: number for number, task in enumerate(dict.fromkeys(map(task_of, rows)))}
    recipes = {recipe: number for number, recipe in enumerate(dict.fromkeys(row.recipe for row in rows))}
    models = {model: number for number, model in enumerate(dict.fromkeys(row.model for row in rows))}
    return sorted(conditions.values(), key=place)


def asked(row: Row) -> str:
    """The offsets or the shape, as a table names them."""
    if row.waveform:
        text = row.waveform
    else:
        is_range = len(row.offsets) > 3 and row.offsets == tuple(range(len(row.offsets)))
        inside = f"0,…,{row.offsets[-1]}" if is_range else ",".join(map(str, row.offsets))
        text = "{" + inside + "}"
    return text if row.tolerance == usual_tolerance(row.task) else f"{text} ±{row.tolerance}"


def title_of(title: str, rows: Sequence[Row]) -> str:
    """The title, and the task where it is a single one that the title does not name."""
    tasks = {row.task.upper() for row in rows}
    return title if len(tasks) > 1 or any(task in title for task in tasks) else f"{title} ({tasks.pop()})"


def net(row: Row) -> str:
    """The net, as a table names it: the paper's by what is or isn't in its cell, others by their layer and its size."""
    forget_gate = "" if row.forget_gate else ", f = 1"
    state = "" if row.initial_state == "zero" else ", " + STATES.get(row.initial_state, row.initial_state)
    if row.model == PAPERS_MODEL:
        name = "peephole" if row.peepholes else "LSTM"
    else:
        name = row.model.replace("peephole_lstm ", "peephole " if row.peepholes else "peephole LSTM without peepholes ")
    return name + forget_gate + state + ("" if row.recipe == "online" else f", {row.recipe}")


def thousands(streams: float) -> str:
    """Training streams, in thousands."""
    value = streams / 1000
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def task_of(row: Row) -> Key:
    """What rows of one task have in common."""
    return tuple(getattr(row, column) for column in TASK_COLUMNS)


def identify(columns: Columns, row: Row, rows: Sequence[Row], with_net: bool = True) -> None:
    """Add the cells that say what a line is about; `rows` are those of the whole table."""
    if len({row.task for row in rows}) > 1:
        columns.add("task", row.task.upper())
    kinds = {bool(row.waveform) for row in rows}
    columns.add("F", str(row.interval))
    columns.add("asked" if len(kinds) > 1 else "shape" if kinds == {True} else "I(n)", asked(row))
    if with_net:
        columns.add("net", net(row))


def median(summary: Summary) -> str:
    """The median of the training streams, or more than what the first net was given up at."""
    if math.isfinite(summary.median):
        return thousands(summary.median)
    return f"> {thousands(summary.censored_at)}" if math.isfinite(summary.censored_at) else "> ∞"


def reliable(rows: Sequence[Row], reliability: Mapping[Key, Reliability]) -> str:
    """The share of fresh test sets that the solved nets of a condition pass; nothing where none has run any."""
    found = [reliability[row.replica_key] for row in rows if row.replica_key in reliability]
    if not found:
        return ""
    share, (low, high) = pooled(found)
    return f"{100 * share:.0f}%" + ("" if math.isnan(low) else f" ({100 * low:.0f}–{100 * high:.0f})")


def factor(value: float) -> str:
    """A ratio."""
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}" if value >= 2 else f"{value:.2f}"


def p_text(value: float) -> str:
    """A p-value."""
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"
