"""The minimal LSTM (Feng et al., Were RNNs All We Needed?, arXiv:2410.01201, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from timing_tasks.models.cells.layer import RecurrentLayer, linear_recurrence


class MinLSTM(RecurrentLayer):
    r"""An LSTM whose gates see the input alone and add up to 1, so that its state is a linear recurrence.

    .. math::
        f_t &= \sigma(W_f x_t + b_f), \quad i_t = \sigma(W_i x_t + b_i) \\
        \tilde h_t &= W_h x_t + b_h \\
        h_t &= \frac{f_t}{f_t + i_t} \odot h_{t-1} + \frac{i_t}{f_t + i_t} \odot \tilde h_t

    The output is h, the state (1, N, H). The quotients are sigmoids of a difference of logarithms, which stays exact
    where both gates are nearly closed.

    Args:
        input_size: I.
        hidden_size: H.

    Parameters (all drawn uniformly from +-1/sqrt(H)):
        weight: (3H, I), rows f, i, h.
        bias: (3H,), in the same order.

    Example:
        >>> import torch
        >>> from timing_tasks.models.cells import MinLSTM
        >>> output, state = MinLSTM(1, 8)(torch.zeros(16, 50, 1))
        >>> output.shape, state.shape
        (torch.Size([16, 50, 8]), torch.Size([1, 16, 8]))
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.state_shapes = ((1, hidden_size),)
        self.weight = nn.Parameter(torch.empty(3 * hidden_size, input_size))
        self.bias = nn.Parameter(torch.empty(3 * hidden_size))
        self.reset_parameters()

    def run(self, x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """See `RecurrentLayer`."""
        forget, input, candidate = nn.functional.linear(x, self.weight, self.bias).chunk(3, dim=-1)  # (N, T, H) each
        ratio = logsigmoid(forget) - logsigmoid(input)
        h = linear_recurrence(torch.sigmoid(ratio), torch.sigmoid(-ratio) * candidate, states[0][0])
        return h, (h[:, -1].unsqueeze(0),)
