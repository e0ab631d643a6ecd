"""Results folders: rows are appended as replicas finish, never overwritten or mixed with another run's."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import reduction
from pathlib import Path
from typing import IO, Any, TypeAlias

import portalocker

from timing_tasks.errors import ResultsError
from timing_tasks.results.budgets import kept, raised
from timing_tasks.results.row import Key, Row, read_rows, rows_text


class _Lock:
    """An open lock file: taken until the last process that has it is gone, those among them that a run spawns.

    Where descriptors cannot be handed on (Windows), it is taken until the first process of the run is gone.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __reduce__(self) -> tuple[object, ...]:
        if not hasattr(reduction, "DupFd"):
            return _Lock, (-1,)
        return _received, (reduction.DupFd(self.descriptor),)


def _received(duplicate: Any) -> _Lock:
    return _Lock(duplicate.detach())


def _take(lock: IO[str], folder: Path) -> None:
    """Raise ResultsError unless the lock of a folder can be taken."""
    try:
        portalocker.lock(lock, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
    except portalocker.AlreadyLocked:
        why = "another run is writing there; wait for it or choose another"
    except portalocker.LockException as error:
        cause = error.__cause__ if isinstance(error.__cause__, OSError) else None
        why = f"the file 'lock' cannot be locked ({cause.strerror if cause else error}); choose a folder elsewhere"
    else:
        return
    raise ResultsError(f"output={str(folder)!r}: {why}")


class ResultsFolder:
    """A folder with the rows of one run, what identifies that run, and its checkpoints.

    Args:
        path: the folder; it is made when the first thing is written.
        identity: what all rows of the folder have in common, as JSON would hold it.
        conditions: those of this run in full, by name, as JSON would hold them. The folder may have others, but none of
            the same name that differs, but for a budget that is smaller: its nets go on (see `budgets`).

    Attributes:
        going_on: how many nets a smaller budget had given up when the folder was opened.
    """

    def __init__(self, path: Path, identity: dict[str, object], conditions: dict[str, object]) -> None:
        self.path = path
        self.identity, self.conditions = json.loads(json.dumps([identity, conditions]))  # tuples are lists there
        self.rows_path = path / "runs.csv"
        self.identity_path = path / "run.json"
        self.checkpoints = path / "checkpoints"
        self.going_on = 0
        self._lock: _Lock | None = None

    def complete(self, wanted: Iterable[Key]) -> list[Row] | None:
        """All rows of the folder, if it has those with the replica keys `wanted`, whatever engine made them; else None.

        Only reads: a folder that another run is writing, or that cannot be written, serves too.
        """
        try:
            known = self.check(("engine",))
            rows = self._rows(known)
        except (ResultsError, OSError):
            return None  # opening it says what is wrong
        if len(kept(rows, raised(known, self.conditions))) < len(rows):
            return None
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
            raise ResultsError(
                f"output={str(self.path)!r}: {error.strerror}; a folder that can be written is needed"
            ) from None
        with lock:
            self._lock = _Lock(lock.fileno())
            _take(lock, self.path)
            known = self.check()  # again: another run may have come and gone in between
            larger = raised(known, self.conditions)
            self.going_on = self._let_go_on(known, larger) if larger else 0
            if not known or self.conditions.keys() - known.keys() or larger:
                described = self.identity | {"conditions": known | self.conditions}
                write_whole(self.identity_path, json.dumps(described, indent=1, sort_keys=True) + "\n")
            try:
                there = self._recover(known.keys() | self.conditions.keys())
            except OSError as error:
                raise ResultsError.of(self.rows_path, error) from None
            yield there
        self._lock = None

    def _let_go_on(self, known: Mapping[str, object], larger: Mapping[str, Mapping[str, int]]) -> int:
        """Take out the rows of the nets that go on with larger budgets, and say how many there are.

        `run.json` says later that the budgets are larger: until then the folder is one of the smaller ones with missing
        rows, whatever comes in between.
        """
        try:
            rows = self._recover(known)
        except OSError as error:
            raise ResultsError.of(self.rows_path, error) from None
        same = kept(rows, larger)
        if len(same) < len(rows):
            write_whole(self.rows_path, rows_text(same, header=True))
        return len(rows) - len(same)

    def check(self, but: Sequence[str] = ()) -> dict[str, Any]:
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
                known: dict[str, Any] = dict(found.pop("conditions").items())
                expected = self.identity | {key: found.get(key) for key in but}
                larger = raised(known, self.conditions)
                mine = {n: c | {"budget": known[n]["budget"]} if n in larger else c for n, c in self.conditions.items()}
                differing = differences((found, known), (expected, mine))
            except (ValueError, LookupError, AttributeError, TypeError, OSError) as error:
                raise ResultsError(f"{self.identity_path}: cannot be read ({error})") from None
            if differing:
                raise ResultsError(
                    f"output={str(self.path)!r}: holds the rows of another run ({'; '.join(differing[:3])}); choose "
                    "another folder"
                )
            return known
        if self.rows_path.exists() or self.checkpoints.exists():
            raise ResultsError(
                f"output={str(self.path)!r}: holds rows of unknown origin (no run.json); choose another folder"
            )
        return {}

    def _recover(self, conditions: Container[str]) -> list[Row]:
        """The rows of these conditions, after removing a last line that a kill or a full disk has torn."""
        if not self.rows_path.exists():
            return []
        content = self.rows_path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            with self.rows_path.open("r+b") as file:
                file.truncate(len(whole))
        return self._rows(conditions) if whole else []

    def _rows(self, conditions: Container[str]) -> list[Row]:
        """Those in the file.

        Raises:
            ResultsError: they cannot be read, or one is not of this run: of another version or seed, or of none of its
                conditions.
        """
        rows = read_rows(self.rows_path)
        mine = {"version": self.identity["version"], "seed": self.identity["seed"]}
        strange = {
            key for key, row in {row.condition: row for row in rows}.items() if row.condition_name not in conditions
        }
        for line, row in enumerate(rows, start=2):
            differing = _differences({key: getattr(row, key) for key in mine}, mine)
            differing += [row.condition_name] * (row.condition in strange)
            if differing:
                raise ResultsError(f"{self.rows_path}: line {line} is of another run ({'; '.join(differing)})")
        return rows

    def append(self, rows: Sequence[Row]) -> None:
        """Add rows: all of them, or none.

        Raises:
            ResultsError: the disk is full or cannot be written.
        """
        if not rows:
            return
        size = self.rows_path.stat().st_size if self.rows_path.exists() else 0
        text = rows_text(rows, header=size == 0)
        try:
            with self.rows_path.open("ab") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            if self.rows_path.exists():
                os.truncate(self.rows_path, size)
            raise ResultsError.of(self.rows_path, error) from None

    def finish(self) -> list[Row]:
        """Bring the rows, which came as the replicas finished, into an order that is the same for every run."""
        rows = read_rows(self.rows_path)
        ordered = sorted(rows, key=lambda row: row.order)
        if ordered != rows:
            write_whole(self.rows_path, rows_text(ordered, header=True))
        return ordered


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
        raise ResultsError.of(path, error) from None


Run: TypeAlias = tuple[
    Mapping[str, object], Mapping[str, object]
]  # what identifies it, and its conditions in full by name


def differences(there: Run, here: Run) -> list[str]:
    """Why two runs cannot share a folder, as `key: theirs there, ours here`; nothing if they can.

    What several conditions have in common is said once, without their names.
    """
    shared = there[1].keys() & here[1].keys()
    lines = [line for name in sorted(shared) for line in _differences(there[1][name], here[1][name])]
    return _differences(there[0], here[0]) or list(dict.fromkeys(lines))


def _differences(found: object, wanted: object, at: str = "") -> list[str]:
    """The places where two JSON values differ."""
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        return [
            line
            for key in sorted(found.keys() | wanted.keys())
            for line in _differences(found.get(key), wanted.get(key), f"{at}.{key}" if at else key)
        ]
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        return [
            line
            for place, (a, b) in enumerate(zip(found, wanted, strict=True))
            for line in _differences(a, b, f"{at}[{place}]")
        ]
    if found == wanted:
        return []
    if isinstance(found, (list, dict)) or isinstance(wanted, (list, dict)):
        return [f"{at} differs"]
    return [f"{at}: {found} there, {wanted} here"]
