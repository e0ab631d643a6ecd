"""The paper's net along a stream, step by step (PAPER.md 1), to look inside a solved net."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from timing_tasks.models.weights import WEIGHT_NAMES


@dataclass(frozen=True)
class Trajectory:
    """The units of a net at each step of a stream, float64, shape [T] each.

    Attributes:
        input_gate: i(t).
        forget_gate: f(t).
        output_gate: o(t).
        cell_input: g(t).
        cell_state: s(t).
        cell_output: y(t).
        output: z(t).
    """

    input_gate: np.ndarray
    forget_gate: np.ndarray
    output_gate: np.ndarray
    cell_input: np.ndarray
    cell_state: np.ndarray
    cell_output: np.ndarray
    output: np.ndarray


def trajectory(
    weights: Sequence[float] | np.ndarray,
    inputs: np.ndarray,
    output_activation: str = "sigmoid",
    has_forget_gate: bool = True,
    cell_output_activation: str = "identity",
) -> Trajectory:
    """Run a net with frozen weights along a stream.

    Args:
        weights: in the order of WEIGHT_NAMES, shape [19]; s_0 and y_0 are the state before the first step.
        inputs: x(t), shape [T].
        output_activation: `sigmoid` or `identity`, of the output unit.
        has_forget_gate: without one, f = 1.
        cell_output_activation: h in y = o h(s), `identity` or `centred_logistic`, 2 sigma(s) - 1.
    """
    w = dict(zip(WEIGHT_NAMES, map(float, weights), strict=True))
    s, y = w["s_0"], w["y_0"]
    steps = []
    for x in inputs.tolist():
        i = _sigmoid(w["w_ix"] * x + w["w_ih"] * y + w["b_i"] + w["p_i"] * s)
        f = _sigmoid(w["w_fx"] * x + w["w_fh"] * y + w["b_f"] + w["p_f"] * s) if has_forget_gate else 1.0
        g = w["w_cx"] * x + w["w_ch"] * y + w["b_c"]
        s = f * s + i * g
        o = _sigmoid(w["w_ox"] * x + w["w_oh"] * y + w["b_o"] + w["p_o"] * s)
        y = o * (2 * _sigmoid(s) - 1 if cell_output_activation == "centred_logistic" else s)
        z = w["w_kh"] * y + w["b_k"]
        steps.append((i, f, o, g, s, y, _sigmoid(z) if output_activation == "sigmoid" else z))
    columns = np.array(steps).reshape(-1, len(fields(Trajectory))).T
    return Trajectory(*columns)


def _sigmoid(x: float) -> float:
    if x < 0:  # exp of a large number overflows
        return math.exp(x) / (1 + math.exp(x))
    return 1 / (1 + math.exp(-x))
