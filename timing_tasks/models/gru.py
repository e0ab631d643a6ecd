"""Several `nn.GRU` layers in one pass over a leading axis, in plain tensor operations, one time step after the other.

Element by element throughout: a product of matrices is rounded otherwise where one begins elsewhere in memory, and no
layer's digits are to depend on how many are before it. The way back is written out, for autograd takes nearly twice as
long.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


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
    net_x = (x.unsqueeze(-2) * weight_ih[:, None, None]).sum(-1) + bias_ih[
        :, None, None
    ]  # (R, N, T, 3H), gates r, z, n
    outputs: Tensor = _Recurrence.apply(net_x, h, weight_hh, bias_hh)  # type: ignore[no-untyped-call]
    return outputs


class _Recurrence(torch.autograd.Function):
    """From net inputs (R, N, T, 3H), states (R, N, H), weights (R, 3H, H) and biases (R, 3H) to states (R, N, T, H)."""

    @staticmethod
    def forward(ctx: Any, net_x: Tensor, h: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        size = h.size(-1)
        weight, bias = weight.unsqueeze(1), bias.unsqueeze(1)
        tape, states = [], []
        for x_rzn in net_x.unbind(2):
            h_rzn = _sum(h.unsqueeze(-2) * weight, -1) + bias
            rz = torch.sigmoid_(x_rzn[..., : 2 * size] + h_rzn[..., : 2 * size])
            r, z, h_n = rz[..., :size], rz[..., size:], h_rzn[..., 2 * size :]
            n = torch.tanh_(torch.addcmul(x_rzn[..., 2 * size :], r, h_n))
            tape.append((h, rz, n, h_n))
            h = torch.lerp(n, h, z)
            states.append(h)
        ctx.tape, ctx.weight = tape, weight
        return torch.stack(states, dim=2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, error: Tensor) -> tuple[Tensor, ...]:
        size, weight = error.size(-1), ctx.weight
        h, rz, n, h_n = (
            torch.stack(column, dim=2) for column in zip(*ctx.tape, strict=True)
        )  # (R, N, T, H), rz twice as many
        r, z = rz[..., :size], rz[..., size:]
        # What turns the error of a state into that of r's, z's and n's net input from the state, and of n's from x.
        into_n = (1 - z) * (1 - n * n)
        factors = torch.stack([into_n * h_n * r * (1 - r), (h - n) * z * (1 - z), into_n * r, into_n], dim=-2)
        d_h, d_weight, d_nets = torch.zeros_like(error[:, :, 0]), 0.0 * h[:, :, 0].unsqueeze(-2) * weight, []
        for t in range(error.size(2) - 1, -1, -1):
            d_state = d_h + error[:, :, t]
            d_nets.append(d_state.unsqueeze(-2) * factors[:, :, t])  # (R, N, 4, H)
            d_net_h = d_nets[-1][:, :, :3].reshape(*d_h.shape[:2], 3 * size, 1)
            d_weight.addcmul_(d_net_h, h[:, :, t].unsqueeze(-2))
            d_h = torch.addcmul((d_net_h * weight).sum(-2), d_state, z[:, :, t])
        d_net = torch.stack(d_nets[::-1], dim=2)  # (R, N, T, 4, H)
        d_bias = d_net[..., :3, :].sum((1, 2)).flatten(1)
        return d_net[..., [0, 1, 3], :].flatten(-2), d_h, d_weight.sum(1), d_bias


def _sum(tensor: Tensor, dim: int) -> Tensor:
    """Along a dimension; of one entry it is much faster to take it."""
    return tensor.sum(dim) if tensor.size(dim) > 1 else tensor.squeeze(dim)
