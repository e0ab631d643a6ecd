"""Results: one row per replica in `runs.csv`, appended as the replicas finish, never overwritten, never mixed."""

from __future__ import annotations

import csv
import fcntl
import io
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from multiprocessing import reduction
from pathlib import Path
from typing import Any

import numpy as np

import timing_tasks
from timing_tasks.errors import ResultsError
from timing_tasks.tasks.task import Task

STATUSES = ("solved", "unsolved", "diverged")
CONDITION_COLUMNS = (
    *("task", "interval", "offsets", "waveform", "peepholes", "initial_state", "recipe", "protocol"),
    *("forget_gate", "output_activation", "tolerance", "model", "readings"),
)


@dataclass(frozen=True)
class Row:
    """What became of one replica; every field is text, as in the file.

    `interval` is F in steps, `offsets` as in `0 1 2`, `training_streams` those that a solved net needed and another spent,
    `rmse` that of the test streams that solved it, `model` the net's layer and how many cells or units it has, `readings` what
    of the streams is read otherwise than in PAPER.md 4, `test_size` the periods that were right in the last test stream,
    `weights` the net's at the end, for peephole cells in the order of WEIGHT_NAMES, for other layers in that of their
    parameters: their digits are those of the float64 numbers, so that the net can be had again exactly.
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
        return tuple(getattr(self, column) for column in CONDITION_COLUMNS)

    @property
    def replica_key(self) -> tuple[str, ...]:
        """What no two rows of a file have in common."""
        return (*self.condition, self.seed, self.replica)

    @property
    def asked(self) -> Task:
        """The task."""
        offsets = tuple(map(int, self.offsets.split()))
        readings = dict(reading.split("=") for reading in self.readings.split())
        return Task(
            *(self.task, int(self.interval), offsets, self.waveform, float(self.tolerance)),
            first_spike_later=int(readings.get("first_spike_later", 0)),
            first_phase=int(readings.get("first_phase", 0)),
            gts_input=readings.get("gts_input", "throughout"),
        )

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
        ResultsError: other columns than this version's, a row that does not fit them, two rows of one replica.
    """
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        reader = csv.reader(file)
        header = next(reader, None)
        if header is None or tuple(header) != COLUMNS:
            unknown = ", ".join(sorted(set(header or ()) ^ set(COLUMNS))) or "their order"
            raise ResultsError(f"{path}: not the columns of timing-tasks {timing_tasks.__version__} (differing: {unknown})")
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


def _is_row(row: Row) -> bool:
    numbers = (row.replica, row.seed, row.training_streams, row.net_steps, row.test_size)
    try:
        [float(weight) for weight in row.weights.split()]
    except ValueError:
        return False
    return row.status in STATUSES and all(number.isdecimal() for number in numbers)


class _Lock:
    """An open lock file: taken until the last process that has it is gone, those among them that a run spawns."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __reduce__(self) -> tuple[object, ...]:
        return _received, (reduction.DupFd(self.descriptor),)


def _received(duplicate: Any) -> _Lock:
    return _Lock(duplicate.detach())


class ResultsFolder:
    """A folder with the rows of one run, what identifies that run, and its checkpoints.

    Args:
        path: the folder; it is made when the first thing is written.
        identity: what all rows of the folder have in common, as JSON would hold it.
        conditions: those of this run in full, by name, as JSON would hold them. The folder may have others, but none of the
            same name that differs.
    """

    def __init__(self, path: Path, identity: dict[str, object], conditions: dict[str, object]) -> None:
        self.path = path
        self.identity, self.conditions = json.loads(json.dumps([identity, conditions]))  # tuples are lists there
        self.rows_path = path / "runs.csv"
        self.identity_path = path / "run.json"
        self.checkpoints = path / "checkpoints"
        self._lock: _Lock | None = None

    def complete(self, wanted: Iterable[tuple[str, ...]]) -> list[Row] | None:
        """All rows of the folder, if it has those with the replica keys `wanted`, whatever engine made them; else None.

        Only reads: a folder that another run is writing, or that cannot be written, serves too.
        """
        try:
            self.check(("engine",))
            rows = read_rows(self.rows_path)
        except (ResultsError, OSError):
            return None  # opening it says what is wrong
        in_order = all(a.order <= b.order for a, b in itertools.pairwise(rows))
        return rows if in_order and {row.replica_key for row in rows}.issuperset(wanted) else None

    @contextmanager
    def opened(self) -> Iterator[list[Row]]:
        """Take the folder for this process; gives the rows that are there.

        Raises:
            ResultsError: the folder holds another run, or rows that cannot be read, or is in use, or cannot be written.
        """
        try:
            self.check()
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / "lock").open("w")
        except OSError as error:
            raise ResultsError(f"output={str(self.path)!r}: {error.strerror}; a folder that can be written is needed") from None
        with lock:
            self._lock = _Lock(lock.fileno())
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ResultsError(
                    f"output={str(self.path)!r}: another run is writing there; wait for it or choose another"
                ) from None
            known = self.check()  # again: another run may have come and gone in between
            if not known or self.conditions.keys() - known.keys():
                described = self.identity | {"conditions": known | self.conditions}
                write_whole(self.identity_path, json.dumps(described, indent=1, sort_keys=True) + "\n")
            yield self._recover()
        self._lock = None

    def check(self, but: Sequence[str] = ()) -> dict[str, object]:
        """The conditions that the folder holds; nothing is written.

        Args:
            but: what of the identity may differ.

        Raises:
            ResultsError: they are of another run.
        """
        if self.path.exists() and not self.path.is_dir():
            raise ResultsError(f"output={str(self.path)!r}: a file is there; a folder is needed")
        if self.identity_path.exists():
            try:
                found = json.loads(self.identity_path.read_text(encoding="utf-8"))
                known: dict[str, object] = dict(found.pop("conditions").items())
                expected = self.identity | {key: found.get(key) for key in but}
                differing = _differences(found, expected) or _differences(
                    {name: known[name] for name in known.keys() & self.conditions.keys()},
                    {name: self.conditions[name] for name in known.keys() & self.conditions.keys()},
                )
            except (ValueError, LookupError, AttributeError, TypeError, OSError) as error:
                raise ResultsError(f"{self.identity_path}: cannot be read ({error})") from None
            if differing:
                raise ResultsError(
                    f"output={str(self.path)!r}: holds the rows of another run ({'; '.join(differing[:3])}); choose another folder"
                )
            return known
        if self.rows_path.exists() or self.checkpoints.exists():
            raise ResultsError(f"output={str(self.path)!r}: holds rows of unknown origin (no run.json); choose another folder")
        return {}

    def _recover(self) -> list[Row]:
        """The rows that are there, after cutting off a last line that a kill or a full disk has torn."""
        if not self.rows_path.exists():
            return []
        content = self.rows_path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            with self.rows_path.open("r+b") as file:
                file.truncate(len(whole))
        return read_rows(self.rows_path) if whole else []

    def append(self, rows: Sequence[Row]) -> None:
        """Add rows: all of them, or none.

        Raises:
            ResultsError: the disk is full or cannot be written.
        """
        if not rows:
            return
        size = self.rows_path.stat().st_size if self.rows_path.exists() else 0
        text = _csv(rows, header=size == 0)
        try:
            with self.rows_path.open("ab") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            if self.rows_path.exists():
                os.truncate(self.rows_path, size)
            raise ResultsError(f"{self.rows_path}: {error.strerror}; mend that and repeat the command, nothing is lost") from None

    def finish(self) -> list[Row]:
        """Bring the rows, which came as the replicas finished, into an order that is the same for every run."""
        rows = read_rows(self.rows_path)
        ordered = sorted(rows, key=lambda row: row.order)
        if ordered != rows:
            write_whole(self.rows_path, _csv(ordered, header=True))
        return ordered


def _csv(rows: Sequence[Row], header: bool) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if header:
        writer.writerow(COLUMNS)
    writer.writerows(astuple(row) for row in rows)
    return text.getvalue()


def write_whole(path: Path, content: str | bytes) -> None:
    """The file has the content, or is as it was.

    Raises:
        ResultsError: the disk is full or cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_suffix(path.suffix + ".new")
    try:
        if path.exists() and path.read_bytes() == data:
            return
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ResultsError(f"{path}: {error.strerror}; mend that and repeat the command, nothing is lost") from None


def _differences(found: object, wanted: object, at: str = "") -> list[str]:
    """The places where two JSON values differ, as `key: theirs there, ours here`."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return [
            line
            for key in sorted(found.keys() | wanted.keys())
            for line in _differences(found.get(key), wanted.get(key), f"{at}.{key}" if at else key)
        ]
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        return [
            line for place, (a, b) in enumerate(zip(found, wanted, strict=True)) for line in _differences(a, b, f"{at}[{place}]")
        ]
    if found == wanted:
        return []
    if isinstance(found, (list, dict)) or isinstance(wanted, (list, dict)):
        return [f"{at} differs"]
    return [f"{at}: {found} there, {wanted} here"]
