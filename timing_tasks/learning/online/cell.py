"""One step of the paper's cell and of its gradients in plain tensor operations: pure functions of tensors [replicas].

Weights are found by their names in WEIGHT_NAMES. Traces are the derivatives of s(t), and of y(t), by the weights that
the state depends on, in the order of the weights; with `at_y` = -dE/dy(t) they give -dE/dw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from timing_tasks.models.weights import WEIGHT_NAMES

STATE_WEIGHTS = WEIGHT_NAMES.index("w_kh")  # the weights that the state depends on come before those of the output unit
TRUNCATED_TRACES = WEIGHT_NAMES.index("w_ox")  # of them, those that the truncated gradient has traces of
_S_0, _Y_0 = WEIGHT_NAMES.index("s_0"), WEIGHT_NAMES.index("y_0")


class Units(NamedTuple):
    """One step of the cell: which nets have peepholes, its inputs, its units (PAPER.md 1); `h_slope` is h'(s)."""

    peepholes: Tensor
    x: Tensor
    y_old: Tensor
    s_old: Tensor
    s_seen: Tensor
    i: Tensor
    f: Tensor
    g: Tensor
    s: Tensor
    s_seen_new: Tensor
    o: Tensor
    h: Tensor
    h_slope: Tensor
    y: Tensor


def forward(
    w: Mapping[str, Tensor],
    x: Tensor,
    s_old: Tensor,
    y_old: Tensor,
    peepholes: Tensor,
    forget_gate: Tensor,
    centred_logistic: Tensor,
) -> Units:
    """One step (PAPER.md 1). The last three are bool: nets with peepholes, a forget gate, h(s) = 2 sigma(s) - 1."""
    s_seen = torch.where(peepholes, s_old, 0.0)
    i = torch.sigmoid(w["w_ix"] * x + w["w_ih"] * y_old + w["b_i"] + w["p_i"] * s_seen)
    f = torch.sigmoid(w["w_fx"] * x + w["w_fh"] * y_old + w["b_f"] + w["p_f"] * s_seen)
    f = torch.where(forget_gate, f, 1.0)
    g = w["w_cx"] * x + w["w_ch"] * y_old + w["b_c"]
    s = f * s_old + i * g
    s_seen_new = torch.where(peepholes, s, 0.0)
    o = torch.sigmoid(w["w_ox"] * x + w["w_oh"] * y_old + w["b_o"] + w["p_o"] * s_seen_new)
    logistic = torch.sigmoid(s)
    h = torch.where(centred_logistic, 2 * logistic - 1, s)
    h_slope = torch.where(centred_logistic, 2 * logistic * (1 - logistic), 1.0)
    return Units(peepholes, x, y_old, s_old, s_seen, i, f, g, s, s_seen_new, o, h, h_slope, o * h)


class Start(NamedTuple):
    """Bool: which nets are in the first step of a stream, which learn s(0), and which y(0)."""

    first: Tensor
    learns_s0: Tensor
    learns_y0: Tensor


def truncated(
    w: Mapping[str, Tensor], u: Units, traces: Sequence[Tensor], start: Start, at_y: Tensor
) -> tuple[list[Tensor], list[Tensor]]:
    """The paper's gradient (PAPER.md 2): TRUNCATED_TRACES of ds/dw after the step, STATE_WEIGHTS of -dE/dw."""
    one = torch.ones_like(u.x)
    own, from_s0, from_y0 = _derivatives(w, u, one)
    changes = (
        *own,
        # Of the initial state: exact at the first step, carried by the forget gate alone after it.
        torch.where(start.first & start.learns_s0, from_s0, 0.0),
        torch.where(start.first & start.learns_y0, from_y0, 0.0),
    )
    kept = u.f * torch.where(start.first, 0.0, 1.0)
    traces = [kept * trace + change for trace, change in zip(traces[:TRUNCATED_TRACES], changes, strict=True)]
    at_s, at_o = at_y * u.o * u.h_slope, at_y * u.h * u.o * (1 - u.o)
    downhill = [at_s * trace for trace in traces]
    at_y0 = downhill[_Y_0] + torch.where(start.first, at_o * w["w_oh"], 0.0)
    downhill[_S_0] = torch.where(start.learns_s0, downhill[_S_0], 0.0)
    downhill[_Y_0] = torch.where(start.learns_y0, at_y0, 0.0)
    return traces, [*downhill, *(at_o * v for v in (u.x, u.y_old, one, u.s_seen_new))]


def full(
    w: Mapping[str, Tensor], u: Units, traces: Sequence[Tensor], start: Start, at_y: Tensor
) -> tuple[list[Tensor], list[Tensor]]:
    """The exact gradient: ds/dw and then dy/dw after the step, and -dE/dw, of STATE_WEIGHTS weights each.

    Real-time recurrent learning with nothing cut off: the state of the step before acts through y(t-1) on every gate
    and the cell input, and through the peepholes.
    """
    zero, one = torch.zeros_like(u.x), torch.ones_like(u.x)
    own, s_by_s, s_by_y = _derivatives(w, u, one)
    by_o = u.h * u.o * (1 - u.o)
    own_s = (*own, *[zero] * (STATE_WEIGHTS - len(own)))
    own_y = (*[zero] * TRUNCATED_TRACES, *(by_o * v for v in (u.x, u.y_old, one, u.s_seen_new)))
    s_before = [torch.where(start.first, 0.0, trace) for trace in traces[:STATE_WEIGHTS]]
    y_before = [torch.where(start.first, 0.0, trace) for trace in traces[STATE_WEIGHTS:]]
    s_before[_S_0] = torch.where(start.first & start.learns_s0, 1.0, s_before[_S_0])
    y_before[_Y_0] = torch.where(start.first & start.learns_y0, 1.0, y_before[_Y_0])
    y_by_s = u.o * u.h_slope + torch.where(u.peepholes, by_o * w["p_o"], 0.0)
    by_s = [s_by_s * s + s_by_y * y + own for s, y, own in zip(s_before, y_before, own_s, strict=True)]
    by_y = [y_by_s * s + by_o * w["w_oh"] * y + own for s, y, own in zip(by_s, y_before, own_y, strict=True)]
    return [*by_s, *by_y], [at_y * trace for trace in by_y]


def _derivatives(w: Mapping[str, Tensor], u: Units, one: Tensor) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
    """Of s(t): by the weights into input gate, forget gate and cell at this step alone, by s(t-1), and by y(t-1)."""
    by_i, by_f = u.g * u.i * (1 - u.i), u.s_old * u.f * (1 - u.f)
    own = (
        *(by_i * v for v in (u.x, u.y_old, one, u.s_seen)),
        *(by_f * v for v in (u.x, u.y_old, one, u.s_seen)),
        *(u.i * v for v in (u.x, u.y_old, one)),
    )
    by_s = u.f + torch.where(u.peepholes, by_i * w["p_i"] + by_f * w["p_f"], 0.0)
    return own, by_s, by_i * w["w_ih"] + by_f * w["w_fh"] + u.i * w["w_ch"]
