"""The weights of an `nn.LSTM` as those of peephole LSTMs, and back."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import nn


class Layer(Protocol):
    """The parameters of a `PeepholeLSTM`."""

    weight_ih: nn.Parameter
    weight_hh: nn.Parameter
    bias: nn.Parameter | None
    weight_peephole: nn.Parameter | None


def arguments_of(lstm: nn.LSTM) -> dict[str, Any]:
    """What an `nn.LSTM` and a peephole LSTM of the same layout have in common.

    Raises:
        ValueError: an `nn.LSTM` with projections.
    """
    if lstm.proj_size:
        raise ValueError(f"proj_size={lstm.proj_size}: peephole LSTMs have no projections")
    like = next(lstm.parameters())
    return {"bias": lstm.bias, "batch_first": lstm.batch_first, "device": like.device, "dtype": like.dtype}


@torch.no_grad()
def copy_from_lstm(layer: Layer, lstm: nn.LSTM, suffix: str) -> None:
    """Set a layer's weights from one layer and direction of an `nn.LSTM`, such as `l0_reverse`; zero peepholes."""
    layer.weight_ih.copy_(lstm.get_parameter(f"weight_ih_{suffix}"))
    layer.weight_hh.copy_(lstm.get_parameter(f"weight_hh_{suffix}"))
    if layer.bias is not None:
        layer.bias.copy_(lstm.get_parameter(f"bias_ih_{suffix}") + lstm.get_parameter(f"bias_hh_{suffix}"))
    if layer.weight_peephole is not None:
        layer.weight_peephole.zero_()


@torch.no_grad()
def copy_to_lstm(layer: Layer, lstm: nn.LSTM, suffix: str) -> None:
    """Set one layer and direction of an `nn.LSTM` from a layer.

    Raises:
        ValueError: peepholes that are not 0.
    """
    if layer.weight_peephole is not None and bool((layer.weight_peephole != 0).any()):
        raise ValueError("weight_peephole is not 0: an nn.LSTM has no peepholes")
    lstm.get_parameter(f"weight_ih_{suffix}").copy_(layer.weight_ih)
    lstm.get_parameter(f"weight_hh_{suffix}").copy_(layer.weight_hh)
    if layer.bias is not None:
        lstm.get_parameter(f"bias_ih_{suffix}").copy_(layer.bias)
        lstm.get_parameter(f"bias_hh_{suffix}").zero_()


def suffixes(lstm: nn.LSTM) -> list[str]:
    """Of the names of an `nn.LSTM`'s parameters, for each layer and direction, in its order."""
    directions = ("", "_reverse") if lstm.bidirectional else ("",)
    return [f"l{layer}{direction}" for layer in range(lstm.num_layers) for direction in directions]
