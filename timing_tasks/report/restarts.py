"""Solved nets started from other states than their own: the learned initial state at test time, from rows."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from timing_tasks.conditions.model import PEEPHOLE_LSTM
from timing_tasks.errors import NothingToDrawError
from timing_tasks.models.trajectory import trajectory
from timing_tasks.models.weights import INITIAL_STATE, WEIGHT_NAMES
from timing_tasks.philox import uniform
from timing_tasks.results.row import Row
from timing_tasks.tasks import Purpose, is_correct, stream

State = tuple[float, float]  # s and y
S_0, Y_0 = (WEIGHT_NAMES.index(name) for name in INITIAL_STATE)
FOLLOWED = 40  # periods after a start
_SETTLED, _LATE = 200, 20  # periods of a test stream, and of its end: by then a net is where it stays
_DRAWS = 4  # starts of one kind for each net, where they are drawn


@dataclass(frozen=True)
class Outcome:
    """What became of the starts of one kind, of all nets together.

    Attributes:
        on_time: the share of starts after which every prediction of a period is right, [FOLLOWED].
        at_best: the same, if the output may be shifted in time by what fits the period best; NaN where the intervals
            are drawn, for then the input does not shift with the output.
        steps_back: the median number of steps from the start to where every later prediction is right at one phase;
            infinity if half of them are not so in the second half of the periods, NaN where the intervals are drawn.
    """

    on_time: np.ndarray
    at_best: np.ndarray
    steps_back: float


def own_state(row: Row) -> State:
    """The state that the net starts from: learned, or zero."""
    return row.weights[S_0], row.weights[Y_0]


@functools.cache
def orbit(row: Row) -> tuple[np.ndarray, State]:
    """The curve on which s and y move late in a test stream, [T, 2], and the state before its last period."""
    asked = stream(row.asked, row.seed, row.replica, row.training_streams, Purpose.TEST, 0, _SETTLED)
    units = trajectory(
        row.net_weights, asked.inputs, row.output_activation, row.forget_gate, row.cell_output_activation
    )
    states = np.stack([units.cell_state, units.cell_output], axis=1)
    last = int(np.argmax(asked.period == asked.period[-1]))
    return states[asked.period > asked.period[-1] - _LATE], (float(states[last - 1, 0]), float(states[last - 1, 1]))


def extent(curve: np.ndarray) -> np.ndarray:
    """Of a curve [T, 2] in s and in y, [2]."""
    result: np.ndarray = curve.max(axis=0) - curve.min(axis=0)
    return result


def distance(row: Row) -> float:
    """The distance from a net's start to the state before a late period, in units of the curve's extent."""
    curve, anchor = orbit(row)
    return float(np.linalg.norm((np.array(own_state(row)) - anchor) / extent(curve)))


def _noisy(size: float) -> Callable[[Row], list[State]]:
    """The net's own state with normal noise of `size` times the curve's extent."""

    def starts(row: Row) -> list[State]:
        drawn = uniform(row.seed, row.replica, int(Purpose.RESTART), 2 * _DRAWS).reshape(_DRAWS, 2)
        moved = np.array(own_state(row)) + size * extent(orbit(row)[0]) * stats.norm.ppf(drawn)
        return [(float(s), float(y)) for s, y in moved]

    return starts


def _random_phase(row: Row) -> list[State]:
    """States that the net passes through late in a stream."""
    curve = orbit(row)[0]
    drawn = uniform(row.seed, row.replica, int(Purpose.RESTART), _DRAWS)
    return [(float(s), float(y)) for s, y in curve[(drawn * len(curve)).astype(int)]]


STARTS: dict[str, Callable[[Row], list[State]]] = {
    "learned": lambda row: [own_state(row)],
    "learned, noise 0.1": _noisy(0.1),
    "learned, noise 0.3": _noisy(0.3),
    "learned, noise 1": _noisy(1.0),
    "a random phase": _random_phase,
    "zero": lambda row: [(0.0, 0.0)],
}


def restarted(rows: Sequence[Row]) -> list[list[Row]]:
    """The solved peephole nets with a learned state of a few tasks, task by task.

    Raises:
        NothingToDrawError: there is none of a task.
    """
    tasks: tuple[dict[str, object], ...] = (
        {"task": "pfg", "interval": 10, "waveform": "cos", "tolerance": 0.3},
        {"task": "pfg", "interval": 10, "waveform": "tri", "tolerance": 0.3},
        {"task": "gts", "interval": 10, "offsets": (0,)},
        {"task": "gts", "interval": 10, "offsets": (0, 1)},
    )
    nets: dict[str, object] = {
        "status": "solved",
        "peepholes": True,
        "forget_gate": True,
        "initial_state": "learned",
        "model": str(PEEPHOLE_LSTM),
    }
    groups = [[r for r in rows if all(getattr(r, k) == v for k, v in (task | nets).items())] for task in tasks]
    for task, group in zip(tasks, groups, strict=True):
        if not group:
            raise NothingToDrawError(
                f"no solved net to start again among the rows ({', '.join(f'{k}={v}' for k, v in task.items())})"
            )
    return groups


def outcome(rows: Sequence[Row], start: str) -> Outcome:
    """Start the nets of some solved rows, at least one, in one of the ways of STARTS."""
    runs = [_run(row, state) for row in rows for state in STARTS[start](row)]
    on_time, at_best, steps = zip(*runs, strict=True)
    middle = sorted(steps)[(len(steps) - 1) // 2]  # the lower median: half of them are back by then
    if rows[0].asked.is_random:
        return Outcome(np.mean(on_time, axis=0), np.full(FOLLOWED, math.nan), math.nan)
    return Outcome(np.mean(on_time, axis=0), np.mean(at_best, axis=0), middle)


@functools.cache
def _run(row: Row, start: State) -> tuple[np.ndarray, np.ndarray, float]:
    """Periods right on time and at the best phase, [FOLLOWED] each, and the steps until all later ones are right."""
    asked = stream(row.asked, row.seed, row.replica, 0, Purpose.TEST, 0, FOLLOWED + 1)
    weights = row.net_weights
    weights[[S_0, Y_0]] = start
    output = trajectory(
        weights, asked.inputs, row.output_activation, row.forget_gate, row.cell_output_activation
    ).output
    ends = np.flatnonzero(np.diff(asked.period, append=math.inf)) + 1
    followed = int(ends[FOLLOWED - 1])
    # right[k, t]: whether the output k steps later is right for step t.
    shifts = range(min(row.interval, len(output) - followed + 1))
    right = np.stack([is_correct(asked.targets[:followed], output[k : followed + k], row.tolerance) for k in shifts])
    by_period = np.stack(
        [part.all(axis=1) for part in np.split(right, ends[: FOLLOWED - 1], axis=1)], axis=1
    )  # [shifts, FOLLOWED]
    steps = min(0 if r.all() else int(np.flatnonzero(~r)[-1]) + 1 for r in right)
    is_back = steps <= ends[FOLLOWED // 2 - 1]  # not merely right in the last period by chance
    return by_period[0], np.any(by_period, axis=0), float(steps) if is_back else math.inf
