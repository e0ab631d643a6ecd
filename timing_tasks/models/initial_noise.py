"""The noise on the initial state `noisy` in training: for one cell, the numbers are those of the online recipe's engines."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from timing_tasks.philox import philox4x32
from timing_tasks.tasks.streams import Purpose


def initial_noise(
    deviation: float, keys: np.ndarray, first: np.ndarray, streams: int, states: int, size: int
) -> Tensor:
    """Uniform noise with a standard deviation, a function of seed, replica and stream alone.

    Args:
        deviation: of the noise.
        keys: seed and replica of each net, int64, (R, 2).
        first: the number of each net's first stream, int64, (R,).
        streams: N, how many streams each net has.
        states: how many states a layer starts from: 2 with cells (their output and they themselves), or 1.
        size: H, of a state.

    Returns:
        (R, states, N, H), float64.
    """
    seed, replica = (keys[:, k].reshape(-1, 1, 1) for k in (0, 1))
    number = first.reshape(-1, 1, 1) + np.arange(streams).reshape(1, -1, 1)  # (R, N, 1)
    block = np.arange(size)  # one for each cell
    zero = np.zeros(np.broadcast_shapes(number.shape, block.shape), dtype=np.int64)
    words = philox4x32((zero + number, zero + block, zero, zero + Purpose.INITIAL_STATE), (zero + seed, zero + replica))
    width = deviation * np.sqrt(3.0)
    uniform = [width * ((2.0 * word + 1.0) * 2.0**-32 - 1.0) for word in words]  # (R, N, H) each
    # The engines draw the first word for s(0), the second for y(0); layers have the output first.
    return torch.from_numpy(np.stack([uniform[1], uniform[0]][-states:], axis=1))
