"""The Mamba-2 block in plain torch (Dao and Gu, ICML 2024, arXiv:2405.21060), with an initial state."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from timing_tasks.models.cells.layer import RecurrentLayer, linear_recurrence

_WIDTH = 4  # of the convolution
_LEAST_STEP, _GREATEST_STEP = 1e-3, 1e-1  # dt at first


class Mamba2(RecurrentLayer):
    r"""A selective state space layer: a short causal convolution, a recurrence whose step depends on the input, a gate.

    .. math::
        g_t, v_t, d_t &= W x_t, \quad u_t, B_t, C_t = \mathrm{silu}(\mathrm{conv}(v)_t), \quad
        \Delta_t = \mathrm{softplus}(d_t + b_\Delta) \\
        S_t &= e^{-\Delta_t e^{a}} S_{t-1} + \Delta_t u_t B_t^\top, \quad y_t = S_t C_t + D \odot u_t \\
        h_t &= \mathrm{RMSNorm}(y_t \odot \mathrm{silu}(g_t))

    Every unit is a head of its own; B and C are shared by all. The block's projection to the features of a stack is
    left out: what reads h, such as an output unit, is linear itself. The output is h. The state is S, (H, N, S), and
    the last three inputs v of the convolution, (3, N, H + 2S).

    Args:
        input_size: I.
        hidden_size: H.
        state_size: S, the states of each unit; by default H, but at most 8.

    Parameters (by name):
        projection: W, (3H + 2S, I), rows g, v, d; as `nn.Linear` draws it.
        convolution: depthwise, of width 4, (H + 2S, 1, 4) and a bias; as `nn.Conv1d` draws them.
        step_bias: (H,), so that softplus of it is log-uniform from 0.001 to 0.1 at first.
        log_decay: a, (H,); exp(a) is uniform from 1 to 16 at first.
        skip: D, (H,), 1 at first.
        norm: (H,), 1 at first.

    Example:
        >>> import torch
        >>> from timing_tasks.models.cells import Mamba2
        >>> output, (state, recent) = Mamba2(1, 10)(torch.zeros(16, 50, 1))
        >>> output.shape, state.shape, recent.shape
        (torch.Size([16, 50, 10]), torch.Size([10, 16, 8]), torch.Size([3, 16, 26]))
    """

    can_be_mapped = False  # the convolution rounds by how many nets torch.vmap puts into it

    def __init__(self, input_size: int, hidden_size: int, state_size: int | None = None) -> None:
        super().__init__(input_size, hidden_size)
        self.state_size = min(hidden_size, 8) if state_size is None else state_size
        if self.state_size < 1:
            raise ValueError(f"state_size={state_size}: at least 1")
        channels = hidden_size + 2 * self.state_size
        self.state_shapes = ((hidden_size, self.state_size), (_WIDTH - 1, channels))
        self.projection = nn.Linear(input_size, 2 * hidden_size + channels, bias=False)
        self.convolution = nn.Conv1d(channels, channels, _WIDTH, groups=channels)
        self.step_bias, self.log_decay, self.skip = (nn.Parameter(torch.empty(hidden_size)) for _ in range(3))
        self.norm = nn.Parameter(torch.empty(hidden_size))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the parameters as the class says."""
        self.projection.reset_parameters()
        self.convolution.reset_parameters()
        low, high = math.log(_LEAST_STEP), math.log(_GREATEST_STEP)
        step = torch.exp(low + torch.rand_like(self.step_bias) * (high - low))
        self.step_bias.copy_(torch.log(torch.expm1(step)))  # the inverse of softplus
        self.log_decay.copy_(torch.log(1 + 15 * torch.rand_like(self.log_decay)))
        nn.init.ones_(self.skip)
        nn.init.ones_(self.norm)

    def run(self, x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """See `RecurrentLayer`."""
        size, width = self.hidden_size, self.state_size
        gate, v, step = torch.split(self.projection(x), [size, size + 2 * width, size], dim=-1)  # (N, T, ...)
        v = torch.cat([states[1].movedim(0, 1), v], dim=1)  # (N, 3 + T, H + 2S)
        mixed = nn.functional.silu(self.convolution(v.transpose(1, 2))).transpose(1, 2)  # (N, T, H + 2S)
        u, b, c = torch.split(mixed, [size, width, width], dim=-1)
        step = nn.functional.softplus(step + self.step_bias)  # (N, T, H)
        kept = torch.exp(-step * torch.exp(self.log_decay)).unsqueeze(-1)  # (N, T, H, 1)
        written = (step * u).unsqueeze(-1) * b.unsqueeze(-2)  # (N, T, H, S)
        s = linear_recurrence(kept, written, states[0].movedim(0, 1))  # (N, T, H, S)
        y = (s @ c.unsqueeze(-1)).squeeze(-1) + self.skip * u  # (N, T, H)
        h = nn.functional.rms_norm(y * nn.functional.silu(gate), (size,), self.norm, eps=1e-5)
        return h, (s[:, -1].movedim(1, 0), v[:, -(_WIDTH - 1) :].movedim(1, 0))
