"""The two answers of nets that measure a delay, from weights that are known."""

import math

import pytest

from tests.helpers.rows import row
from timing_tasks.models.weights import WEIGHT_NAMES
from timing_tasks.report.answers import answers, has_run_away, is_right_again, off_centre
from timing_tasks.report.tables.answers import answers as table


def weights(**values: float) -> tuple[float, ...]:
    """With gates of one half but for those that are given."""
    return tuple({**dict.fromkeys(WEIGHT_NAMES, 0.0), **values}[name] for name in WEIGHT_NAMES)


# f = i = o = 1/2: s(t) = (s(t-1) + b_c) / 2 and y = s / 2.
CENTRED = row(0, interval=3, weights=weights(s_0=11.0, b_c=-1.0, w_kh=-2.0))
ONE_SIDED = row(1, interval=3, weights=weights(s_0=11.0, w_kh=2.0))
RUN_AWAY = row(2, interval=3, weights=weights(s_0=1e4, w_kh=2.0), status="unsolved")


def test_the_answers_are_those_at_the_spikes_of_the_two_streams():
    first, second = answers(CENTRED)
    assert (len(first.output), len(second.output)) == (3, 4)
    assert second.cell_state.tolist() == [5.0, 2.0, 0.5, -0.25]
    assert off_centre(CENTRED) == pytest.approx((0.25 - 0.125) / 2 / (0.25 + 0.125))
    assert off_centre(ONE_SIDED) == pytest.approx(1.5)
    assert off_centre(row(interval=3, weights=weights())) == math.inf


def test_a_net_has_run_away_if_its_output_is_flat_at_both_spikes():
    flat_at_the_first = row(3, interval=3, weights=weights(s_0=150.0, w_kh=3.0))
    assert [has_run_away(one) for one in (CENTRED, ONE_SIDED, RUN_AWAY)] == [False, False, True]
    assert not has_run_away(flat_at_the_first)


def test_an_answer_is_right_again_if_it_is_within_the_tolerance():
    right = row(
        interval=3, weights=weights(s_0=11.0, b_c=-1.0, w_kh=-16.0 / 3.0, b_k=-1.0 / 3.0)
    )  # z: below and above 1/2
    assert [is_right_again(one) for one in (right, ONE_SIDED, RUN_AWAY)] == [True, False, False]


def test_the_table_counts_them():
    found = table("Title", [CENTRED, ONE_SIDED, RUN_AWAY, row(3, interval=3, model="gru 1", peepholes=False)])
    assert found is not None
    line = dict(zip(found.header, found.lines[0], strict=True))
    assert (line["solved"], line["run away"], line["|w_kh|, solved"]) == ("2/3", "1 of 1", "2")
    assert (line["crosses zero, solved"], line["crosses zero, given up"]) == ("1 of 2", "0 of 1")
    assert len(found.lines) == 1
    assert table("Title", []) is None
