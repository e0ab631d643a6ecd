"""Statistics of a condition's rows. A net that was given up is a censored observation, never one that is left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from timing_tasks.results import Row


def wilson_interval(solved: int, nets: int, confidence: float = 0.95) -> tuple[float, float]:
    """The Wilson score interval of a proportion, as two fractions."""
    interval = stats.binomtest(solved, nets).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def kaplan_meier_median(streams: Sequence[float], solved: Sequence[bool]) -> float:
    """The number of training streams by which half of the nets are solved; infinity if that is not reached.

    The first time at which the Kaplan-Meier estimate of the unsolved fraction is at most one half.

    Args:
        streams: training streams needed by a solved net, spent by another.
        solved: which nets are solved; the others are censored.
    """
    times, events = np.asarray(streams, dtype=float), np.asarray(solved, dtype=bool)
    survival = stats.ecdf(stats.CensoredData(uncensored=times[events], right=times[~events])).sf
    reached = survival.quantiles[survival.probabilities <= 0.5 + 1e-12]
    return float(reached[0]) if len(reached) else math.inf


@dataclass(frozen=True)
class Summary:
    """A condition in numbers.

    Attributes:
        nets: how many rows.
        solved: how many of them are solved.
        interval: the 95% Wilson interval of the solved fraction.
        mean: training streams over the solved nets; NaN without one.
        deviation: their sample standard deviation; NaN with fewer than two.
        median: Kaplan-Meier, over all nets; infinity if fewer than half are solved.
        censored_at: the fewest streams at which a net was given up; infinity if none was.
        diverged: how many nets diverged.
    """

    nets: int
    solved: int
    interval: tuple[float, float]
    mean: float
    deviation: float
    median: float
    censored_at: float
    diverged: int


def summarise(rows: Sequence[Row]) -> Summary:
    """The summary of one condition's rows, at least one.

    A diverged net can never be solved: for the median it counts as unsolved at the longest time that any net was observed,
    rather than as censored when it diverged, which would say that it might have done as well as the others.
    """
    solved = np.array([row.status == "solved" for row in rows])
    diverged = np.array([row.status == "diverged" for row in rows])
    streams = np.array([float(row.training_streams) for row in rows])
    observed = np.where(diverged, streams.max(), streams)
    needed = streams[solved]
    given_up = streams[~solved & ~diverged]
    return Summary(
        nets=len(rows),
        solved=int(solved.sum()),
        interval=wilson_interval(int(solved.sum()), len(rows)),
        mean=float(needed.mean()) if len(needed) else math.nan,
        deviation=float(needed.std(ddof=1)) if len(needed) > 1 else math.nan,
        median=kaplan_meier_median(observed.tolist(), solved.tolist()),
        censored_at=float(given_up.min()) if len(given_up) else math.inf,
        diverged=int(diverged.sum()),
    )
