"""The recurrence of a `PeepholeLSTM` in plain tensor operations, one time step after the other.

This is the definition of the layer. It runs on any device, in any dtype, and has derivatives of any order.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

# `centred_logistic` is h(s) = 2 * sigma(s) - 1.
ACTIVATIONS = ("tanh", "identity", "centred_logistic")


class Weights(NamedTuple):
    """The parameters of a layer of H cells and I inputs; `...` is the axis of its replicas, or nothing."""

    ih: Tensor  # (..., 4H, I), rows in the order i, f, g, o
    hh: Tensor  # (..., 4H, H)
    bias: Tensor | None  # (..., 4H)
    peephole: Tensor | None  # (..., 3, H), rows p_i, p_f, p_o


def run(
    x: Tensor,
    h: Tensor,
    c: Tensor,
    weights: Weights,
    activation: str,
    truncated: bool,
    batch_first: bool,
    cell_output_activation: str | None = None,
    continued: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Run a sequence.

    Args:
        x: (..., T, N, I), or (..., N, T, I) with `batch_first`.
        h: output before the first step, (..., 1, N, H).
        c: cell state before the first step, (..., 1, N, H).
        weights: see `Weights`.
        activation: of the cell input, one of ACTIVATIONS.
        truncated: cut the gradient as the paper does.
        batch_first: the order of time and batch in x and the result.
        cell_output_activation: one of ACTIVATIONS; None for the same as `activation`.
        continued: the sequence continues an earlier one, so that `truncated` cuts at its first step too.

    Returns:
        h of every step (..., T, N, H), or (..., N, T, H), and the last h and c.
    """
    time = -2 if batch_first else -3
    net = x.flatten(-3, -2) @ weights.ih.mT  # (..., T * N, 4H)
    if weights.bias is not None:
        net = net + weights.bias.unsqueeze(-2)
    net_x = net.reshape(x.shape[:-1] + net.shape[-1:])  # (..., T, N, 4H) or (..., N, T, 4H)
    h, c = h.squeeze(-3), c.squeeze(-3)  # (..., N, H) each
    activations = (activation, cell_output_activation or activation)
    outputs = []
    for t, net_t in enumerate(net_x.unbind(time)):
        h, c = _step(net_t, h, c, weights, activations, truncated, cut=truncated and (continued or t > 0))
        outputs.append(h)
    output = torch.stack(outputs, dim=time) if outputs else net_x.new_zeros(x.shape[:-1] + h.shape[-1:])
    return output, h.unsqueeze(-3), c.unsqueeze(-3)


def _step(
    net_x: Tensor, h: Tensor, c: Tensor, weights: Weights, activations: tuple[str, str], truncated: bool, cut: bool
) -> tuple[Tensor, Tensor]:
    """One time step; net_x (..., N, 4H), h and c (..., N, H). With `cut`, net inputs pass no error to h and c."""
    h_seen = h.detach() if cut else h
    c_seen = c.detach() if cut else c
    i, f, g, o = (net_x + h_seen @ weights.hh.mT).chunk(4, dim=-1)  # each (..., N, H)
    if weights.peephole is not None:
        p_i, p_f, p_o = weights.peephole.unsqueeze(-2).unbind(-3)  # each (..., 1, H)
        i, f = i + p_i * c_seen, f + p_f * c_seen
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * _activated(activations[0], g)
    if weights.peephole is not None:
        o = o + p_o * (c.detach() if truncated else c)
    return torch.sigmoid(o) * _activated(activations[1], c), c


def _activated(activation: str, x: Tensor) -> Tensor:
    if activation == "identity":
        return x
    return torch.tanh(x if activation == "tanh" else x / 2)  # tanh(x / 2) = 2 * sigma(x) - 1, exact near 0
