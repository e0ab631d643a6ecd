"""The weights of the paper's net as one vector, and what they are before training (PAPER.md 1). Needs no torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from timing_tasks.philox import uniform
from timing_tasks.tasks.streams import Purpose

# In the order of the engines (`native/population.hpp`): into the input gate, the forget gate and the cell (from x, from
# y, bias, peephole), the initial state, into the output gate, into the output unit.
WEIGHT_NAMES = (
    *("w_ix", "w_ih", "b_i", "p_i"),
    *("w_fx", "w_fh", "b_f", "p_f"),
    *("w_cx", "w_ch", "b_c"),
    *("s_0", "y_0"),
    *("w_ox", "w_oh", "b_o", "p_o"),
    *("w_kh", "b_k"),
)
PEEPHOLES = ("p_i", "p_f", "p_o")
INITIAL_STATE = ("s_0", "y_0")
GATE_BIASES = ("b_i", "b_f", "b_o")


def initial_weights(
    seed: int | np.ndarray,
    replica: int | np.ndarray,
    gate_biases: Sequence[float],
    peepholes: bool = True,
    weight_range: float = 0.1,
    state_deviation: float = 0.0,
) -> np.ndarray:
    """The weights of nets before training, in the order of WEIGHT_NAMES, float64, shape [..., 19]; [19] for one net.

    The biases of the gates are as given, the initial state is 0 unless it is drawn, and so are peepholes that are
    absent; every other weight is uniform in +-weight_range and a function of (seed, replica) alone (PAPER.md 1): nets
    with and without peepholes share the rest.

    Args:
        seed: of the run; a number, or an array of int64, shape [...].
        replica: which net; a number or an array, as for `seed`.
        gate_biases: b_i, b_f, b_o.
        peepholes: whether the nets have them.
        weight_range: 0.1 in the paper.
        state_deviation: see `fixed_state`.
    """
    weights = 2.0 * weight_range * uniform(seed, replica, Purpose.WEIGHTS, len(WEIGHT_NAMES)) - weight_range
    fixed = dict(zip(GATE_BIASES, gate_biases, strict=True))
    state = fixed_state(seed, replica, state_deviation, len(INITIAL_STATE))
    fixed |= {name: state[..., place] for place, name in enumerate(INITIAL_STATE)}
    if not peepholes:
        fixed |= dict.fromkeys(PEEPHOLES, 0.0)
    for name, value in fixed.items():
        weights[..., WEIGHT_NAMES.index(name)] = value
    return weights


def fixed_state(seed: int | np.ndarray, replica: int | np.ndarray, deviation: float, size: int) -> np.ndarray:
    """An initial state that is not learned: s(0), then y(0), uniform with a standard deviation, shape [..., size].

    The same numbers whatever the deviation, but for their scale.
    """
    state: np.ndarray = deviation * np.sqrt(3.0) * (2.0 * uniform(seed, replica, Purpose.FIXED_STATE, size) - 1.0)
    return state + 0.0  # never -0.0
