"""The two answers of nets that measure one delay (NMSD, I(n) in {0, 1}), from the weights of their rows."""

from __future__ import annotations

import functools
import math

import numpy as np

from timing_tasks.models.trajectory import Trajectory, trajectory
from timing_tasks.results.row import Row
from timing_tasks.tasks import is_correct

_FLAT = 1e-9  # a slope of the output's sigmoid below which an error no longer moves anything


@functools.cache
def answers(row: Row) -> tuple[Trajectory, Trajectory]:
    """The units of a net of the paper's layer along both streams: F steps, and F + 1."""
    units = []
    for steps in (row.interval, row.interval + 1):
        spike = (np.arange(steps) == steps - 1).astype(np.float64)
        units.append(trajectory(row.net_weights, spike, row.output_activation, row.forget_gate))
    return units[0], units[1]


def off_centre(row: Row) -> float:
    """How far the mean of y at the two spikes is from 0, in units of their difference; infinity where they are equal.

    Below one half they have different signs.
    """
    first, second = (units.cell_output[-1] for units in answers(row))
    return float(abs(first + second) / 2 / abs(second - first)) if first != second else math.inf


def is_right_again(row: Row) -> bool:
    """Whether both answers are right in the arithmetic of `trajectory`, which rounds otherwise than an engine does."""
    outputs = np.array([units.output[-1] for units in answers(row)])
    return bool(np.all(is_correct(np.array([0.0, 1.0]), outputs, row.tolerance)))


def has_run_away(row: Row) -> bool:
    """Whether the output's sigmoid is flat at both spikes, so that no error changes a weight any longer."""
    return all(float(z * (1 - z)) < _FLAT for z in (units.output[-1] for units in answers(row)))
