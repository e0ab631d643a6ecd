"""Solved nets started from other states: rows of `results/` where a real net is needed."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from timing_tasks.errors import NothingToDrawError
from timing_tasks.models.weights import WEIGHT_NAMES
from timing_tasks.report import restarts
from timing_tasks.report.restarts import (
    FOLLOWED,
    S_0,
    STARTS,
    Y_0,
    distance,
    extent,
    orbit,
    outcome,
    own_state,
    restarted,
)
from timing_tasks.results.row import Row, read_rows
from timing_tasks.tasks import Purpose, stream

ROWS = Path(__file__).parents[2] / "results" / "initial_state" / "runs.csv"


@pytest.fixture(scope="module")
def groups() -> list[list[Row]]:
    return [group[:3] for group in restarted(read_rows(ROWS))]


def test_a_solved_net_that_starts_where_it_learned_to_is_right_from_the_first_step(groups: list[list[Row]]):
    for group in groups[:3]:  # the streams of the fourth are drawn: ten were right, others need not be
        result = outcome(group, "learned")
        assert (result.on_time == 1).all()
        assert (result.at_best == 1).all()
        assert result.steps_back == 0


def test_on_the_curve_but_at_another_phase_the_output_is_right_at_another_time(groups: list[list[Row]]):
    for group in groups[:2]:
        result = outcome(group, "a random phase")
        assert (result.at_best == 1).all()
        assert result.on_time[0] < 1


def test_the_anchor_lies_on_the_curve(groups: list[list[Row]]):
    for row in groups[0]:
        curve, anchor = orbit(row)
        period = row.interval
        assert curve.shape == (20 * period, 2)
        # The state before the last period is the one before that a period earlier, up to what is left of the transient.
        np.testing.assert_allclose(curve[-2 * period - 1], anchor, atol=1e-3)
        np.testing.assert_allclose(curve[-period - 1], anchor, rtol=1e-12)
        assert distance(replace(row, weights=_with_state(row, anchor))) < distance(row)


def _with_state(row: Row, state: tuple[float, float]) -> tuple[float, ...]:
    weights = row.net_weights
    weights[[S_0, Y_0]] = state
    return tuple(weights.tolist())


def test_noise_has_the_size_that_its_name_says(groups: list[list[Row]]):
    moves = []
    for row in groups[0] + groups[1] + groups[2]:
        for state in STARTS["learned, noise 0.3"](row):
            moves.append((np.array(state) - own_state(row)) / extent(orbit(row)[0]))
    assert np.std(moves) == pytest.approx(0.3, rel=0.35)  # 72 numbers
    assert abs(np.mean(moves)) < 0.12


def test_a_net_of_constant_output_is_back_never(groups: list[list[Row]]):
    dead = replace(groups[0][0], weights=(0.0,) * len(WEIGHT_NAMES))
    # An output of 0 is within 0.3 of the lowest steps of a cosine alone.
    result = outcome([dead], "zero")
    assert result.steps_back == math.inf
    assert result.on_time.tolist() == result.at_best.tolist() == [0.0] * FOLLOWED


def test_there_must_be_nets_to_start():
    with pytest.raises(NothingToDrawError, match="no solved net to start again"):
        restarted([])


def test_how_long_nets_are_followed_does_not_decide_when_they_are_back(
    groups: list[list[Row]], monkeypatch: pytest.MonkeyPatch
):
    before = [[outcome(group, start).steps_back for start in STARTS] for group in groups[:3]]
    monkeypatch.setattr(restarts, "FOLLOWED", 2 * FOLLOWED)
    restarts._run.cache_clear()
    assert [[outcome(group, start).steps_back for start in STARTS] for group in groups[:3]] == before
    restarts._run.cache_clear()


def test_where_intervals_are_drawn_there_is_no_other_phase(groups: list[list[Row]]):
    result = outcome(groups[3], "zero")
    assert np.isnan(result.at_best).all()
    assert math.isnan(result.steps_back)
    assert not np.isnan(result.on_time).any()


def test_noise_and_streams_are_drawn_independently(groups: list[list[Row]]):
    # The sign of the noise says nothing about the first interval of the stream that the net is tested on.
    agree = []
    for replica in range(200):
        row = replace(groups[3][0], replica=replica)
        moved = np.array(STARTS["learned, noise 1"](row))[:, 0] > own_state(row)[0]
        interval = stream(row.asked, row.seed, replica, 0, Purpose.TEST, 0, 1).inputs[0] > 0
        agree += (moved == interval).tolist()
    assert 0.4 < np.mean(agree) < 0.6
