"""What each net cost in wall-clock time: `seconds.csv` beside the rows, which are the same on every machine while this is not."""

from __future__ import annotations

import contextlib
import csv
import math
from collections.abc import Mapping
from pathlib import Path

from timing_tasks.conditions.condition import CONDITION_COLUMNS
from timing_tasks.errors import ResultsError
from timing_tasks.results.row import Key, Row, cells_of, key_of_texts, key_texts

KEY_COLUMNS = (*CONDITION_COLUMNS, "seed", "replica")  # of Row.replica_key
COLUMNS = (*KEY_COLUMNS, "seconds")


def append_seconds(folder: Path, seconds: Mapping[Row, float]) -> None:
    """Add the seconds that some rows' nets cost to the file of a folder."""
    path = folder / "seconds.csv"
    is_new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if is_new:
            writer.writerow(COLUMNS)
        writer.writerows((*key_texts(KEY_COLUMNS, row.replica_key), f"{value:.4g}") for row, value in seconds.items())


def read_seconds(folder: Path) -> dict[Key, float]:
    """The seconds by `Row.replica_key`; nothing of a file that is not there, nor of lines that a kill has torn.

    Raises:
        ResultsError: the file cannot be read.
    """
    path = folder / "seconds.csv"
    found: dict[Key, float] = {}
    try:
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            for cells in cells_of(file):
                with contextlib.suppress(ValueError):
                    *key, seconds = cells
                    if math.isfinite(float(seconds)):
                        found[key_of_texts(KEY_COLUMNS, key)] = float(seconds)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ResultsError.of(path, error) from None
    return found
