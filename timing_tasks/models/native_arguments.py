"""The arguments of the native recurrence's operators: what they must be, and the sizes that follow from them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

NUMBERS = {"identity": 0, "tanh": 1, "centred_logistic": 2}  # of Activation in native/layer/layer.hpp


def tape_size(x: Tensor, hidden: int, batch_first: bool) -> int:
    """Numbers kept for the backward pass: `tape_size` of `native/layer/layer.hpp`."""
    (batch, steps), inputs = x.shape[-3:-1] if batch_first else x.shape[-2:-4:-1], x.size(-1)
    replicas = x.size(0) if x.dim() == 4 else 1
    line = 64 // x.element_size()
    if hidden <= 4 and inputs <= 16:  # rows of the batch side by side, of several replicas where there is room
        lanes = 2 * line
        blocks = replicas * ((batch + lanes - 1) // lanes) if batch > lanes else -(-replicas // (lanes // batch))
        return blocks * steps * 6 * hidden * lanes
    panel = line // 2 if hidden <= line // 2 else line
    return replicas * steps * batch * 6 * (-(-hidden // panel) * panel)


def check_inputs(tensors: list[Any], activation: str, cell_output_activation: str, batch_first: bool) -> None:
    """Check what both operators take: x, h0, c0, weight_ih, weight_hh, bias, peephole and the activations.

    Raises:
        ValueError: shapes that do not fit together, several dtypes or devices, or unknown activations.
    """
    for name in (activation, cell_output_activation):
        if name not in NUMBERS:
            raise ValueError(f"activation {name!r}: one of {', '.join(NUMBERS)}")
    x, weight_hh = tensors[0], tensors[4]
    if x.dim() not in (3, 4) or not x.numel() or x.dtype not in (torch.float32, torch.float64):
        text = "three or four dimensions, none of them 0, in float32 or float64"
        raise ValueError(f"x of shape {tuple(x.shape)}, {x.dtype}: expected {text}")
    if not weight_hh.dim() or not weight_hh.numel():
        raise ValueError(f"weight_hh of shape {tuple(weight_hh.shape)}: expected (..., 4 * hidden, hidden)")
    axis = x.shape[:-3]
    batch, inputs, hidden = x.size(-3 if batch_first else -2), x.size(-1), weight_hh.size(-1)
    ends = {
        "x": x.shape[-3:],
        "h0": (1, batch, hidden),
        "c0": (1, batch, hidden),
        "weight_ih": (4 * hidden, inputs),
        "weight_hh": (4 * hidden, hidden),
        "bias": (4 * hidden,),
        "peephole": (3, hidden),
    }
    for (name, end), tensor in zip(ends.items(), tensors, strict=True):
        check(name, tensor, (*axis, *end), x)


def check(name: str, tensor: Tensor | None, shape: tuple[int, ...], x: Tensor) -> None:
    """Raise ValueError for a tensor that is there and not as expected."""
    if tensor is None:
        return
    if tuple(tensor.shape) != tuple(shape) or tensor.dtype != x.dtype:
        text = f"expected {tuple(shape)}, {x.dtype}"
        raise ValueError(f"{name} of shape {tuple(tensor.shape)}, {tensor.dtype}: {text}")
    if tensor.device != x.device or tensor.layout != torch.strided:
        raise ValueError(f"{name} on {tensor.device}, {tensor.layout}: expected {x.device}, {torch.strided}")


def sizes(tensors: list[Any], batch_first: bool) -> tuple[int, int, int, int, int]:
    """R, T, N, I and H of arguments that are checked."""
    x, h0 = tensors[:2]
    steps, batch = x.shape[-3:-1]
    if batch_first:
        steps, batch = batch, steps
    return x.size(0) if x.dim() == 4 else 1, steps, batch, x.size(-1), h0.size(-1)
