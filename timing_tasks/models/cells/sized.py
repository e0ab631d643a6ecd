"""Layers by name at about a number of weights, so that different ones can be compared."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from timing_tasks.models.cells.lru import LRU
from timing_tasks.models.cells.mamba2 import Mamba2
from timing_tasks.models.cells.min_gru import MinGRU
from timing_tasks.models.cells.min_lstm import MinLSTM
from timing_tasks.models.cells.slstm import SLSTM
from timing_tasks.models.cells.temporal_convolution import TemporalConvolution
from timing_tasks.models.cells.transformer import CausalTransformer
from timing_tasks.models.peephole_lstm import PeepholeLSTM

CELLS: dict[str, Callable[[int, int], nn.Module]] = {
    "peephole_lstm": lambda inputs, size: PeepholeLSTM(inputs, size, batch_first=True),
    "lstm": lambda inputs, size: nn.LSTM(inputs, size, batch_first=True),
    "gru": lambda inputs, size: nn.GRU(inputs, size, batch_first=True),
    "rnn": lambda inputs, size: nn.RNN(inputs, size, batch_first=True),
    "min_gru": MinGRU,
    "min_lstm": MinLSTM,
    "lru": LRU,
    "slstm": SLSTM,
    "mamba2": Mamba2,
    "transformer": lambda inputs, size: CausalTransformer(inputs, 2 * size),
    "temporal_convolution": TemporalConvolution,
}


def weight_count(layer: nn.Module) -> int:
    """Weights of a layer and one output unit, without those of an initial state that is learned.

    Args:
        layer: with an attribute `hidden_size`, the features of its output.
    """
    hidden_size = layer.hidden_size
    assert isinstance(hidden_size, int)
    return sum(parameter.numel() for parameter in layer.parameters()) + hidden_size + 1


def make_cell(name: str, weights: int, input_size: int = 1) -> nn.Module:
    """The layer of that name which, with one output unit, comes nearest to a number of weights.

    Args:
        name: one of `CELLS`.
        weights: how many, at least 1.
        input_size: features of the input.

    Returns:
        A layer as `nn.LSTM` with `batch_first`, its parameters drawn by torch's global generator.

    Raises:
        ValueError: an unknown name, or no weights.

    Example:
        >>> from timing_tasks.models.cells import make_cell, weight_count
        >>> layer = make_cell("min_gru", 200)
        >>> layer.hidden_size, weight_count(layer)
        (40, 201)
    """
    if name not in CELLS:
        raise ValueError(f"name={name!r}: one of {', '.join(CELLS)}")
    if weights < 1:
        raise ValueError(f"weights={weights}: at least 1")
    make = CELLS[name]

    def count(size: int) -> int:
        with torch.device("meta"):  # neither memory nor random numbers
            return weight_count(make(input_size, size))

    size = 1
    while count(size + 1) <= weights:
        size += 1
    return make(input_size, min((size, size + 1), key=lambda s: abs(count(s) - weights)))
