import math

import numpy as np
import pytest
from scipy import integrate, stats

from tests.helpers.rows import row, rows
from timing_tasks.results.statistics import (
    holm,
    kaplan_meier_median,
    log_rank,
    paired_ratio,
    restricted_mean,
    shares_told_apart,
    summarise,
    wilson_interval,
)


@pytest.mark.parametrize(("solved", "nets"), [(0, 10), (3, 10), (10, 10), (57, 100)])
def test_wilson_interval_is_scipys(solved: int, nets: int):
    theirs = stats.binomtest(solved, nets).proportion_ci(method="wilson")
    assert wilson_interval(solved, nets) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_kaplan_meier_median_by_hand():
    # At 1: 5 at risk, S = 4/5. At 2 one is censored. At 3: 3 at risk, S = 8/15. At 4: 2 at risk, S = 4/15.
    assert kaplan_meier_median([1, 2, 3, 4, 5], [True, False, True, True, False]) == 4


def test_kaplan_meier_median_without_censoring_is_the_lower_median():
    streams = [5.0, 1.0, 9.0, 7.0]
    assert kaplan_meier_median(streams, [True] * 4) == np.sort(streams)[1]


def test_kaplan_meier_median_is_infinite_if_too_few_are_solved():
    assert kaplan_meier_median([1, 9, 9, 9], [True, False, False, False]) == math.inf
    assert kaplan_meier_median([9, 9], [False, False]) == math.inf


def test_restricted_mean_by_hand():
    # As above: 1 up to 1, then 4/5 up to 3, 8/15 up to 4, 4/15 up to 5.
    assert restricted_mean([1, 2, 3, 4, 5], [True, False, True, True, False], 5) == pytest.approx(
        1 + 8 / 5 + 8 / 15 + 4 / 15
    )
    assert restricted_mean([1, 2, 3, 4, 5], [True, False, True, True, False], 2) == pytest.approx(1 + 4 / 5)


def test_restricted_mean_without_censoring_is_the_mean():
    assert restricted_mean([5, 1, 9, 7], [True] * 4, 9) == pytest.approx(5.5)
    assert restricted_mean([5, 1, 9, 7], [True] * 4, 6) == pytest.approx((5 + 1 + 6 + 6) / 4)


def test_restricted_mean_is_the_area_under_scipys_estimate():
    generator = np.random.default_rng(1)
    times, solved = generator.exponential(10, 30), generator.random(30) < 0.7
    survival = stats.ecdf(stats.CensoredData(uncensored=times[solved], right=times[~solved])).sf
    points = np.sort(times)
    area = sum(
        integrate.quad(survival.evaluate, low, high)[0]
        for low, high in zip([0, *points[:-1]], points, strict=True)
        if low < 12
    )
    cut_off = integrate.quad(survival.evaluate, 12, points[points >= 12].min())[0]
    assert restricted_mean(times.tolist(), solved.tolist(), 12.0) == pytest.approx(area - cut_off, rel=1e-6)


def test_a_summary_counts_every_net():
    summary = summarise(rows([10, 20], [30], [1]))
    assert (summary.nets, summary.solved, summary.diverged) == (4, 2, 1)
    assert summary.mean == 15
    assert summary.deviation == pytest.approx(math.sqrt(50))
    assert summary.standard_error == pytest.approx(5)
    assert summary.censored_at == 30
    assert summary.median == 20  # the diverged net, which never can be solved, is still at risk at 10 and 20
    assert summary.restricted_mean == pytest.approx((10 + 20 + 30 + 30) / 4)
    assert summary.interval == wilson_interval(2, 4)
    assert summary.rmse == pytest.approx(0.1)


def test_a_summary_without_solved_nets():
    summary = summarise(rows([], [30]))
    assert math.isnan(summary.mean)
    assert math.isnan(summary.deviation)
    assert math.isnan(summary.rmse)
    assert summary.median == math.inf
    assert summary.restricted_mean == 30


def test_log_rank_is_scipys():
    generator = np.random.default_rng(2)
    for _ in range(20):
        one, other = generator.integers(1, 30, 12), generator.integers(5, 40, 9)  # with ties
        one[8:] += 9
        other[7:] += 9
        result = log_rank(rows(one[:8].tolist(), one[8:].tolist()), rows(other[:7].tolist(), other[7:].tolist()))
        limit = min(*one[8:], *other[7:])
        censored = [
            stats.CensoredData.right_censored(np.minimum(t, limit), (np.arange(len(t)) >= n) | (t > limit))
            for t, n in ((one, 8), (other, 7))
        ]
        expected = stats.logrank(*censored)
        assert result.p_value == pytest.approx(expected.pvalue, rel=1e-9)
        assert (result.ratio > 1) == (expected.statistic > 0) or result.p_value > 0.99


def test_the_rate_ratio_by_hand():
    # At 1 one of 2 + 2 at risk is solved, of the first group: E = 1/2, V = 1/4. At 2 one of 1 + 2, of the first: E =
    # 1/3, V = 2/9. At 3 only the second group is left.
    result = log_rank(rows([1, 2]), rows([3, 4]))
    observed_less_expected, variance = 2 - 1 / 2 - 1 / 3, 1 / 4 + 2 / 9
    assert result.ratio == pytest.approx(math.exp(observed_less_expected / variance))
    width = 1.959963984540054 / math.sqrt(variance)
    middle = observed_less_expected / variance
    assert result.interval == pytest.approx((math.exp(middle - width), math.exp(middle + width)))


def test_a_diverged_net_is_at_risk_to_the_end():
    assert log_rank(rows([5, 6], [], [1]), rows([7, 8])) == log_rank(rows([5, 6], [8]), rows([7, 8]))


def test_there_is_nothing_to_compare_without_solved_nets():
    result = log_rank(rows([], [5]), rows([], [9]))
    assert math.isnan(result.p_value)
    assert math.isnan(result.ratio)


def test_the_paired_ratio_by_hand():
    # Ratios 1/2, 1/8 and 1/4 of three pairs; in the fourth one net is not solved.
    result = paired_ratio(rows([50, 100, 200, 7]), rows([100, 800, 800], [9]))
    assert result.pairs == 3
    assert result.ratio == pytest.approx(1 / 4)
    logs = np.log([1 / 2, 1 / 8, 1 / 4])
    expected = np.exp(stats.t.interval(0.95, 2, loc=logs.mean(), scale=stats.sem(logs)))
    assert result.interval == pytest.approx(tuple(expected))


def test_pairs_have_seed_and_replica_in_common():
    one = [row(3, training_streams=8, seed=1), row(4, training_streams=8, seed=1)]
    other = [row(4, training_streams=2, seed=1), row(3, training_streams=2, seed=2)]
    assert paired_ratio(one, other).pairs == 1
    assert paired_ratio(one, other).ratio == pytest.approx(4)
    assert math.isnan(paired_ratio(one, other).interval[0])
    assert math.isnan(paired_ratio(one, []).ratio)


def test_holm_by_hand():
    # In order: .01 * 4, .02 * 3 = .06, .03 * 2 = .06, .04 * 1, not below the one before.
    assert holm([0.03, 0.01, math.nan, 0.04, 0.02]) == pytest.approx([0.06, 0.04, math.nan, 0.06, 0.06], nan_ok=True)
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize(("nets", "solved"), [(10, 10), (10, 3), (50, 8), (10, 0), (100, 5)])
def test_a_share_that_would_have_been_seen_is_seen_in_four_of_five_experiments(nets: int, solved: int):
    def seen(share: float, side: int) -> float:
        significant = [
            k
            for k in range(nets + 1)
            if stats.fisher_exact([[k, nets - k], [solved, 10 - solved]]).pvalue < 0.05
            and side * (k / nets - solved / 10) > 0
        ]
        return float(stats.binom.pmf(significant, nets, share).sum())

    for share, side in zip(shares_told_apart(nets, solved, 10), (-1, 1), strict=True):
        if math.isnan(share):
            assert seen(0.0 if side < 0 else 1.0, side) == 0
        else:
            assert seen(share, side) == pytest.approx(0.8)
    assert math.isnan(shares_told_apart(10, 0, 10)[0])
    assert math.isnan(shares_told_apart(10, 10, 10)[1])


def test_censoring_that_depends_on_progress_does_not_count():
    # The net that was given up first had fewer streams than the others needed: nothing is known of more than 10.
    one = summarise(rows([20, 30, 40], [10]))
    assert (one.solved, one.median, one.censored_at) == (3, math.inf, 10)
    assert summarise(rows([20, 30, 40], [35])).median == 30
    assert log_rank(rows([20, 30], [10]), rows([40, 50])).p_value is not None
    assert math.isnan(log_rank(rows([20, 30], [10]), rows([40, 50])).p_value)
    pair = paired_ratio(rows([20, 30]), rows([], [10, 40]))
    assert (pair.earlier, pair.later) == (0, 0)
