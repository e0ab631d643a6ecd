"""One row per replica: typed in memory, text in `runs.csv`; encoder and decoder are here and nowhere else."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

import timing_tasks
from timing_tasks.conditions.condition import CONDITION_COLUMNS
from timing_tasks.errors import ResultsError
from timing_tasks.tasks.task import Task, read_readings

STATUSES = ("solved", "unsolved", "diverged")
_OF_NETS = ("cell_output_activation",)  # of the readings; the others are of streams
Key: TypeAlias = tuple[Any, ...]  # the values of some columns of a row

_condition_columns: Callable[[object], Key] = attrgetter(*CONDITION_COLUMNS)
csv.field_size_limit(2**31 - 1)  # the weights of a row can be many


@dataclass(frozen=True)
class Row:
    """What became of one replica.

    Attributes:
        task: its name.
        interval: F, in steps; for `pfg` the period.
        offsets: the set of I(n), in steps; empty for `pfg`.
        waveform: of `pfg`, else empty.
        peepholes: whether the net has them.
        initial_state: its name, and the noise where there is some.
        recipe: its name.
        protocol: its name.
        replica: the number of the net within its condition.
        seed: of the run.
        status: one of STATUSES.
        training_streams: those that a solved net needed and another spent.
        rmse: root mean square error of the test streams that solved the net; None for a net that is not solved.
        net_steps: time steps of training and test streams.
        engine: who trained the net.
        version: of this package.
        commit: of this package.
        forget_gate: whether the net has one.
        output_activation: of the output unit.
        tolerance: of a prediction.
        model: the net's layer and how many cells or units it has.
        readings: the readings of the streams that differ from PAPER.md 4, see `Task.readings`.
        test_size: periods that were right in the last test stream.
        weights: the net's at the end, float64: for peephole cells in the order of WEIGHT_NAMES, for other layers in
            that of their parameters. The file has all their digits, so that the net can be had again exactly.
    """

    task: str
    interval: int
    offsets: tuple[int, ...]
    waveform: str
    peepholes: bool
    initial_state: str
    recipe: str
    protocol: str
    replica: int
    seed: int
    status: str
    training_streams: int
    rmse: float | None
    net_steps: int
    engine: str
    version: str
    commit: str
    forget_gate: bool
    output_activation: str
    tolerance: float
    model: str
    readings: str
    test_size: int
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        """Raise ValueError for a row that no replica can have."""
        if self.status not in STATUSES or (self.status == "solved") != (self.rmse is not None):
            raise ValueError(f"{self.status} with a root mean square error of {self.rmse}")

    @property
    def is_solved(self) -> bool:
        """Whether the net is."""
        return self.status == "solved"

    @property
    def condition(self) -> Key:
        """What rows of one condition have in common; the values of `Condition.columns`."""
        return _condition_columns(self)

    @property
    def condition_name(self) -> str:
        """The condition in one text."""
        return condition_name(vars(self))

    @property
    def replica_key(self) -> Key:
        """What no two rows of a file have in common."""
        return (*self.condition, self.seed, self.replica)

    @property
    def asked(self) -> Task:
        """The task.

        Raises:
            ConfigurationError: there is no such task.
        """
        readings = {key: value for key, value in read_readings(self.readings).items() if key not in _OF_NETS}
        asked: Task = Task(self.task, self.interval, self.offsets, self.waveform, self.tolerance, **readings)
        return asked

    @property
    def cell_output_activation(self) -> str:
        """Of the net, as `trajectory` takes it."""
        return str(read_readings(self.readings).get("cell_output_activation", "identity"))

    @property
    def net_weights(self) -> np.ndarray:
        """The final weights, a new array, float64; for the paper's net [19], in the order of WEIGHT_NAMES."""
        return np.array(self.weights, dtype=np.float64)

    @property
    def order(self) -> Key:
        """Where the row stands in a file."""
        return (self.task, self.waveform, self.interval, self.offsets, *self.condition[4:], self.seed, self.replica)


@dataclass(frozen=True)
class _Kind:
    """How values of a type are written, and read again: `read` raises ValueError for a text that is none."""

    write: Callable[[Any], str]
    read: Callable[[str], Any]


def _whole(text: str) -> int:
    if not text.isdecimal():  # int() takes a sign, spaces and underscores
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"{text!r} is neither true nor false")
    return text == "true"


# float's repr is the shortest text that gives the same float64 again.
KINDS = {
    "str": _Kind(str, str),
    "int": _Kind(str, _whole),
    "bool": _Kind(lambda value: str(value).lower(), _truth),
    "float": _Kind(repr, float),
    "float | None": _Kind(
        lambda value: "" if value is None else repr(value), lambda text: float(text) if text else None
    ),
    "tuple[int, ...]": _Kind(lambda values: " ".join(map(str, values)), lambda text: tuple(map(_whole, text.split()))),
    "tuple[float, ...]": _Kind(
        lambda values: " ".join(map(repr, values)), lambda text: tuple(map(float, text.split()))
    ),
}
COLUMNS = tuple(field.name for field in fields(Row))
_KIND_OF: dict[str, _Kind] = {field.name: KINDS[str(field.type)] for field in fields(Row)}
_KINDS = tuple(_KIND_OF.values())
_values: Callable[[Row], Key] = attrgetter(*COLUMNS)


def texts_of(row: Row) -> list[str]:
    """What the file has in each of COLUMNS."""
    return [kind.write(value) for kind, value in zip(_KINDS, _values(row), strict=True)]


def row_of_texts(texts: Sequence[str]) -> Row:
    """The inverse of `texts_of`.

    Raises:
        ValueError: it is not a row.
    """
    return Row(*(kind.read(text) for kind, text in zip(_KINDS, texts, strict=True)))


def key_texts(columns: Sequence[str], key: Key) -> list[str]:
    """The values of some columns as a file has them."""
    return [_KIND_OF[name].write(value) for name, value in zip(columns, key, strict=True)]


def key_of_texts(columns: Sequence[str], texts: Sequence[str]) -> Key:
    """The inverse of `key_texts`.

    Raises:
        ValueError: a text is not one of its column.
    """
    return tuple(_KIND_OF[name].read(text) for name, text in zip(columns, texts, strict=True))


def condition_name(columns: Mapping[str, Any]) -> str:
    """A condition in one text, as `run.json` has it, from the values of CONDITION_COLUMNS."""
    texts = key_texts(CONDITION_COLUMNS, tuple(columns[name] for name in CONDITION_COLUMNS))
    return " ".join(f"{name}={text}" for name, text in zip(CONDITION_COLUMNS, texts, strict=True) if text)


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
        rows: dict[Key, Row] = {}
        for line, cells in enumerate(reader, start=2):
            try:
                row = row_of_texts(cells)
            except ValueError:
                raise ResultsError(f"{path}: line {line} is not a row of results") from None
            if rows.setdefault(row.replica_key, row) is not row:
                raise ResultsError(f"{path}: line {line} repeats a replica")
    return list(rows.values())


def cells_of(lines: Iterable[str]) -> Iterator[list[str]]:
    """The entries of each line of CSV; a NUL (after a power cut; Python 3.10 cannot read it) becomes an unused sign."""
    return csv.reader(line.replace("\0", "\ufffd") for line in lines)


def rows_text(rows: Sequence[Row], header: bool) -> str:
    """What a results file has for some rows, with the header line or without it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if header:
        writer.writerow(COLUMNS)
    writer.writerows(map(texts_of, rows))
    return text.getvalue()
