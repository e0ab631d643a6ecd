"""Several `nn.GRU` layers in one pass over a leading axis, in plain tensor operations, one time step after the other."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def run(parameters: Mapping[str, Tensor], x: Tensor, h: Tensor) -> Tensor:
    """The outputs of R layers, each a single one with `batch_first`, for inputs of their own.

    Args:
        parameters: of a net's `layer`, by their names in it, each with a leading axis of R.
        x: (R, N, T, I).
        h: before the first step, (R, N, H).

    Returns:
        h of every step, (R, N, T, H).
    """
    weight_ih, weight_hh, bias_ih, bias_hh = (
        parameters[f"layer.{name}_l0"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    weight_ih, weight_hh = weight_ih.transpose(1, 2), weight_hh.transpose(1, 2)  # (R, I or H, 3H)
    bias_ih, bias_hh = bias_ih.unsqueeze(1), bias_hh.unsqueeze(1)  # (R, 1, 3H), rows r, z, n
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
