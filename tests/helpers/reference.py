"""The paper's net step by step with autograd, written once more: what the engines' gradients are compared with."""

import torch
from torch import Tensor

from timing_tasks.conditions.condition import Condition
from timing_tasks.models.weights import WEIGHT_NAMES


def cell_step(
    condition: Condition, w: dict[str, Tensor], s: Tensor, y: Tensor, x: float, keeps_state: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """One step of PAPER.md 1: s, y and z after it.

    With the truncated gradient (PAPER.md 2), s and y of the step before are cut off; into a learned initial state the
    gradient flows in the first step, which `keeps_state`.
    """
    is_full = condition.protocol.gradient == "full"
    y_seen = y if is_full or keeps_state else y.detach()
    s_seen = s if is_full or keeps_state else s.detach()
    peephole = 1.0 if condition.peepholes else 0.0
    i = torch.sigmoid(w["w_ix"] * x + w["w_ih"] * y_seen + w["b_i"] + peephole * w["p_i"] * s_seen)
    f = torch.sigmoid(w["w_fx"] * x + w["w_fh"] * y_seen + w["b_f"] + peephole * w["p_f"] * s_seen)
    g = w["w_cx"] * x + w["w_ch"] * y_seen + w["b_c"]
    s = f * s + i * g
    s_new = s if is_full else s.detach()
    o = torch.sigmoid(w["w_ox"] * x + w["w_oh"] * y_seen + w["b_o"] + peephole * w["p_o"] * s_new)
    y = o * (torch.tanh(s / 2) if condition.protocol.cell_output_activation == "centred_logistic" else s)
    z = w["w_kh"] * y + w["b_k"]
    return s, y, torch.sigmoid(z) if condition.output_activation == "sigmoid" else z


def outputs(condition: Condition, weights: Tensor, inputs: list[float]) -> Tensor:
    """z(t) along a stream from the initial state in the weights, [T]; differentiable by the weights, [19]."""
    w = dict(zip(WEIGHT_NAMES, weights.unbind(), strict=True))
    s, y, found = w["s_0"], w["y_0"], []
    for step, x in enumerate(inputs):
        s, y, z = cell_step(condition, w, s, y, x, keeps_state=step == 0)
        found.append(z)
    return torch.stack(found)
