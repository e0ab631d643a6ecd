"""Tables: pure functions of rows and published values, to Markdown and to the terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from timing_tasks.published import Published, compare_solved, compare_streams
from timing_tasks.results import Row
from timing_tasks.statistics import LogRank, Summary, log_rank, summarise
from timing_tasks.tasks.task import USUAL_TOLERANCE

Add = Callable[[str, str], None]  # a cell to a column

_WORDS = ("task", "I(n)", "I(n) or shape", "shape", "net", "engine", "first", "second", "against the paper")
_OURS_NOTE = (
    "Training streams in thousands: mean ± standard deviation (standard error) over the solved nets; over all nets the "
    "Kaplan-Meier median."
)
_DETAILS_NOTE = (
    "Restricted: the mean over all nets, as far as the longest time observed. Given up: nets whose budget was spent, from how "
    "many thousand streams on, and the most periods that one of them had right in its last test."
)
_HELD_NOTE = (
    "Against the paper: first the nets solved (Fisher's exact test), then the streams (Welch's test, the paper's ± read as the "
    "deviation of the sample and as that of the mean: both must differ), at 5%."
)
_RATIO_NOTE = (
    "The rate ratio says how many times as often, at any moment, an unsolved net of the first kind gets solved as one of the "
    "second (Peto's estimate of the hazard ratio; p of the log-rank test; nets that were given up are censored). Pairs of which "
    "no net was solved are left out."
)


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        title: of the table.
        header: the names of the columns.
        lines: of as many cells.
        notes: below it.
        details: the columns for which a terminal has no room.
        details_note: about them.
    """

    title: str
    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    details_note: str = ""


def by_condition(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows of each condition; tasks in the order of their first rows, and their nets from the plainest on."""
    conditions: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        conditions.setdefault(row.condition, []).append(row)
    place = {task: number for number, task in enumerate(dict.fromkeys(map(_task, rows)))}
    return sorted(conditions.values(), key=lambda some: (place[_task(some[0])], some[0].forget_gate, some[0].peepholes))


def comparison(title: str, rows: Sequence[Row], published: Sequence[Published]) -> Table:
    """For each task, net by net, the paper's values and ours.

    Args:
        title: of the table.
        rows: at least one for every line; tasks stand in the order of their first rows.
        published: the paper's values; conditions that are not among them have none.
    """
    conditions = by_condition(rows)
    values = [next((value for value in published if value.is_of(some[0])), None) for some in conditions]
    columns: dict[str, list[str]] = {}

    def add(column: str, text: str) -> None:
        columns.setdefault(column, []).append(text)

    for some, value in zip(conditions, values, strict=True):
        summary = summarise(some)
        _identify(add, some[0], rows)
        _add_paper(add, value)
        _add_ours(add, summary, some)
        add("against the paper", _held(summary, value))
    if not any(row.task == "pfg" for row in rows):
        columns = {name: texts for name, texts in columns.items() if "RMSE" not in name}
    if not any(values):
        columns = {name: texts for name, texts in columns.items() if "paper" not in name}
    notes = [f"Protocol: {', '.join(dict.fromkeys(row.protocol for row in rows))}. {_OURS_NOTE}"]
    identity = [some[0] for some in conditions if some[0].output_activation == "identity" and some[0].task != "pfg"]
    if identity:
        names = "; ".join(f"{row.task.upper()} F={row.interval} {asked(row)} {net(row)}" for row in identity)
        notes.append("Identity output." if len(identity) == len(conditions) else f"Identity output: {names}.")
    if any(value and value.verified != "true" for value in values):
        notes.append("? The paper's values are recalled; nobody has checked them against the journal's pages.")
    notes.append(_HELD_NOTE if any(values) else "The paper's values are not known.")
    lines = tuple(zip(*columns.values(), strict=True))
    return Table(title, tuple(columns), lines, tuple(notes), ("restricted", "given up"), _DETAILS_NOTE)


def variants(title: str, rows: Sequence[Row]) -> Table | None:
    """Nets that differ in one thing, two by two: when are they solved? None where there are no two.

    Args:
        title: of the table.
        rows: as for `comparison`.
    """
    conditions = by_condition(rows)
    columns: dict[str, list[str]] = {}

    def add(column: str, text: str) -> None:
        columns.setdefault(column, []).append(text)

    for number, second in enumerate(conditions):
        for first in conditions[number + 1 :]:
            differing = sum(a != b for a, b in zip(first[0].condition, second[0].condition, strict=True))
            if differing == 1 and _task(first[0]) == _task(second[0]) and _solved(first) + _solved(second) > 0:
                _identify(add, first[0], rows, with_net=False)
                for name, some in (("first", first), ("second", second)):
                    add(name, net(some[0]))
                    add(f"{name} solved", f"{_solved(some)}/{len(some)}")
                _add_ratio(add, log_rank(first, second))
    if not columns:
        return None
    return Table(title, tuple(columns), tuple(zip(*columns.values(), strict=True)), (_RATIO_NOTE,))


def asked(row: Row) -> str:
    """The offsets or the shape, as a table names them."""
    if row.waveform:
        text = row.waveform
    else:
        offsets = row.offsets.split()
        is_range = len(offsets) > 3 and offsets == [str(i) for i in range(len(offsets))]
        text = "{0,…," + offsets[-1] + "}" if is_range else "{" + ",".join(offsets) + "}"
    return text if row.tolerance == str(USUAL_TOLERANCE[row.task]) else f"{text} ±{row.tolerance}"


def net(row: Row) -> str:
    """The net, as a table names it."""
    return ("peephole" if row.peepholes == "true" else "LSTM") + ("" if row.forget_gate == "true" else ", f = 1")


def thousands(streams: float) -> str:
    """Training streams, in thousands."""
    value = streams / 1000
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _task(row: Row) -> tuple[str, ...]:
    return row.task, row.interval, row.offsets, row.waveform, row.tolerance


def _identify(add: Add, row: Row, rows: Sequence[Row], with_net: bool = True) -> None:
    if len({row.task for row in rows}) > 1:
        add("task", row.task.upper())
    kinds = {bool(row.waveform) for row in rows}
    add("F", row.interval)
    add("I(n) or shape" if len(kinds) > 1 else "shape" if kinds == {True} else "I(n)", asked(row))
    if with_net:
        add("net", net(row))


def _add_paper(add: Add, value: Published | None) -> None:
    def with_deviation(text: str, deviation: str) -> str:
        return text + (f" ± {deviation}" if deviation else "")

    mark = "" if value is None or value.verified == "true" else "?"
    for column, text in (
        ("paper %", value.solved_percent if value else ""),
        ("paper streams", with_deviation(value.streams, value.streams_deviation) if value else ""),
        ("paper RMSE", with_deviation(value.rmse, value.rmse_deviation) if value else ""),
    ):
        add(column, text if text in ("", "-") else text + mark)


def _add_ours(add: Add, summary: Summary, rows: Sequence[Row]) -> None:
    low, high = summary.interval
    diverged = f", {summary.diverged} diverged" if summary.diverged else ""
    add("solved (95%)", f"{summary.solved}/{summary.nets} ({100 * low:.0f}–{100 * high:.0f}%{diverged})")
    mean, rmse = ("-", "-") if not summary.solved else (thousands(summary.mean), f"{summary.rmse:.3f}")
    if summary.solved > 1:
        mean += f" ± {thousands(summary.deviation)} ({thousands(summary.standard_error)})"
        rmse += f" ± {summary.rmse_deviation:.3f}"
    add("streams (s.e.)", mean)
    at_least = f"> {thousands(summary.censored_at)}" if math.isfinite(summary.censored_at) else "> ∞"
    add("median", thousands(summary.median) if math.isfinite(summary.median) else at_least)
    add("restricted", thousands(summary.restricted_mean))
    add("RMSE", rmse)
    some = [row for row in rows if row.status == "unsolved"]
    best = max((int(row.test_size) for row in some), default=0)
    add("given up", f"{len(some)} from {thousands(summary.censored_at)} on, best {best}" if some else "")


def _held(summary: Summary, value: Published | None) -> str:
    if value is None or not (value.solved_percent or value.streams):
        return ""
    return "; ".join(dict.fromkeys((compare_solved(summary, value), compare_streams(summary, value))))


def _solved(rows: Sequence[Row]) -> int:
    return sum(row.status == "solved" for row in rows)


def _add_ratio(add: Add, result: LogRank) -> None:
    low, high = (_factor(bound) for bound in result.interval)
    add("rate ratio (95%)", f"{_factor(result.ratio)} ({low}–{high})")
    add("p", f"{result.p_value:.3f}" if result.p_value >= 0.001 else "< 0.001")


def _factor(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def markdown(table: Table) -> str:
    """The table as Markdown, ending in a line feed."""
    lines = [f"## {table.title}", "", "| " + " | ".join(table.header) + " |", "|" + "---|" * len(table.header)]
    lines += ["| " + " | ".join(line) + " |" for line in table.lines]
    notes = [*table.notes, *([table.details_note] if table.details_note else [])]
    return "\n".join([*lines, "", *(note + "\n" for note in notes)])


def show(table: Table, console: Console) -> None:
    """The table in a terminal."""
    rich = RichTable(title=table.title, box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    shown = [number for number, column in enumerate(table.header) if column not in table.details]
    for number in shown:
        rich.add_column(table.header[number], justify="left" if table.header[number] in _WORDS else "right", no_wrap=True)
    for line in table.lines:
        rich.add_row(*(line[number] for number in shown))
    console.print(rich)
    for note in table.notes:
        console.print(note, highlight=False)
