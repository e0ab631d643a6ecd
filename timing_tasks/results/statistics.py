"""Statistics of a condition's rows. A net that was given up is a censored observation, never one that is left out."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import stats

from timing_tasks.results.row import Row


def wilson_interval(solved: int, nets: int) -> tuple[float, float]:
    """The 95% Wilson score interval of a proportion, as two fractions."""
    return proportion_interval(solved / nets, nets)


def proportion_interval(share: float, trials: float) -> tuple[float, float]:
    """The 95% Wilson score interval of a share of trials, possibly not whole (an effective sample size)."""
    z = float(stats.norm.ppf(0.975))
    middle = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return max(0.0, middle - half), min(1.0, middle + half)


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


class SolvedStreams(NamedTuple):
    """Training streams of solved nets: mean (NaN if none), sample deviation (NaN with fewer than two), number."""

    mean: float
    deviation: float
    nets: int


@dataclass(frozen=True)
class Summary:
    """A condition in numbers.

    Attributes:
        nets: how many rows.
        solved: how many of them are solved.
        interval: the 95% Wilson interval of the solved fraction.
        mean: training streams over the solved nets; NaN without one.
        deviation: their sample standard deviation; NaN with fewer than two.
        comparable: over the nets solved by `censored_at`, so many streams as every net had.
        median: over all nets; infinity if fewer than half are solved by `censored_at`.
        restricted_mean: over all nets, each counted up to `censored_at` or, if none was given up, to the longest time.
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
    comparable: SolvedStreams
    median: float
    restricted_mean: float
    censored_at: float
    diverged: int
    rmse: float
    rmse_deviation: float

    @property
    def standard_error(self) -> float:
        """The standard error of the mean."""
        return self.deviation / math.sqrt(self.solved) if self.solved else math.nan


def observations(rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray]:
    """Training streams and which nets are solved, [rows] each, as the censored estimates take them.

    A diverged net can never be solved: it counts as unsolved at the longest time that any net was observed, rather than
    as censored when it diverged, which would say that it might have done as well as the others.
    """
    streams = np.array([row.training_streams for row in rows], dtype=np.float64)
    diverged = np.array([row.status == "diverged" for row in rows])
    return np.where(diverged, streams.max(), streams), np.array([row.is_solved for row in rows])


def fewest_given_up(*groups: Sequence[Row]) -> float:
    """The fewest training streams at which a net of some groups was given up; infinity if none was."""
    return min((row.training_streams for rows in groups for row in rows if row.status == "unsolved"), default=math.inf)


def within(streams: np.ndarray, solved: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Observations as they would be with a budget of `limit` training streams.

    A budget in net-steps ends nets after different numbers of streams, the fewest for those that get furthest in each:
    when a net is censored then depends on its progress, which no estimate for censored observations allows. Up to the
    fewest streams at which any net was given up, all nets are observed alike.
    """
    return np.minimum(streams, limit), solved & (streams <= limit)


def solved_within(rows: Sequence[Row], limit: float) -> SolvedStreams:
    """Training streams of the nets that are solved with at most `limit`."""
    streams = np.array([row.training_streams for row in rows if row.is_solved and row.training_streams <= limit])
    return SolvedStreams(*_mean_and_deviation(streams), len(streams))


def summarise(rows: Sequence[Row]) -> Summary:
    """The summary of one condition's rows, at least one; see `observations` for diverged nets."""
    streams, solved = observations(rows)
    censored_at = fewest_given_up(rows)
    mean, deviation = _mean_and_deviation(streams[solved])
    alike, solved_alike = within(streams, solved, censored_at)
    rmse, rmse_deviation = _mean_and_deviation(np.array([row.rmse for row in rows if row.rmse is not None]))
    return Summary(
        nets=len(rows),
        solved=int(solved.sum()),
        interval=wilson_interval(int(solved.sum()), len(rows)),
        mean=mean,
        deviation=deviation,
        comparable=solved_within(rows, censored_at),
        median=kaplan_meier_median(alike.tolist(), solved_alike.tolist()),
        restricted_mean=restricted_mean(alike.tolist(), solved_alike.tolist(), float(alike.max())),
        censored_at=censored_at,
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
        earlier: pairs in which the net of the first group is solved earlier, or alone, by the fewest streams at which
            any net of the two groups was given up.
        later: the same for the second group.
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
    limit = fewest_given_up(first, second)
    times = [
        tuple(row.training_streams if row.is_solved and row.training_streams <= limit else math.inf for row in pair)
        for pair in pairs
    ]
    earlier, later = sum(a < b for a, b in times), sum(b < a for a, b in times)
    p_value = float(stats.binomtest(earlier, earlier + later).pvalue) if earlier + later else math.nan
    return PairedRatio(
        len(both), math.exp(mean), (math.exp(mean - width), math.exp(mean + width)), earlier, later, p_value
    )


def log_rank(first: Sequence[Row], second: Sequence[Row]) -> LogRank:
    """Compare the rows of two conditions, at least one each, over as many streams as all of them had; see `within`.

    For diverged nets see `observations`.
    """
    (times_1, solved_1), (times_2, solved_2) = observations(first), observations(second)
    last = max(times_1.max(), times_2.max())
    for rows, times in ((first, times_1), (second, times_2)):
        times[[row.status == "diverged" for row in rows]] = last
    limit = fewest_given_up(first, second)
    (times_1, solved_1), (times_2, solved_2) = within(times_1, solved_1, limit), within(times_2, solved_2, limit)
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


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for how many there are, in their order (Holm 1979); NaN, for no test, stays and does not count.

    Where all hypotheses hold, one of the adjusted p-values is below 5% in at most 5% of tables.
    """
    known = sorted((p, place) for place, p in enumerate(p_values) if not math.isnan(p))
    adjusted, largest = [math.nan] * len(p_values), 0.0
    for rank, (p, place) in enumerate(known):
        largest = max(largest, min(1.0, p * (len(known) - rank)))
        adjusted[place] = largest
    return adjusted


@functools.cache
def shares_told_apart(
    nets: int, solved: int, of: int, power: float = 0.8, significance: float = 0.05
) -> tuple[float, float]:
    """The true shares of solved nets below and above which Fisher's test would have found a difference.

    The given result, `solved` nets of `of`, is taken as it is. A share is seen if `nets` nets that solve the task with
    that probability come out significantly fewer (or more) in at least `power` of all experiments.

    Returns:
        The largest share below the given one that is seen and the smallest above it; NaN where no result of so many
        nets would be significant.
    """
    differs = [
        stats.fisher_exact([[k, nets - k], [solved, of - solved]]).pvalue < significance for k in range(nets + 1)
    ]
    fewer = [k for k in range(nets + 1) if differs[k] and k * of < solved * nets]
    more = [k for k in range(nets + 1) if differs[k] and k * of > solved * nets]
    # P(at most k of n) with the share p is a beta distribution's tail in p.
    below = float(stats.beta.ppf(1 - power, max(fewer) + 1, nets - max(fewer))) if fewer else math.nan
    above = float(stats.beta.ppf(power, min(more), nets - min(more) + 1)) if more else math.nan
    return below, above
