"""Statistics of a condition's rows. A net that was given up is a censored observation, never one that is left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from timing_tasks.results.row import Row


def wilson_interval(solved: int, nets: int, confidence: float = 0.95) -> tuple[float, float]:
    """The Wilson score interval of a proportion, as two fractions."""
    interval = stats.binomtest(solved, nets).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def kaplan_meier(streams: Sequence[float], solved: Sequence[bool]) -> tuple[np.ndarray, np.ndarray]:
    """The Kaplan-Meier estimate of the unsolved fraction: the times of its steps and its values from there on.

    Args:
        streams: training streams needed by a solved net, spent by another.
        solved: which nets are solved; the others are censored.
    """
    times, events = np.asarray(streams, dtype=float), np.asarray(solved, dtype=bool)
    survival = stats.ecdf(stats.CensoredData(uncensored=times[events], right=times[~events])).sf
    return survival.quantiles, survival.probabilities


def kaplan_meier_median(streams: Sequence[float], solved: Sequence[bool]) -> float:
    """The number of training streams by which half of the nets are solved; infinity if that is not reached.

    The first time at which the Kaplan-Meier estimate is at most one half. For the arguments see `kaplan_meier`.
    """
    times, unsolved = kaplan_meier(streams, solved)
    reached = times[unsolved <= 0.5 + 1e-12]
    return float(reached[0]) if len(reached) else math.inf


def restricted_mean(streams: Sequence[float], solved: Sequence[bool], limit: float) -> float:
    """The mean number of training streams, where a net that needs more than `limit` counts as `limit`.

    The area under the Kaplan-Meier estimate up to the limit. For the other arguments see `kaplan_meier`.
    """
    times, unsolved = kaplan_meier(streams, solved)
    before = times < limit
    edges = np.concatenate([[0.0], times[before], [limit]])
    return float(np.sum(np.diff(edges) * np.concatenate([[1.0], unsolved[before]])))


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
        restricted_mean: over all nets, up to the longest time that any was observed.
        censored_at: the fewest streams at which a net was given up; infinity if none was.
        diverged: how many nets diverged.
        rmse: root mean square errors of the test streams that solved the nets, their mean; NaN without one.
        rmse_deviation: their sample standard deviation; NaN with fewer than two.
    """

    nets: int
    solved: int
    interval: tuple[float, float]
    mean: float
    deviation: float
    median: float
    restricted_mean: float
    censored_at: float
    diverged: int
    rmse: float
    rmse_deviation: float

    @property
    def standard_error(self) -> float:
        """Of the mean."""
        return self.deviation / math.sqrt(self.solved) if self.solved else math.nan


def observations(rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray]:
    """Training streams and which nets are solved, [rows] each, as the censored estimates take them.

    A diverged net can never be solved: it counts as unsolved at the longest time that any net was observed, rather than
    as censored when it diverged, which would say that it might have done as well as the others.
    """
    streams = np.array([row.training_streams for row in rows], dtype=np.float64)
    diverged = np.array([row.status == "diverged" for row in rows])
    return np.where(diverged, streams.max(), streams), np.array([row.is_solved for row in rows])


def summarise(rows: Sequence[Row]) -> Summary:
    """The summary of one condition's rows, at least one; see `observations` for diverged nets."""
    streams, solved = observations(rows)
    given_up = [float(row.training_streams) for row in rows if row.status == "unsolved"]
    mean, deviation = _mean_and_deviation(streams[solved])
    rmse, rmse_deviation = _mean_and_deviation(np.array([row.rmse for row in rows if row.rmse is not None]))
    return Summary(
        nets=len(rows),
        solved=int(solved.sum()),
        interval=wilson_interval(int(solved.sum()), len(rows)),
        mean=mean,
        deviation=deviation,
        median=kaplan_meier_median(streams.tolist(), solved.tolist()),
        restricted_mean=restricted_mean(streams.tolist(), solved.tolist(), float(streams.max())),
        censored_at=min(given_up, default=math.inf),
        diverged=sum(row.status == "diverged" for row in rows),
        rmse=rmse,
        rmse_deviation=rmse_deviation,
    )


def _mean_and_deviation(values: np.ndarray) -> tuple[float, float]:
    mean = float(values.mean()) if len(values) else math.nan
    return mean, float(values.std(ddof=1)) if len(values) > 1 else math.nan


@dataclass(frozen=True)
class LogRank:
    """How two groups of nets differ in when they are solved.

    Attributes:
        p_value: of the two-sided log-rank test; NaN if no net is solved.
        ratio: the effect size: how many times as often, at any moment, an unsolved net of the first group gets solved
            as one of the second (the hazard ratio, Peto's estimate exp((O - E) / V)); above 1 the first is faster.
        interval: of the ratio, 95%.
    """

    p_value: float
    ratio: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class PairedRatio:
    """How many times as many training streams the nets of one group took as their partners of the other.

    Attributes:
        pairs: in which both nets are solved; the others have no ratio.
        ratio: the geometric mean over them; NaN without one.
        interval: of the geometric mean, 95%, by Student's t of the logarithms; NaN with fewer than two.
        earlier: pairs in which the net of the first group is solved earlier, or alone though given up no sooner.
        later: likewise of the second group.
        p_value: of the two-sided sign test between the two; NaN without any.
    """

    pairs: int
    ratio: float
    interval: tuple[float, float]
    earlier: int
    later: int
    p_value: float


def paired_ratio(first: Sequence[Row], second: Sequence[Row]) -> PairedRatio:
    """Compare nets of two conditions that have seed and replica, and so all they draw, in common."""
    partners = {(row.seed, row.replica): row for row in second}
    pairs = [(row, partners[row.seed, row.replica]) for row in first if (row.seed, row.replica) in partners]
    both = np.log([a.training_streams / b.training_streams for a, b in pairs if a.is_solved and b.is_solved])
    mean, deviation = _mean_and_deviation(both)
    width = float(stats.t.ppf(0.975, len(both) - 1)) * deviation / math.sqrt(len(both)) if len(both) > 1 else math.nan
    earlier = sum(_is_earlier(a, b) for a, b in pairs)
    later = sum(_is_earlier(b, a) for a, b in pairs)
    p_value = float(stats.binomtest(earlier, earlier + later).pvalue) if earlier + later else math.nan
    return PairedRatio(
        len(both), math.exp(mean), (math.exp(mean - width), math.exp(mean + width)), earlier, later, p_value
    )


def _is_earlier(one: Row, other: Row) -> bool:
    """Whether it is known that one net is solved with fewer training streams than the other."""
    if not one.is_solved or other.status == "diverged":
        return one.is_solved
    return one.training_streams < other.training_streams + (other.status == "unsolved")


def log_rank(first: Sequence[Row], second: Sequence[Row]) -> LogRank:
    """Compare the rows of two conditions, at least one each; see `observations` for diverged nets."""
    (times_1, solved_1), (times_2, solved_2) = observations(first), observations(second)
    last = max(times_1.max(), times_2.max())
    for rows, times in ((first, times_1), (second, times_2)):
        times[[row.status == "diverged" for row in rows]] = last
    observed_less_expected = variance = 0.0
    for time in np.unique(np.concatenate([times_1[solved_1], times_2[solved_2]])):
        at_risk_1, at_risk = np.sum(times_1 >= time), np.sum(times_1 >= time) + np.sum(times_2 >= time)
        events_1 = np.sum((times_1 == time) & solved_1)
        events = events_1 + np.sum((times_2 == time) & solved_2)
        share = at_risk_1 / at_risk
        observed_less_expected += events_1 - events * share
        if at_risk > 1:
            variance += events * share * (1 - share) * (at_risk - events) / (at_risk - 1)
    if variance == 0:
        return LogRank(math.nan, math.nan, (0.0, math.inf))
    z = stats.norm.ppf(0.975)
    estimate, width = observed_less_expected / variance, z / math.sqrt(variance)
    return LogRank(
        p_value=float(2 * stats.norm.sf(abs(observed_less_expected) / math.sqrt(variance))),
        ratio=math.exp(estimate),
        interval=(math.exp(estimate - width), math.exp(estimate + width)),
    )
