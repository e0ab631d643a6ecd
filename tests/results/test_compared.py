"""Our nets beside the paper's, by hand and by scipy."""

import math

import numpy as np
import pytest
from scipy import stats

from tests.helpers.published import paper
from tests.helpers.rows import row, rows
from timing_tasks.results.compared import (
    compare_nets,
    compare_solved,
    compare_streams,
)
from timing_tasks.results.statistics import summarise

FULL = 10**7  # the paper's budget for GTS


@pytest.mark.parametrize(
    ("solved", "given_up_at", "percent", "said"),
    [
        (10, FULL, "100", "compatible"),
        (7, FULL, "100", "compatible"),  # Fisher: p = 0.21
        (5, FULL, "100", "fewer"),  # p = 0.03
        (6, FULL, "100", "compatible"),  # p = 0.09
        (5, FULL - 1, "100", "undecided"),
        (10, FULL, "50", "more"),
        (9, FULL - 1, "20", "more"),
        (9, FULL, "", "undecided"),
        (0, FULL, "0", "compatible"),
    ],
)
def test_the_solved_fraction_is_compared_by_fishers_test(solved: int, given_up_at: int, percent: str, said: str):
    ours = summarise(rows([1000 + k for k in range(solved)], [given_up_at] * (10 - solved)))
    assert compare_solved(ours, paper(percent)).said == said


OURS = [90_000 + 2_000 * k for k in range(10)]  # mean 99,000, deviation 6055


@pytest.mark.parametrize(
    ("mean", "deviation", "said"),
    [
        ("100", "10", "compatible"),
        ("110", "5", "compatible"),  # as an error of the mean the ± leaves room
        ("110", "1", "faster"),
        ("90", "1", "slower"),
        ("90", "5", "compatible"),
        ("100", "", "undecided"),
        ("-", "", "undecided"),
    ],
)
def test_the_streams_are_compared_with_the_papers_error_of_the_mean(mean: str, deviation: str, said: str):
    assert compare_streams(summarise(rows(OURS)), paper("100", mean, deviation)).said == said


@pytest.mark.parametrize(("deviation", "said"), [("2.0", "faster"), ("2.5", "compatible")])
def test_welchs_test_by_its_formula(deviation: str, said: str):
    ours = summarise(rows(OURS))
    of_ours, of_theirs = ours.deviation**2 / 10, (1000 * float(deviation)) ** 2  # squared errors of the means
    freedom = (of_ours + of_theirs) ** 2 / (of_ours**2 / 9 + of_theirs**2 / 9)
    p_value = 2 * stats.t.sf(abs(ours.mean - 105_000) / math.sqrt(of_ours + of_theirs), freedom)
    assert (p_value < 0.05) == (said == "faster")
    assert compare_streams(ours, paper("100", "105", deviation)).said == said


def test_a_run_cut_short_may_be_slower_but_is_never_faster():
    cut = summarise(rows(OURS[:9], [200_000]))
    assert compare_streams(cut, paper("100", "50", "1")).said == "slower"
    assert compare_streams(cut, paper("100", "500", "1")).said == "undecided"
    assert compare_streams(cut, paper("100", "99", "9")).said == "undecided"


def test_a_mean_needs_two_nets():
    assert compare_streams(summarise(rows([5])), paper("100", "99", "9")).said == "undecided"
    assert compare_streams(summarise(rows(OURS)), paper("10", "99", "9")).said == "undecided"


def test_the_other_reading_of_the_papers_error_says_more():
    ours = summarise(rows(OURS))
    assert compare_streams(ours, paper("100", "110", "5")).said == "compatible"
    assert compare_streams(ours, paper("100", "110", "5"), as_standard_error=False).said == "faster"


def test_what_would_have_been_seen_of_the_streams_is_seen_in_four_of_five_experiments():
    one = compare_streams(summarise(rows(OURS)), paper("100", "100", "3"))
    generator = np.random.default_rng(1)
    ours = summarise(rows(OURS)).deviation
    seen = {}
    for factor in (one.below, one.above):
        first = generator.normal(1e5 * factor, ours, (4000, 10))
        second = generator.normal(1e5, 3e3 * math.sqrt(10), (4000, 10))
        seen[factor] = np.mean(stats.ttest_ind(first, second, axis=1, equal_var=False).pvalue < 0.05)
    assert all(share == pytest.approx(0.8, abs=0.03) for share in seen.values())


def test_means_are_compared_over_as_many_streams_as_all_nets_had():
    # One net is given up at 95,000: the five that were solved later don't count, though they are solved.
    ours = summarise(rows(OURS, [95_000]))
    assert (ours.solved, ours.comparable.nets, ours.comparable.mean) == (10, 3, 92_000)


def test_nets_are_compared_over_as_many_streams_as_all_of_both_had():
    slow, fast = rows([k + 500 for k in range(9)], [1000]), rows([k + 100 for k in range(10)])
    assert compare_nets(fast, slow) == "no difference"  # 10 of 10 and 9 of 10
    assert compare_nets(fast, slow[:9]) == "better"
    assert compare_nets(rows([k + 2000 for k in range(10)]), rows([], [10**6] * 10)) == "better"
    assert compare_nets(rows([k + 2000 for k in range(10)]), rows([], [1000] * 10)) == "no difference"
    assert compare_nets([row(0)], [row(0)]) == "no difference"
