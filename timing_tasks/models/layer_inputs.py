"""Checks of what a recurrent layer is given: one clear error that says what was expected."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def check_shape(input: Tensor, axis: tuple[int, ...], features: int, batch_first: bool) -> None:
    """Raise ValueError for an input of another shape than (*axis, time, batch, features) or (*axis, time, features)."""
    if input.dim() - len(axis) not in (2, 3) or input.shape[: len(axis)] != axis or input.size(-1) != features:
        layout = "batch, time" if batch_first else "time, batch"
        with_batch, without = (", ".join(map(str, (*axis, some, features))) for some in (layout, "time"))
        text = f"expected ({with_batch}), or ({without}) without a batch"
        raise ValueError(f"input of shape {tuple(input.shape)}: {text}")


def check_like(name: str, tensor: Tensor, weight: Tensor) -> None:
    """Raise ValueError for a tensor on another device than a layer's weight, or, outside autocast, of another dtype."""
    if tensor.device != weight.device:
        raise ValueError(
            f"{name} is on {tensor.device}, the layer on {weight.device}: move one, as with {name}.to(...)"
        )
    if tensor.dtype != weight.dtype:
        is_castable = tensor.is_floating_point() and torch.float64 not in (tensor.dtype, weight.dtype)
        if not (is_castable and torch.is_autocast_enabled(tensor.device.type)):
            text = f"{name} of dtype {tensor.dtype} does not match the layer's {weight.dtype}"
            raise ValueError(f"{text}: convert one, as with {name}.to({weight.dtype})")


def checked_states(name: str, states: Any, shape: tuple[int, ...], weight: Tensor) -> tuple[Tensor, Tensor]:
    """The states h and c; ValueError unless they are two tensors of this shape, with a weight's device and dtype."""
    if not isinstance(states, (tuple, list)) or len(states) != 2:
        count = f"{len(states)} in " if isinstance(states, (tuple, list)) else ""
        found = f"{count}a {type(states).__name__}"
        raise ValueError(f"{name} is {found}: expected two tensors (h, c) of shape {shape} each")
    for letter, state in zip("hc", states, strict=True):
        if tuple(state.shape) != shape:
            raise ValueError(f"{letter}0 of shape {tuple(state.shape)}: expected {shape}")
        check_like(f"{letter}0", state, weight)
    h, c = states
    return h, c
