"""The linear recurrent unit, a diagonal complex state space layer (Orvieto et al., ICML 2023, arXiv:2303.06349)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from timing_tasks.models.cells.layer import RecurrentLayer, linear_recurrence


class LRU(RecurrentLayer):
    r"""A diagonal linear recurrence in the complex plane, inside the unit circle by construction, and a gated output.

    .. math::
        s_t &= \lambda \odot s_{t-1} + e^{\gamma} \odot B x_t, \quad \lambda = \exp(-e^{\nu} + i e^{\theta}) \\
        u_t &= \mathrm{gelu}(\mathrm{Re}(C s_t) + D x_t) \\
        y_t &= u_t \odot \sigma(W u_t + b)

    The recurrence is the paper's (its equations 5 to 7 and its appendix A); the output is that of an S5 layer (Smith,
    Warrington and Linderman, ICLR 2023), since without a nonlinearity the whole layer would be a linear filter. The
    output is y, the state (1, N, 2H): the real parts of s, then the imaginary ones.

    Args:
        input_size: I.
        hidden_size: H, complex states, and features of the output.
        least_modulus: of lambda, at first.
        greatest_modulus: the upper bound.

    Parameters (by name):
        nu: (H,), so that the moduli are uniform on the ring between the two at first.
        theta: (H,), so that the phases are uniform from 0 to pi at first.
        gamma: (H,), log sqrt(1 - |lambda|^2) at first.
        input: (H, I, 2), B; normal, of the variance 1/(2I), real and imaginary parts.
        output: (H, H, 2), C; normal, of the variance 1/H.
        skip: (H, I), D; normal, of the variance 1/I.
        gate: W, b; as `nn.Linear` draws them.

    Example:
        >>> import torch
        >>> from timing_tasks.models.cells import LRU
        >>> output, state = LRU(1, 8)(torch.zeros(16, 50, 1))
        >>> output.shape, state.shape
        (torch.Size([16, 50, 8]), torch.Size([1, 16, 16]))
    """

    def __init__(
        self, input_size: int, hidden_size: int, least_modulus: float = 0.0, greatest_modulus: float = 1.0
    ) -> None:
        super().__init__(input_size, hidden_size)
        if not 0 <= least_modulus < greatest_modulus <= 1:
            raise ValueError(
                f"moduli from {least_modulus} to {greatest_modulus}: from 0 to 1, the first below the second"
            )
        self.moduli = least_modulus, greatest_modulus
        self.state_shapes = ((1, 2 * hidden_size),)
        self.nu, self.theta, self.gamma = (nn.Parameter(torch.empty(hidden_size)) for _ in range(3))
        self.input = nn.Parameter(torch.empty(hidden_size, input_size, 2))
        self.output = nn.Parameter(torch.empty(hidden_size, hidden_size, 2))
        self.skip = nn.Parameter(torch.empty(hidden_size, input_size))
        self.gate = nn.Linear(hidden_size, hidden_size)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the parameters as the class says."""
        least, greatest = self.moduli
        square = least**2 + torch.rand_like(self.nu) * (greatest**2 - least**2)  # of the modulus
        square = square.clamp(1e-6, 1 - 1e-6)
        self.nu.copy_(torch.log(-0.5 * torch.log(square)))
        self.theta.copy_(torch.log(math.pi * (1 - torch.rand_like(self.theta))))
        self.gamma.copy_(0.5 * torch.log(1 - square))
        nn.init.normal_(self.input, std=(2 * self.input_size) ** -0.5)
        nn.init.normal_(self.output, std=self.hidden_size**-0.5)
        nn.init.normal_(self.skip, std=self.input_size**-0.5)
        self.gate.reset_parameters()

    def run(self, x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """See `RecurrentLayer`."""
        factor = torch.polar(torch.exp(-torch.exp(self.nu)), torch.exp(self.theta))  # lambda, (H,)
        driven = x.to(factor.dtype) @ torch.view_as_complex(self.input).T * torch.exp(self.gamma)  # (N, T, H)
        start = torch.complex(*states[0][0].chunk(2, dim=-1))  # (N, H)
        s = linear_recurrence(factor.expand_as(driven), driven, start)
        real_output = (s @ torch.view_as_complex(self.output).T).real + x @ self.skip.T  # (N, T, H)
        u = nn.functional.gelu(real_output)
        return u * torch.sigmoid(self.gate(u)), (torch.cat([s[:, -1].real, s[:, -1].imag], dim=-1).unsqueeze(0),)
