import math

import numpy as np
import pytest
from scipy import integrate, stats

from tests.helpers.rows import row, rows
from timing_tasks.results.statistics import (
    kaplan_meier_median,
    log_rank,
    paired_ratio,
    restricted_mean,
    summarise,
    wilson_interval,
)


@pytest.mark.parametrize(("solved", "nets"), [(0, 10), (3, 10), (10, 10), (57, 100)])
def test_wilson_interval_is_its_formula(solved: int, nets: int):
    z, p = stats.norm.ppf(0.975), solved / nets
    middle = (p + z**2 / (2 * nets)) / (1 + z**2 / nets)
    half = z / (1 + z**2 / nets) * math.sqrt(p * (1 - p) / nets + z**2 / (4 * nets**2))
    assert wilson_interval(solved, nets) == pytest.approx((max(0, middle - half), min(1, middle + half)), abs=1e-12)


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
        result = log_rank(rows(one[:8].tolist(), one[8:].tolist()), rows(other[:7].tolist(), other[7:].tolist()))
        censored = [stats.CensoredData(uncensored=t[:n], right=t[n:]) for t, n in ((one, 8), (other, 7))]
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
