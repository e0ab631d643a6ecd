import math

import numpy as np
import pytest
from scipy import stats

from tests.test_results import row
from timing_tasks.statistics import kaplan_meier_median, summarise, wilson_interval


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


def test_a_summary_counts_every_net():
    rows = [
        row(0, training_streams="10"),
        row(1, training_streams="20"),
        row(2, status="unsolved", training_streams="30"),
    ]
    rows.append(row(3, status="diverged", training_streams="1"))
    summary = summarise(rows)
    assert (summary.nets, summary.solved, summary.diverged) == (4, 2, 1)
    assert summary.mean == 15
    assert summary.deviation == pytest.approx(math.sqrt(50))
    assert summary.censored_at == 30
    assert summary.median == 20  # the diverged net, which never can be solved, is still at risk at 10 and 20
    assert summary.interval == wilson_interval(2, 4)


def test_a_summary_without_solved_nets():
    summary = summarise([row(0, status="unsolved", training_streams="30")])
    assert math.isnan(summary.mean)
    assert math.isnan(summary.deviation)
    assert summary.median == math.inf
