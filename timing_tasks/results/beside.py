"""Files beside the rows that say more about nets: lines of CSV, each a net's key and some values."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from timing_tasks.conditions.condition import CONDITION_COLUMNS
from timing_tasks.errors import ResultsError
from timing_tasks.results.row import Key, cells_of, key_of_texts, key_texts

Value = TypeVar("Value")
KEY_COLUMNS = (*CONDITION_COLUMNS, "seed", "replica")  # of Row.replica_key


def text_of_lines(columns: Sequence[str], lines: Mapping[Key, Sequence[str]], header: bool) -> str:
    """The lines of some nets, with the header line or without it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if header:
        writer.writerow(columns)
    writer.writerows((*key_texts(KEY_COLUMNS, key), *values) for key, values in lines.items())
    return text.getvalue()


def append_lines(path: Path, columns: Sequence[str], lines: Mapping[Key, Sequence[str]]) -> None:
    """Add the lines of some nets to a file."""
    is_new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        file.write(text_of_lines(columns, lines, header=is_new))


def read_lines(path: Path, columns: Sequence[str], read: Callable[[Sequence[str]], Value]) -> dict[Key, Value]:
    """The values by key; nothing of a file that is not there, nor of lines that a kill has torn.

    Args:
        path: of the file.
        columns: KEY_COLUMNS and the names of the values.
        read: a value from its texts; ValueError for what is none.

    Raises:
        ResultsError: the file cannot be read.
    """
    found: dict[Key, Value] = {}
    keys = len(KEY_COLUMNS)
    try:
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            for cells in cells_of(file):
                with contextlib.suppress(ValueError):
                    if len(cells) == len(columns):
                        found[key_of_texts(KEY_COLUMNS, cells[:keys])] = read(cells[keys:])
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ResultsError.of(path, error) from None
    return found
