"""Tables: pure functions of rows and published values, to Markdown and to the terminal."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

_WORDS = (
    *("folder", "condition", "again", "task", "reading", "I(n)", "asked", "shape", "net", "learned", "start", "engine"),
    *("first", "second", "recipe", "state", "solved is", "streams are", "verdict"),
)
_LONGEST_WORD = 28  # characters in a cell of words; what is longer stands under the table


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        title: of the table.
        header: the names of the columns.
        lines: of as many cells.
        notes: below it.
        dispensable: the columns that a terminal leaves out where it is too narrow, the first to go first.
    """

    title: str
    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    dispensable: tuple[str, ...] = ()


def markdown(table: Table) -> str:
    """The table as Markdown, ending in a line feed."""
    table = with_short_words(table)
    lines = [f"## {table.title}", "", "| " + " | ".join(table.header) + " |", "|" + "---|" * len(table.header)]
    lines += ["| " + " | ".join(line) + " |" for line in table.lines]
    return "\n".join([*lines, "", *(note + "\n" for note in table.notes)])


def with_short_words(table: Table) -> Table:
    """Long names, as of a recipe with its optimiser, cut short in the cells and in full in a note."""
    numbers: dict[str, int] = {}

    def short(column: str, text: str) -> str:
        if column not in _WORDS or len(text) <= _LONGEST_WORD:
            return text
        number = numbers.setdefault(text, len(numbers) + 1)
        return f"{text[: _LONGEST_WORD - 5].rstrip()}… [{number}]"

    lines = tuple(
        tuple(short(column, text) for column, text in zip(table.header, line, strict=True)) for line in table.lines
    )
    return replace(table, lines=lines, notes=(*table.notes, *(f"[{n}] {text}" for text, n in numbers.items())))


def fitting(table: Table, width: int) -> list[int]:
    """Which columns a terminal of a width has room for; names of columns are broken between words, cells nowhere."""
    widths = {
        name: max(max(map(len, name.split())), *(len(line[place]) for line in table.lines), 1)
        for place, name in enumerate(table.header)
    }
    shown = list(table.header)
    for name in table.dispensable:
        if sum(widths[one] + 1 for one in shown) - 1 <= width:
            break
        if name in shown:
            shown.remove(name)
    return [place for place, name in enumerate(table.header) if name in shown]


def show(table: Table, console: Console) -> None:
    """The table in a terminal, as much of it as there is room for."""
    table = with_short_words(table)
    rich = RichTable(title=table.title, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    places = fitting(table, console.width)
    for place in places:
        name = table.header[place]
        least = max((len(line[place]) for line in table.lines), default=0)
        rich.add_column(
            name,
            justify="left" if name in _WORDS else "right",
            min_width=max(least, *map(len, name.split())),
            max_width=max(least, *map(len, name.split())),
        )
    for line in table.lines:
        rich.add_row(*(line[place] for place in places))
    console.print(rich)
    for note in table.notes:
        console.print(note, highlight=False)
    if left_out := [name for place, name in enumerate(table.header) if place not in places]:
        console.print(f"No room here for: {', '.join(left_out)}.", highlight=False)
