"""Several `nn.GRU` layers in one pass over a leading axis, in plain tensor operations, one time step after the other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def run(layers: Sequence[nn.GRU], x: Tensor, h: Tensor) -> Tensor:
    """The outputs of R layers, each a single one with `batch_first`, for inputs of their own.

    Args:
        layers: R of them.
        x: (R, N, T, I).
        h: before the first step, (R, N, H).

    Returns:
        h of every step, (R, N, T, H).
    """

    def stacked(name: str) -> Tensor:
        return torch.stack([getattr(layer, name) for layer in layers])

    weight_ih, weight_hh = stacked("weight_ih_l0").transpose(1, 2), stacked("weight_hh_l0").transpose(1, 2)  # (R, I or H, 3H)
    bias_ih, bias_hh = stacked("bias_ih_l0").unsqueeze(1), stacked("bias_hh_l0").unsqueeze(1)  # (R, 1, 3H), rows r, z, n
    net_x = torch.baddbmm(bias_ih, x.flatten(1, 2), weight_ih).reshape(*x.shape[:3], -1)  # (R, N, T, 3H)
    outputs = []
    for step in net_x.unbind(2):
        x_r, x_z, x_n = step.chunk(3, dim=-1)  # (R, N, H) each
        h_r, h_z, h_n = torch.baddbmm(bias_hh, h, weight_hh).chunk(3, dim=-1)
        z = torch.sigmoid(x_z + h_z)
        n = torch.tanh(x_n + torch.sigmoid(x_r + h_r) * h_n)
        h = n + z * (h - n)
        outputs.append(h)
    return torch.stack(outputs, dim=2)
