"""The minimal GRU (Feng et al., Were RNNs All We Needed?, arXiv:2410.01201, section 3.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from timing_tasks.models.cells.layer import RecurrentLayer, linear_recurrence


class MinGRU(RecurrentLayer):
    r"""A GRU whose gate and candidate see the input alone, so that its state is a linear recurrence.

    .. math::
        z_t &= \sigma(W_z x_t + b_z) \\
        \tilde h_t &= W_h x_t + b_h \\
        h_t &= (1 - z_t) \odot h_{t-1} + z_t \odot \tilde h_t

    The output is h, the state (1, N, H).

    Args:
        input_size: I.
        hidden_size: H.

    Parameters (all drawn uniformly from +-1/sqrt(H)):
        weight: (2H, I), rows z, then h.
        bias: (2H,), in the same order.

    Example:
        >>> import torch
        >>> from timing_tasks.models import Learned
        >>> from timing_tasks.models.cells import MinGRU
        >>> layer = MinGRU(1, 8)
        >>> output, state = layer(torch.zeros(16, 50, 1), Learned.of(layer)(16))
        >>> output.shape, state.shape
        (torch.Size([16, 50, 8]), torch.Size([1, 16, 8]))
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.state_shapes = ((1, hidden_size),)
        self.weight = nn.Parameter(torch.empty(2 * hidden_size, input_size))
        self.bias = nn.Parameter(torch.empty(2 * hidden_size))
        self.reset_parameters()

    def run(self, x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """See `RecurrentLayer`."""
        gate, candidate = nn.functional.linear(x, self.weight, self.bias).chunk(2, dim=-1)  # (N, T, H) each
        h = linear_recurrence(torch.sigmoid(-gate), torch.sigmoid(gate) * candidate, states[0][0])  # 1 - z, exactly
        return h, (h[:, -1].unsqueeze(0),)
