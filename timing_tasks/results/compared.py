"""A result of ours set beside the paper's, and one net beside another: tests, and what they could have shown.

The paper reports ten nets a condition, and the mean number of training streams of those that solved it, with a number
after ±. It does not say what that number is. It is read as the standard error of the mean: divided by the mean it is
.09 to .14 in the paper; of our nets the standard error is .10 to .15 and the sample's standard deviation .32 to .48.

Solved nets: Fisher's exact test, two-sided, at 5%, the paper's percentage being of ten nets.

Training streams: Welch's t-test between the means over the solved nets, two-sided, at 5%.

Either is `undecided` where its numbers are missing: the paper's value or its ±, fewer than two solved nets on
either side for the means. And a net that was given up before the paper would have given it up might have been solved
later: the solved fraction then is too low and the mean too small, so that neither `fewer` nor `faster` nor `compatible`
is said. Means are taken over the nets that were solved while all nets were still in training, `Summary.comparable`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from timing_tasks.results.published import PAPERS_NETS, Published
from timing_tasks.results.row import Row
from timing_tasks.results.statistics import (
    SolvedStreams,
    Summary,
    fewest_given_up,
    shares_told_apart,
    solved_within,
)

COMPATIBLE, FASTER, SLOWER, MORE, FEWER = "compatible", "faster", "slower", "more", "fewer"
UNDECIDED = "undecided"
BETTER, WORSE, NO_DIFFERENCE = "better", "worse", "no difference"
PAPERS_BUDGET = {"nmsd": 10**8, "msd": 10**8, "gts": 10**7, "pfg": 10**7}  # training streams, PAPER.md 3
SIGNIFICANCE, POWER = 0.05, 0.8


@dataclass(frozen=True)
class Comparison:
    """What a test says of our nets beside the paper's.

    Attributes:
        said: `more`, `fewer`, `faster`, `slower`, `compatible` or `undecided`.
        p_value: of the test; NaN where nothing was tested.
        below: a true value of ours below this one would have been seen with a probability of 80%: the share of solved
            nets, or the mean streams as a multiple of the paper's. NaN where none would.
        above: a true value above this one would have been seen.
    """

    said: str
    p_value: float = math.nan
    below: float = math.nan
    above: float = math.nan


def is_cut_short(ours: Summary, task: str) -> bool:
    """Whether a net was given up before the paper would have given it up."""
    return ours.censored_at < PAPERS_BUDGET[task]


def compare_solved(ours: Summary, paper: Published) -> Comparison:
    """Solved nets, by the rule above: `more`, `fewer`, `compatible` or `undecided`."""
    if paper.solved is None:
        return Comparison(UNDECIDED)
    p_value = fisher((ours.solved, ours.nets), (paper.solved, PAPERS_NETS))
    apart = shares_told_apart(ours.nets, paper.solved, PAPERS_NETS, POWER, SIGNIFICANCE)
    if p_value < SIGNIFICANCE and ours.solved / ours.nets > paper.solved / PAPERS_NETS:
        return Comparison(MORE, p_value, *apart)
    if is_cut_short(ours, paper.task):
        return Comparison(UNDECIDED)
    return Comparison(FEWER if p_value < SIGNIFICANCE else COMPATIBLE, p_value, *apart)


def compare_streams(ours: Summary, paper: Published, as_standard_error: bool = True) -> Comparison:
    """Training streams, by the rule above: `faster`, `slower`, `compatible` or `undecided`.

    What would have been seen follows from the two standard errors as they are: (t_.975 + t_.8) times that of the
    difference, with Welch's degrees of freedom.

    Args:
        ours: at least one row.
        paper: its value.
        as_standard_error: how its ± is read; else as the standard deviation of the sample.
    """
    mine, its = ours.comparable, _streams_of(paper, as_standard_error)
    if mine.nets < 2 or its is None:
        return Comparison(UNDECIDED)
    result = stats.ttest_ind_from_stats(*mine, *its, equal_var=False)
    p_value, errors = float(result.pvalue), [some.deviation**2 / some.nets for some in (mine, its)]
    freedom = sum(errors) ** 2 / sum(e**2 / (some.nets - 1) for e, some in zip(errors, (mine, its), strict=True))
    seen = float(sum(stats.t.ppf([1 - SIGNIFICANCE / 2, POWER], freedom))) * math.sqrt(sum(errors)) / its.mean
    apart = 1 - seen if seen < 1 else math.nan, 1 + seen
    if p_value < SIGNIFICANCE and mine.mean > its.mean:
        return Comparison(SLOWER, p_value, *apart)
    if is_cut_short(ours, paper.task):
        return Comparison(UNDECIDED)
    return Comparison(FASTER if p_value < SIGNIFICANCE else COMPATIBLE, p_value, *apart)


def compare_papers_nets(first: Published, second: Published) -> str:
    """Whether the first of two of the paper's nets is `better` or `worse` than the second, or shows `no difference`.

    By the solved fraction, if that differs significantly; where it is the same, by the training streams: where fewer
    are solved, they may be the fastest, and their streams say nothing of the others'.
    """
    if first.solved is None or second.solved is None:
        return UNDECIDED
    streams = _streams_of(first), _streams_of(second)
    return _better((first.solved, PAPERS_NETS), (second.solved, PAPERS_NETS), *streams)


def compare_nets(first: Sequence[Row], second: Sequence[Row]) -> str:
    """The same of two conditions of ours, over as many training streams as every net of the two had."""
    limit = fewest_given_up(first, second)
    streams = [solved_within(rows, limit) for rows in (first, second)]
    shares = [(some.nets, len(rows)) for some, rows in zip(streams, (first, second), strict=True)]
    return _better(shares[0], shares[1], *(some if some.nets > 1 else None for some in streams))


def _better(
    first: tuple[int, int],
    second: tuple[int, int],
    first_streams: SolvedStreams | None,
    second_streams: SolvedStreams | None,
) -> str:
    share, other = (solved / nets for solved, nets in (first, second))
    if fisher(first, second) < SIGNIFICANCE:
        return BETTER if share > other else WORSE
    if share == other and first_streams is not None and second_streams is not None:
        result = stats.ttest_ind_from_stats(*first_streams, *second_streams, equal_var=False)
        if result.pvalue < SIGNIFICANCE:
            return BETTER if first_streams.mean < second_streams.mean else WORSE
    return NO_DIFFERENCE


def fisher(first: tuple[int, int], second: tuple[int, int]) -> float:
    """P-value of Fisher's exact test, two-sided, between two groups of nets: solved, and of how many."""
    return float(stats.fisher_exact([[solved, nets - solved] for solved, nets in (first, second)]).pvalue)


def _streams_of(paper: Published, as_standard_error: bool = True) -> SolvedStreams | None:
    """None where a mean or its ± is missing, or stands for fewer than two nets."""
    nets = paper.solved or 0
    if nets < 2 or math.isnan(paper.mean + paper.deviation):
        return None
    return SolvedStreams(paper.mean, paper.deviation * (math.sqrt(nets) if as_standard_error else 1), nets)
