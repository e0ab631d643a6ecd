"""The sLSTM layer of xLSTM (Beck et al., NeurIPS 2024, arXiv:2405.04517, equations 8 to 17)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from timing_tasks.models.cells.layer import RecurrentLayer


class SLSTM(RecurrentLayer):
    r"""An LSTM with an exponential input gate and a normaliser, here in a form that cannot overflow.

    .. math::
        i_t &= \exp(\tilde i_t), \quad f_t = \sigma(\tilde f_t), \quad o_t = \sigma(\tilde o_t), \\
        z_t &= \tanh(\tilde z_t), \\
        c_t &= f_t \odot c_{t-1} + i_t \odot z_t, \quad n_t = f_t \odot n_{t-1} + i_t, \quad h_t = o_t \odot c_t / n_t

    with all net inputs affine in x_t and h_{t-1}. The paper keeps c and n in units of exp(m_t). Here, with the same
    outputs, they are kept as q = c/n and l = log n, which needs no third state and no division:

    .. math::
        l_t = \log(f_t e^{l_{t-1}} + i_t), \quad
        q_t = e^{\log f_t + l_{t-1} - l_t} \odot q_{t-1} + e^{\tilde i_t - l_t} \odot z_t, \quad h_t = o_t \odot q_t

    The output is h, the state (h, q, l), (1, N, H) each. A state of zeros means n = 1, where the paper begins with
    n = 0: a learned initial state needs a finite one.

    Args:
        input_size: I.
        hidden_size: H.

    Parameters (all drawn uniformly from +-1/sqrt(H)):
        weight_ih: (4H, I), rows i, f, z, o.
        weight_hh: (4H, H), in the same order: a single head.
        bias: (4H,), in the same order.

    Example:
        >>> import torch
        >>> from timing_tasks.models.cells import SLSTM
        >>> output, (h, q, l) = SLSTM(1, 8)(torch.zeros(16, 50, 1))
        >>> output.shape, l.shape
        (torch.Size([16, 50, 8]), torch.Size([1, 16, 8]))
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.state_shapes = ((1, hidden_size),) * 3
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.empty(4 * hidden_size))
        self.reset_parameters()

    def run(self, x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """See `RecurrentLayer`."""
        h, q, log_n = (state[0] for state in states)  # (N, H) each
        outputs = []
        for net_x in nn.functional.linear(x, self.weight_ih, self.bias).unbind(1):  # (N, 4H)
            log_i, net_f, net_z, net_o = torch.addmm(net_x, h, self.weight_hh.T).chunk(4, dim=-1)
            log_kept = nn.functional.logsigmoid(net_f) + log_n
            log_n = torch.logaddexp(log_kept, log_i)
            q = torch.exp(log_kept - log_n) * q + torch.exp(log_i - log_n) * torch.tanh(net_z)
            h = torch.sigmoid(net_o) * q
            outputs.append(h)
        return torch.stack(outputs, dim=1), (h.unsqueeze(0), q.unsqueeze(0), log_n.unsqueeze(0))
