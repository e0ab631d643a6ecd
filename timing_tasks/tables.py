"""Tables: pure functions of rows and published values, to Markdown and to the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from timing_tasks.published import Published, compare_solved, compare_streams
from timing_tasks.results import Row
from timing_tasks.statistics import LogRank, Summary, log_rank, summarise

_USUAL_TOLERANCE = {"pfg": "0.3"}  # of the others 0.49 (PAPER.md 3)
_WORDS = ("task", "I(n)", "I(n) or shape", "shape", "net", "engine", "first", "second", "against the paper")

_OURS_NOTE = (
    "Training streams in thousands: mean ± standard deviation (standard error) over the solved nets; over all nets the "
    "Kaplan-Meier median and the mean restricted to the longest time observed."
)
_HELD_NOTE = (
    "Against the paper: first the nets solved (Fisher's exact test), then the streams (Welch's test, the paper's ± read as the "
    "deviation of the sample and as that of the mean: both must differ), at 5%."
)
_RATIO_NOTE = (
    "The rate ratio says how many times as often, at any moment, an unsolved net of the first kind gets solved as one of the "
    "second (Peto's estimate of the hazard ratio; p of the log-rank test; nets that were given up are censored)."
)


@dataclass(frozen=True)
class Table:
    """A table of text."""

    title: str
    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def by_condition(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows of each condition; tasks in the order of their first rows, and their nets from the plainest on."""
    conditions: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        conditions.setdefault(row.condition, []).append(row)
    tasks = {_task(row): None for row in rows}
    place = {task: number for number, task in enumerate(tasks)}
    return sorted(conditions.values(), key=lambda some: (place[_task(some[0])], some[0].forget_gate, some[0].peepholes))


def comparison(title: str, rows: Sequence[Row], published: Sequence[Published]) -> Table:
    """For each task, net by net, the paper's values and ours.

    Args:
        title: of the table.
        rows: at least one for every line; tasks stand in the order of their first rows.
        published: the paper's values; conditions that are not among them have none.
    """
    lines: list[tuple[str, ...]] = []
    cut_short: list[str] = []
    identity: list[str] = []
    unverified = False
    with_task, with_rmse = len({row.task for row in rows}) > 1, any(row.task == "pfg" for row in rows)
    conditions = by_condition(rows)
    values = [next((value for value in published if value.is_of(some[0])), None) for some in conditions]
    for some, value in zip(conditions, values, strict=True):
        first, summary = some[0], summarise(some)
        unverified |= value is not None and value.verified != "true" and bool(value.solved_percent)
        most = max((int(row.test_size) for row in some if row.status == "unsolved"), default=0)
        name = f"{first.task.upper()} F={first.interval} {asked(first)} {net(first)}"
        if math.isfinite(summary.censored_at):
            given_up = summary.nets - summary.solved - summary.diverged
            since = f"the first after {thousands(summary.censored_at)}·10³ streams"
            cut_short.append(f"{name}: {given_up}, {since}, at best {most} periods right in the last test")
        if first.output_activation == "identity" and first.task != "pfg":
            identity.append(name)
        line = (
            first.interval,
            asked(first),
            net(first),
            *_paper(value, with_rmse),
            *_ours(summary, with_rmse),
            _held(summary, value),
        )
        lines.append((first.task.upper(), *line) if with_task else line)
    notes = [f"Protocol: {', '.join(dict.fromkeys(row.protocol for row in rows))}. {_OURS_NOTE}"]
    if identity:
        every = len(identity) == len(lines)
        notes.append("Identity output" + ("." if every else ": " + "; ".join(identity) + "."))
    if any(line[-1] for line in lines):
        notes.append(_HELD_NOTE)
    if unverified:
        notes.append("? The paper's values are recalled; nobody has checked them against the journal's pages.")
    if cut_short:
        notes.append("Nets given up when the budget was spent: " + "; ".join(cut_short) + ".")
    header = (
        *(("task",) if with_task else ()),
        *("F", _asked_header(rows), "net", "paper %", "paper streams", *(("paper RMSE",) if with_rmse else ())),
        *("solved", "% (95%)", "streams (s.e.)", "median", "restricted", *(("RMSE",) if with_rmse else ()), "against the paper"),
    )
    return Table(title, header, tuple(lines), tuple(notes))


def variants(title: str, rows: Sequence[Row]) -> Table | None:
    """Nets that differ in one thing, two by two: when are they solved? None where there are no two.

    Args:
        title: of the table.
        rows: as for `comparison`.
    """
    conditions = by_condition(rows)
    with_task = len({row.task for row in rows}) > 1
    lines = []
    for number, second in enumerate(conditions):
        for first in conditions[number + 1 :]:
            differing = sum(a != b for a, b in zip(first[0].condition, second[0].condition, strict=True))
            if differing == 1 and _task(first[0]) == _task(second[0]):
                nets = (net(first[0]), net(second[0]), *(f"{_solved(some)}/{len(some)}" for some in (first, second)))
                line = (first[0].interval, asked(first[0]), *nets, *_ratio(log_rank(first, second)))
                lines.append((first[0].task.upper(), *line) if with_task else line)
    if not lines:
        return None
    header = ("F", _asked_header(rows), "first", "second", "first solved", "second solved", "rate ratio (95%)", "p")
    return Table(title, ("task", *header) if with_task else header, tuple(lines), (_RATIO_NOTE,))


def asked(row: Row) -> str:
    """The offsets or the shape, as a table names them."""
    if row.waveform:
        text = row.waveform
    else:
        offsets = row.offsets.split()
        is_range = len(offsets) > 3 and offsets == [str(i) for i in range(len(offsets))]
        text = "{0,…," + offsets[-1] + "}" if is_range else "{" + ",".join(offsets) + "}"
    return text if row.tolerance in ("", _USUAL_TOLERANCE.get(row.task, "0.49")) else f"{text} within {row.tolerance}"


def net(row: Row) -> str:
    """The net, as a table names it."""
    return ("peephole" if row.peepholes == "true" else "LSTM") + ("" if row.forget_gate == "true" else ", no forget gate")


def thousands(streams: float) -> str:
    """Training streams, in thousands."""
    value = streams / 1000
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _task(row: Row) -> tuple[str, ...]:
    return row.task, row.interval, row.offsets, row.waveform, row.tolerance


def _asked_header(rows: Sequence[Row]) -> str:
    kinds = {bool(row.waveform) for row in rows}
    return "I(n) or shape" if len(kinds) > 1 else "shape" if kinds == {True} else "I(n)"


def _held(summary: Summary, value: Published | None) -> str:
    if value is None or not (value.solved_percent or value.streams):
        return ""
    return f"{compare_solved(summary, value)}; {compare_streams(summary, value)}"


def _paper(value: Published | None, with_rmse: bool) -> tuple[str, ...]:
    if value is None:
        return ("",) * (2 + with_rmse)
    mark = "" if value.verified == "true" else "?"
    texts = [value.solved_percent]
    for mean, deviation in ((value.streams, value.streams_deviation), (value.rmse, value.rmse_deviation))[: 1 + with_rmse]:
        texts.append(mean + (f" ± {deviation}" if deviation else ""))
    return tuple(text + mark if text and text != "-" else text for text in texts)


def _ours(summary: Summary, with_rmse: bool) -> tuple[str, ...]:
    low, high = summary.interval
    solved = f"{summary.solved}/{summary.nets}" + (f" ({summary.diverged} diverged)" if summary.diverged else "")
    percent = f"{100 * summary.solved / summary.nets:.0f} ({100 * low:.0f}–{100 * high:.0f})"
    mean = "-" if not summary.solved else thousands(summary.mean)
    if summary.solved > 1:
        mean += f" ± {thousands(summary.deviation)} ({thousands(summary.standard_error)})"
    if math.isfinite(summary.median):
        median = thousands(summary.median)
    else:
        median = f"> {thousands(summary.censored_at)}" if math.isfinite(summary.censored_at) else "> ∞"
    rmse = "-" if not summary.solved else f"{summary.rmse:.3f}" + (f" ± {summary.rmse_deviation:.3f}" if summary.solved > 1 else "")
    return solved, percent, mean, median, thousands(summary.restricted_mean), *((rmse,) if with_rmse else ())


def _solved(rows: Sequence[Row]) -> int:
    return sum(row.status == "solved" for row in rows)


def _ratio(result: LogRank) -> tuple[str, str]:
    if math.isnan(result.p_value):
        return "-", "-"
    low, high = (_factor(bound) for bound in result.interval)
    p_value = f"{result.p_value:.3f}" if result.p_value >= 0.001 else "< 0.001"
    return f"{_factor(result.ratio)} ({low}–{high})", p_value


def _factor(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def markdown(table: Table) -> str:
    """The table as Markdown, ending in a line feed."""
    lines = [f"## {table.title}", "", "| " + " | ".join(table.header) + " |", "|" + "---|" * len(table.header)]
    lines += ["| " + " | ".join(line) + " |" for line in table.lines]
    return "\n".join([*lines, "", *(note + "\n" for note in table.notes)])


def show(table: Table, console: Console) -> None:
    """The table in a terminal."""
    rich = RichTable(title=table.title, box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in table.header:
        rich.add_column(column, justify="left" if column in _WORDS else "right", no_wrap=True)
    for line in table.lines:
        rich.add_row(*line)
    console.print(rich)
    for note in table.notes:
        console.print(note, highlight=False)
