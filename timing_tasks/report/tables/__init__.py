"""Tables: pure functions of rows and published values, to Markdown and to the terminal."""

from __future__ import annotations

from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

_WORDS = (
    "folder",
    "condition",
    "again",
    "task",
    "reading",
    "I(n)",
    "asked",
    "shape",
    "net",
    "learned",
    "start",
    "engine",
    "first",
    "second",
    "against the paper",
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
        rich.add_column(
            table.header[number], justify="left" if table.header[number] in _WORDS else "right", no_wrap=True
        )
    for line in table.lines:
        rich.add_row(*(line[number] for number in shown))
    console.print(rich)
    for note in table.notes:
        console.print(note, highlight=False)
