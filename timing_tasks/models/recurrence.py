"""The recurrence of a `PeepholeLSTM` in plain tensor operations, one time step after the other.

This is what the layer means; it runs on any device, in any dtype, and has derivatives of any order.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

ACTIVATIONS = ("tanh", "identity")


class Weights(NamedTuple):
    """The parameters of a layer of H cells and I inputs; `...` is the axis of its replicas, or nothing."""

    ih: Tensor  # (..., 4H, I), rows in the order i, f, g, o
    hh: Tensor  # (..., 4H, H)
    bias: Tensor | None  # (..., 4H)
    peephole: Tensor | None  # (..., 3, H), rows p_i, p_f, p_o


def run(
    x: Tensor, h: Tensor, c: Tensor, weights: Weights, activation: str, truncated: bool, batch_first: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Run a sequence.

    Args:
        x: (..., T, N, I), or (..., N, T, I) with `batch_first`.
        h: before the first step, (..., 1, N, H).
        c: likewise.
        weights: see `Weights`.
        activation: one of ACTIVATIONS.
        truncated: cut the gradient as the paper does.
        batch_first: the order of time and batch in x and the result.

    Returns:
        h of every step (..., T, N, H), or (..., N, T, H), and the last h and c.
    """
    time = -2 if batch_first else -3
    net = x.flatten(-3, -2) @ weights.ih.mT  # (..., T * N, 4H)
    if weights.bias is not None:
        net = net + weights.bias.unsqueeze(-2)
    net_x = net.reshape(x.shape[:-1] + net.shape[-1:])  # (..., T, N, 4H) or (..., N, T, 4H)
    h, c = h.squeeze(-3), c.squeeze(-3)  # (..., N, H) each
    outputs = []
    for t, net_t in enumerate(net_x.unbind(time)):
        h, c = step(net_t, h, c, weights, activation, truncated, first=t == 0)
        outputs.append(h)
    output = torch.stack(outputs, dim=time) if outputs else net_x.new_zeros(x.shape[:-1] + h.shape[-1:])
    return output, h.unsqueeze(-3), c.unsqueeze(-3)


def step(
    net_x: Tensor, h: Tensor, c: Tensor, weights: Weights, activation: str, truncated: bool, first: bool
) -> tuple[Tensor, Tensor]:
    """One time step; net_x (..., N, 4H), h and c (..., N, H). Truncated, h and c get error from the first net inputs only."""
    squash = torch.tanh if activation == "tanh" else torch.nn.Identity()
    cut = truncated and not first
    h_seen = h.detach() if cut else h
    c_seen = c.detach() if cut else c
    i, f, g, o = (net_x + h_seen @ weights.hh.mT).chunk(4, dim=-1)  # each (..., N, H)
    if weights.peephole is not None:
        p_i, p_f, p_o = weights.peephole.unsqueeze(-2).unbind(-3)  # each (..., 1, H)
        i, f = i + p_i * c_seen, f + p_f * c_seen
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * squash(g)
    if weights.peephole is not None:
        o = o + p_o * (c.detach() if truncated else c)
    return torch.sigmoid(o) * squash(c), c
