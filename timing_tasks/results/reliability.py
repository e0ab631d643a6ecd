"""Reliability of solved nets, from fresh test sets after training: `reliability.csv` beside the rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from timing_tasks.results.beside import KEY_COLUMNS, append_lines, read_lines, text_of_lines
from timing_tasks.results.folder import write_whole
from timing_tasks.results.row import Key, Row
from timing_tasks.results.statistics import proportion_interval

COLUMNS = (*KEY_COLUMNS, "test_sets", "passed", "streams_passed")


@dataclass(frozen=True)
class Reliability:
    """The result of a solved net's fresh test sets, each a solution (PAPER.md 3) that ends with the first failure.

    Attributes:
        test_sets: how many it ran.
        passed: how many of them without a wrong prediction.
        streams_passed: the test streams in them without one; every set that failed had one more.
    """

    test_sets: int
    passed: int
    streams_passed: int

    @property
    def share(self) -> float:
        """Of the test sets that it passed."""
        return self.passed / self.test_sets


def pooled(nets: Sequence[Reliability]) -> tuple[float, tuple[float, float]]:
    """The mean share over some nets, at least one, and its 95% interval.

    The nets are the sample, not their test sets: the interval is Wilson's for so many independent trials as would give
    the standard error over the nets, made wider for the few nets that it is known from (Korn and Graubard 1998); a net
    counts as one trial at least. NaN, NaN for a single net.
    """
    shares = np.array([net.share for net in nets])
    mean, count = float(shares.mean()), len(shares)
    if count < 2:
        return mean, (math.nan, math.nan)
    variance = float(shares.var(ddof=1)) / count
    if variance == 0:
        return mean, proportion_interval(mean, count)
    few = float(stats.norm.ppf(0.975) / stats.t.ppf(0.975, count - 1)) ** 2
    trials = min(few * mean * (1 - mean) / variance, sum(net.test_sets for net in nets))
    return mean, proportion_interval(mean, max(trials, count))


def append_reliability(folder: Path, found: Mapping[Key, Reliability]) -> None:
    """Add what nets did, by `Row.replica_key`, to the file of a folder."""
    append_lines(folder / "reliability.csv", COLUMNS, {key: _texts(one) for key, one in found.items()})


def read_reliability(folder: Path) -> dict[Key, Reliability]:
    """What nets did by `Row.replica_key`; nothing of a file that is not there, nor of lines that a kill has torn.

    Raises:
        ResultsError: the file cannot be read.
    """
    return read_lines(folder / "reliability.csv", COLUMNS, _reliability)


def finish_reliability(folder: Path, rows: Sequence[Row]) -> None:
    """Sort the file in the order of the rows, so that interruptions of the measurement leave no trace."""
    found = read_reliability(folder)
    ordered = {row.replica_key: _texts(found[row.replica_key]) for row in rows if row.replica_key in found}
    write_whole(folder / "reliability.csv", text_of_lines(COLUMNS, ordered, header=True))


def _texts(one: Reliability) -> list[str]:
    return [str(one.test_sets), str(one.passed), str(one.streams_passed)]


def _reliability(texts: Sequence[str]) -> Reliability:
    sets, passed, streams = map(int, texts)
    if not 0 <= passed <= sets or sets < 1 or streams < passed:
        raise ValueError(f"{texts} are no numbers of test sets")
    return Reliability(sets, passed, streams)
