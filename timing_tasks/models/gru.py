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
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    weight_ih, weight_hh, bias_ih, bias_hh = (parameters[f"layer.{name}_l0"] for name in names)
    # Element by element: a product of matrices is rounded otherwise where one begins elsewhere in memory.
    weight_hh, bias_hh = weight_hh.unsqueeze(1), bias_hh.unsqueeze(1)  # (R, 1, 3H, H), (R, 1, 3H), rows r, z, n
    net_x = (x.unsqueeze(-2) * weight_ih[:, None, None]).sum(-1) + bias_ih[:, None, None]  # (R, N, T, 3H)
    parts = [2 * h.size(-1), h.size(-1)]  # r and z; n
    gates, news = net_x.split_with_sizes(parts, dim=-1)
    outputs = []
    for x_rz, x_n in zip(gates.unbind(2), news.unbind(2), strict=True):
        h_rz, h_n = ((h.unsqueeze(-2) * weight_hh).sum(-1) + bias_hh).split_with_sizes(parts, dim=-1)
        r, z = torch.sigmoid(x_rz + h_rz).chunk(2, dim=-1)
        n = torch.tanh(torch.addcmul(x_n, r, h_n))
        h = torch.lerp(n, h, z)
        outputs.append(h)
    return torch.stack(outputs, dim=2)
