"""Each net's wall-clock time: `seconds.csv`, apart from the rows because it differs between machines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from timing_tasks.results.beside import KEY_COLUMNS, append_lines, read_lines
from timing_tasks.results.row import Key, Row

COLUMNS = (*KEY_COLUMNS, "seconds")


def append_seconds(folder: Path, seconds: Mapping[Row, float]) -> None:
    """Add the seconds that some rows' nets cost to the file of a folder."""
    lines = {row.replica_key: [f"{value:.4g}"] for row, value in seconds.items()}
    append_lines(folder / "seconds.csv", COLUMNS, lines)


def read_seconds(folder: Path) -> dict[Key, float]:
    """The seconds by `Row.replica_key`; nothing of a file that is not there, nor of lines that a kill has torn.

    Raises:
        ResultsError: the file cannot be read.
    """
    return read_lines(folder / "seconds.csv", COLUMNS, _seconds)


def _seconds(texts: Sequence[str]) -> float:
    value = float(texts[0])
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a time")
    return value
