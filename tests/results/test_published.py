import math
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from scipy import stats

from tests.helpers.rows import row, rows
from timing_tasks.results import published
from timing_tasks.results.published import Published, compare_solved, compare_streams, read_published
from timing_tasks.results.statistics import summarise

DATA = Path(__file__).parents[2] / "reproduce" / "published"


def paper(percent: str, mean: str = "", deviation: str = "", task: str = "gts") -> Published:
    solved = int(percent) if percent else None
    streams, around = (Decimal(text) if text not in ("", "-") else None for text in (mean, deviation))
    condition = ("3", task, 10, (0,), "", True, True, "sigmoid", 0.49)
    return Published(*condition, solved, streams, around, None, None, "", "", False, mean == "-")


def test_the_published_values_are_data_and_say_what_nobody_checked():
    values = read_published(DATA)
    assert {v.table: sum(w.table == v.table for w in values) for v in values} == {"1": 14, "3": 21, "4": 19}
    assert [v.tolerance for v in values if v.verified] == [0.15]
    one = next(v for v in values if (v.task, v.interval, v.offsets, v.peepholes) == ("nmsd", 30, (0, 1), True))
    assert (one.solved, one.mean, one.deviation) == (8, 12_885_000, 2_091_000)
    failure = next(v for v in values if v.failed)
    assert failure.solved == 0
    assert math.isnan(failure.mean)
    unknown = next(v for v in values if v.table == "1" and v.interval == 50)
    assert unknown.solved is None


def test_no_condition_is_published_twice():
    values = read_published(DATA)
    conditions = {tuple(getattr(value, name) for name in published._CONDITION) for value in values}
    assert len(conditions) == len(values)


def test_a_value_is_of_rows_of_its_condition_alone():
    values = {"peepholes": True, "forget_gate": True, "output_activation": "sigmoid", "tolerance": 0.49}
    mine = row(0, task="gts", offsets=(0,), initial_state="zero", recipe="online", **values)
    assert paper("100").is_of(mine)
    for name, value in (("offsets", (0, 1)), ("forget_gate", False), ("initial_state", "learned"), ("recipe", "bptt")):
        assert not paper("100").is_of(replace(mine, **{name: value}))


FULL = 10**7  # the paper's budget for GTS


@pytest.mark.parametrize(
    ("solved", "given_up_at", "percent", "said"),
    [
        (10, FULL, "100", "compatible"),
        (7, FULL, "100", "compatible"),  # Fisher: p = 0.21
        (5, FULL, "100", "fewer"),  # p = 0.03
        (6, FULL, "100", "compatible"),  # p = 0.09
        (5, FULL - 1, "100", "not comparable"),
        (10, FULL, "50", "more"),
        (9, FULL - 1, "20", "more"),
        (9, FULL, "", "not comparable"),
        (0, FULL, "0", "compatible"),
    ],
)
def test_the_solved_fraction_is_compared_by_fishers_test(solved: int, given_up_at: int, percent: str, said: str):
    ours = summarise(rows([1000 + k for k in range(solved)], [given_up_at] * (10 - solved)))
    assert compare_solved(ours, paper(percent)) == said


OURS = [90_000 + 2_000 * k for k in range(10)]  # mean 99,000, deviation 6055


@pytest.mark.parametrize(
    ("mean", "deviation", "said"),
    [
        ("100", "10", "compatible"),
        ("110", "5", "compatible"),  # as an error of the mean the ± leaves room
        ("110", "1", "faster"),
        ("90", "1", "slower"),
        ("90", "5", "compatible"),
        ("100", "", "not comparable"),
        ("-", "", "not comparable"),
    ],
)
def test_the_streams_are_compared_under_both_readings_of_the_deviation(mean: str, deviation: str, said: str):
    assert compare_streams(summarise(rows(OURS)), paper("100", mean, deviation)) == said


@pytest.mark.parametrize(("deviation", "said"), [("2.0", "faster"), ("2.5", "compatible")])
def test_welchs_test_by_its_formula(deviation: str, said: str):
    ours = summarise(rows(OURS))
    of_ours, of_theirs = ours.deviation**2 / 10, (1000 * float(deviation)) ** 2  # squared errors of the means
    freedom = (of_ours + of_theirs) ** 2 / (of_ours**2 / 9 + of_theirs**2 / 9)
    p_value = 2 * stats.t.sf(abs(ours.mean - 105_000) / math.sqrt(of_ours + of_theirs), freedom)
    assert (p_value < 0.05) == (said == "faster")
    assert compare_streams(ours, paper("100", "105", deviation)) == said


def test_a_run_cut_short_may_be_slower_but_is_never_faster():
    cut = summarise(rows(OURS[:9], [200_000]))
    assert compare_streams(cut, paper("100", "50", "1")) == "slower"
    assert compare_streams(cut, paper("100", "500", "1")) == "not comparable"
    assert compare_streams(cut, paper("100", "99", "9")) == "not comparable"


def test_a_mean_needs_two_nets():
    assert compare_streams(summarise(rows([5])), paper("100", "99", "9")) == "not comparable"
    assert compare_streams(summarise(rows(OURS)), paper("10", "99", "9")) == "not comparable"
