"""One row per replica: what `runs.csv` has, as text, and how it is read."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path

import numpy as np

import timing_tasks
from timing_tasks.conditions.condition import CONDITION_COLUMNS, condition_name
from timing_tasks.errors import ResultsError
from timing_tasks.tasks.task import Task, read_readings

STATUSES = ("solved", "unsolved", "diverged")


_condition_columns: Callable[[object], tuple[str, ...]] = attrgetter(*CONDITION_COLUMNS)
csv.field_size_limit(2**31 - 1)  # the weights of a row can be many


@dataclass(frozen=True)
class Row:
    """What became of one replica; every field is text, as in the file.

    `interval` is F in steps, `offsets` as in `0 1 2`, `training_streams` those that a solved net needed and another
    spent, `rmse` that of the test streams that solved it, `model` the net's layer and how many cells or units it has,
    `readings` what of the streams is read otherwise than in PAPER.md 4, `test_size` the periods that were right in the
    last test stream, `weights` the net's at the end, for peephole cells in the order of WEIGHT_NAMES, for other layers
    in that of their parameters: their digits are those of the float64 numbers, so that the net can be had again
    exactly.
    """

    task: str
    interval: str
    offsets: str
    waveform: str
    peepholes: str
    initial_state: str
    recipe: str
    protocol: str
    replica: str
    seed: str
    status: str
    training_streams: str
    rmse: str
    net_steps: str
    engine: str
    version: str
    commit: str
    forget_gate: str
    output_activation: str
    tolerance: str
    model: str
    readings: str
    test_size: str
    weights: str

    @property
    def condition(self) -> tuple[str, ...]:
        """What rows of one condition have in common; the values of `Condition.columns`."""
        return _condition_columns(self)

    @property
    def condition_name(self) -> str:
        """The condition in one text."""
        return condition_name(vars(self))

    @property
    def replica_key(self) -> tuple[str, ...]:
        """What no two rows of a file have in common."""
        return (*self.condition, self.seed, self.replica)

    @property
    def asked(self) -> Task:
        """The task."""
        offsets = tuple(map(int, self.offsets.split()))
        arguments = (int(self.interval), offsets, self.waveform, float(self.tolerance))
        return Task(self.task, *arguments, **read_readings(self.readings))

    @property
    def cell_output_activation(self) -> str:
        """Of the net, as `trajectory` takes it."""
        return dict(reading.split("=") for reading in self.readings.split()).get("cell_output_activation", "identity")

    @property
    def net_weights(self) -> np.ndarray:
        """The weights at the end, float64, shape [19] and in the order of WEIGHT_NAMES for the paper's net."""
        return np.array([float(weight) for weight in self.weights.split()])

    @property
    def order(self) -> tuple[object, ...]:
        """Where the row stands in a file; whole numbers of any length sort by their size if the length goes first."""

        def number(text: str) -> tuple[int, str]:
            return len(text), text

        offsets = tuple(map(number, self.offsets.split()))
        return (
            *(self.task, self.waveform, number(self.interval), offsets, *self.condition[4:], number(self.seed)),
            number(self.replica),
        )


COLUMNS = tuple(field.name for field in fields(Row))


def read_rows(path: Path) -> list[Row]:
    """The rows of a results file, in its order.

    Raises:
        ResultsError: other columns than this version's, a row that does not fit them, two rows of one replica, a last
            line that is not whole.
    """
    with path.open("rb") as file:
        file.seek(max(file.seek(0, os.SEEK_END) - 1, 0))
        if file.read() not in (b"\n", b""):  # its last number may have lost digits and still be one
            raise ResultsError(f"{path}: the last line is not whole")
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        reader = cells_of(file)
        header = next(reader, None)
        if header is None or tuple(header) != COLUMNS:
            unknown = ", ".join(sorted(set(header or ()) ^ set(COLUMNS))) or "their order"
            raise ResultsError(
                f"{path}: not the columns of timing-tasks {timing_tasks.__version__} (differing: {unknown})"
            )
        rows: list[Row] = []
        seen: set[tuple[str, ...]] = set()
        for line, cells in enumerate(reader, start=2):
            if len(cells) != len(COLUMNS) or not _is_row(row := Row(*cells)):
                raise ResultsError(f"{path}: line {line} is not a row of results")
            if row.replica_key in seen:
                raise ResultsError(f"{path}: line {line} repeats a replica")
            seen.add(row.replica_key)
            rows.append(row)
    return rows


def cells_of(lines: Iterable[str]) -> Iterator[list[str]]:
    """The cells of each line of CSV; a NUL, such as a power cut leaves and Python 3.10 cannot read, as a sign that no cell has."""
    return csv.reader(line.replace("\0", "\ufffd") for line in lines)


def _is_row(row: Row) -> bool:
    numbers = (row.replica, row.seed, row.training_streams, row.net_steps, row.test_size)
    try:
        [float(number) for number in (row.rmse or "0", *row.weights.split())]
    except ValueError:
        return False
    is_solved = row.status == "solved"
    return row.status in STATUSES and is_solved == bool(row.rmse) and all(number.isdecimal() for number in numbers)


def rows_text(rows: Sequence[Row], header: bool) -> str:
    """What a results file has for some rows, with the header line or without it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if header:
        writer.writerow(COLUMNS)
    writer.writerows(map(attrgetter(*COLUMNS), rows))  # astuple copies every value
    return text.getvalue()
