"""Tables: pure functions of rows and published values, to Markdown and to the terminal."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from timing_tasks.results import Row
from timing_tasks.statistics import Summary, summarise


@dataclass(frozen=True)
class Published:
    """A value of the paper, as the data file has it; an empty text is unknown, `-` a reported failure."""

    table: str
    task: str
    interval: str
    offsets: str
    waveform: str
    peepholes: str
    output_activation: str
    tolerance: str
    solved_percent: str
    streams: str  # in thousands, like the deviation
    streams_deviation: str
    rmse: str
    rmse_deviation: str
    page: str
    row: str
    verified: str


@dataclass(frozen=True)
class Table:
    """A table of text."""

    title: str
    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def read_published(path: Path) -> list[Published]:
    """The paper's values from a data file."""
    with path.open(newline="", encoding="utf-8") as file:
        return [Published(**line) for line in csv.DictReader(file)]


def comparison(title: str, rows: Sequence[Row], published: Sequence[Published]) -> Table:
    """For each task, net by net, the paper's values and ours.

    Args:
        title: of the table.
        rows: at least one for every line; tasks stand in the order of their first rows.
        published: the paper's values; conditions that are not among them have none.
    """
    paper = {_same(value): value for value in published}
    conditions: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        conditions.setdefault(row.condition, []).append(row)
    lines: list[tuple[str, ...]] = []
    shown: list[Row] = []
    cut_short, unverified = [], False
    for task in dict.fromkeys(key[:4] for key in conditions):
        for some in sorted((s for key, s in conditions.items() if key[:4] == task), key=lambda s: s[0].peepholes):
            first, summary = some[0], summarise(some)
            net = ("peephole" if first.peepholes == "true" else "LSTM") + (
                "" if first.forget_gate == "true" else ", no forget gate"
            )
            value = paper.get(_same(first)) if first.forget_gate == "true" else None
            unverified |= value is not None and value.verified != "true"
            asked = first.waveform or "{" + first.offsets.replace(" ", ",") + "}"
            if math.isfinite(summary.censored_at):
                given_up = summary.nets - summary.solved - summary.diverged
                cut_short.append(
                    f"{first.task.upper()} F={first.interval} {asked} {net}: {given_up} nets given up, the first after "
                    f"{_thousands(summary.censored_at)}·10³ streams"
                )
            shown.append(first)
            lines.append((first.task.upper(), first.interval, asked, net, *_paper(value), *_ours(summary)))
    notes = [f"Protocol: {', '.join(dict.fromkeys(row.protocol for row in rows))}. Training streams in thousands."]
    identity = [line[:4] for line, some in zip(lines, shown, strict=True) if some.output_activation == "identity"]
    if identity:
        notes.append("Identity output: " + "; ".join(f"{t} F={f} {i} {net}" for t, f, i, net in identity) + ".")
    if unverified:
        notes.append("? The paper's values are recalled; nobody has checked them against the journal's pages.")
    if cut_short:
        notes.append("Cut short by the budget: " + "; ".join(cut_short) + ".")
    asked = "I(n)" if all(row.offsets for row in rows) else "I(n) or shape"
    header = ("task", "F", asked, "net", "paper %", "paper streams", "solved", "% (95% interval)", "streams, mean ± s.d.", "median")
    return Table(title, header, tuple(lines), tuple(notes))


def _same(of: Row | Published) -> tuple[str, ...]:
    """What a value of the paper and a row must have in common to stand side by side."""
    return of.task, of.interval, of.offsets, of.waveform, of.peepholes, of.output_activation, of.tolerance


def _paper(value: Published | None) -> tuple[str, str]:
    if value is None:
        return "", ""
    mark = "" if value.verified == "true" else "?"
    streams = value.streams + (f" ± {value.streams_deviation}" if value.streams_deviation else "")
    return tuple(text + mark if text and text != "-" else text for text in (value.solved_percent, streams))  # type: ignore[return-value]


def _ours(summary: Summary) -> tuple[str, str, str, str]:
    low, high = summary.interval
    solved = f"{summary.solved}/{summary.nets}" + (f" ({summary.diverged} diverged)" if summary.diverged else "")
    percent = f"{100 * summary.solved / summary.nets:.0f} ({100 * low:.0f}–{100 * high:.0f})"
    mean = "-" if not summary.solved else _thousands(summary.mean)
    if summary.solved > 1:
        mean += f" ± {_thousands(summary.deviation)}"
    if math.isfinite(summary.median):
        return solved, percent, mean, _thousands(summary.median)
    return (
        solved,
        percent,
        mean,
        f"> {_thousands(summary.censored_at)}" if math.isfinite(summary.censored_at) else "> ∞",
    )


def _thousands(streams: float) -> str:
    value = streams / 1000
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def markdown(table: Table) -> str:
    """The table as Markdown, ending in a line feed."""
    lines = [f"## {table.title}", "", "| " + " | ".join(table.header) + " |", "|" + "---|" * len(table.header)]
    lines += ["| " + " | ".join(line) + " |" for line in table.lines]
    return "\n".join([*lines, "", *(note + "\n" for note in table.notes)])


def show(table: Table, console: Console) -> None:
    """The table in a terminal."""
    rich = RichTable(title=table.title, box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.header:
        rich.add_column(
            column, justify="left" if column in ("task", "I(n)", "I(n) or shape", "net", "engine") else "right", no_wrap=True
        )
    for line in table.lines:
        rich.add_row(*line)
    console.print(rich)
    for note in table.notes:
        console.print(note, highlight=False)
