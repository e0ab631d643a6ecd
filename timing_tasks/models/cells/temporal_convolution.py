"""A causal temporal convolution (Bai, Kolter and Koltun, arXiv:1803.01271), without a state."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

_WIDTH = 3  # taps of a convolution


class TemporalConvolution(nn.Module):
    r"""Dilated causal convolutions on top of each other, each with a residual. It has no state.

    .. math::
        h^{(1)} = \mathrm{relu}(K_1 * x), \quad h^{(l+1)} = h^{(l)} + \mathrm{relu}(K_{l+1} *_{2^l} h^{(l)})

    One convolution of three taps a level, where the paper has two with weight normalisation and dropout. An output sees
    the last 2^{levels + 1} - 1 inputs: no longer interval can be measured.

    Args:
        input_size: I, features of x.
        hidden_size: H, channels and features of the output.
        levels: how many; the default sees 63 steps.

    Parameters (as `nn.Conv1d` draws them):
        convolutions: one a level, (H, I or H, 3) and a bias, the oldest tap first.

    Raises:
        ValueError: sizes below 1.

    Example:
        >>> import torch
        >>> from timing_tasks.models.cells import TemporalConvolution
        >>> output, _ = TemporalConvolution(1, 8)(torch.zeros(16, 50, 1))
        >>> output.shape
        torch.Size([16, 50, 8])
    """

    def __init__(self, input_size: int, hidden_size: int, levels: int = 5) -> None:
        super().__init__()
        if min(input_size, hidden_size, levels) < 1:
            raise ValueError(f"input_size={input_size}, hidden_size={hidden_size}, levels={levels}: all at least 1")
        self.input_size, self.hidden_size = input_size, hidden_size
        self.convolutions = nn.ModuleList(
            nn.Conv1d(hidden_size if level else input_size, hidden_size, _WIDTH, dilation=2**level)
            for level in range(levels)
        )

    @property
    def receptive_field(self) -> int:
        """How many inputs, up to the present one, an output sees."""
        return 1 + (_WIDTH - 1) * ((1 << len(self.convolutions)) - 1)

    def forward(self, x: Tensor, state: None = None) -> tuple[Tensor, None]:
        """The outputs (N, T, H) for inputs x (N, T, I), and None."""
        if state is not None:
            raise ValueError("a temporal convolution has no state")
        h = x.transpose(1, 2)  # (N, I, T)
        for level, layer in enumerate(self.convolutions):
            past = (_WIDTH - 1) * 2**level
            found = torch.relu(cast(Tensor, layer(nn.functional.pad(h, (past, 0)))))  # (N, H, T)
            h = h + found if level else found
        return h.transpose(1, 2), None
