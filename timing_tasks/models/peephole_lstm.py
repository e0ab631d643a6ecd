"""An LSTM layer with peepholes (Gers, Schraudolph and Schmidhuber 2002) that takes the place of `torch.nn.LSTM`."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from timing_tasks.models.initial_state import NAMES

GATES = ("input", "forget", "output")
ACTIVATIONS = ("tanh", "identity")


class PeepholeLSTM(nn.Module):
    r"""A single layer of LSTM cells whose gates see the cell state.

    .. math::
        i_t &= \sigma(W_i x_t + U_i h_{t-1} + b_i + p_i \odot c_{t-1}) \\
        f_t &= \sigma(W_f x_t + U_f h_{t-1} + b_f + p_f \odot c_{t-1}) \\
        g_t &= \phi(W_g x_t + U_g h_{t-1} + b_g) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
        o_t &= \sigma(W_o x_t + U_o h_{t-1} + b_o + p_o \odot c_t) \\
        h_t &= o_t \odot \phi(c_t)

    With zero peepholes this is `torch.nn.LSTM`, number for number. Shapes, the order (i, f, g, o) of the gates and the
    meaning of `batch_first` are those of `torch.nn.LSTM`; there is one bias, where that has two that are only ever added.

    Args:
        input_size: features of x.
        hidden_size: cells, and features of h.
        bias: whether the gates and the cell input have biases.
        batch_first: tensors are (batch, time, features) rather than (time, batch, features).
        peepholes: whether the gates see the cell state.
        activation: phi, of the cell input and of the cell output: `tanh`, or `identity` as in the paper.
        gate_bias: initial biases by gate (`input`, `forget`, `output`); gates that are not named are drawn like the weights.
        truncated: cut the gradient as the paper does (PAPER.md 2): no error flows from a gate's or the cell's net input into
            h_{t-1}, nor through a peephole, so that errors travel back in time inside the cells only. Into the initial state it
            flows from the first step's net inputs (PAPER.md 2, "Learned initial state").
        initial_state: the state before the first step where none is given: a name of `initial_state.NAMES`, such as `learned`, or
            a module that makes (h, c) of the shapes of `hx` from (batch size or None, context), such as `initial_state.Contextual`.
        device: of the parameters.
        dtype: of the parameters.

    Parameters (all drawn uniformly from +-1/sqrt(hidden_size)):
        weight_ih: (4 * hidden_size, input_size), rows in the order i, f, g, o.
        weight_hh: (4 * hidden_size, hidden_size), rows likewise.
        bias: (4 * hidden_size,), likewise; absent without `bias`.
        weight_peephole: (3, hidden_size), rows p_i, p_f, p_o; absent without `peepholes`.

    Raises:
        ValueError: sizes below 1, an unknown activation, gate or initial state.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        batch_first: bool = False,
        peepholes: bool = True,
        activation: str = "tanh",
        gate_bias: Mapping[str, float] | None = None,
        truncated: bool = False,
        initial_state: str | nn.Module = "zero",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if input_size < 1 or hidden_size < 1:
            raise ValueError(f"input_size={input_size}, hidden_size={hidden_size}: both at least 1")
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation={activation!r}: one of {', '.join(ACTIVATIONS)}")
        self.gate_bias = dict(gate_bias or {})
        if unknown := set(self.gate_bias) - set(GATES):
            raise ValueError(f"gate_bias names {sorted(unknown)}: only {', '.join(GATES)} are gates")
        if self.gate_bias and not bias:
            raise ValueError("gate_bias needs bias=True")
        self.input_size, self.hidden_size = input_size, hidden_size
        self.batch_first, self.activation, self.truncated = batch_first, activation, truncated

        def parameter(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(*shape, device=device, dtype=dtype))

        self.weight_ih = parameter(4 * hidden_size, input_size)
        self.weight_hh = parameter(4 * hidden_size, hidden_size)
        self.bias: nn.Parameter | None = parameter(4 * hidden_size) if bias else None
        self.weight_peephole: nn.Parameter | None = parameter(3, hidden_size) if peepholes else None
        if isinstance(initial_state, str):
            if initial_state not in NAMES:
                raise ValueError(f"initial_state={initial_state!r}: one of {', '.join(NAMES)}, or a module")
            initial_state = NAMES[initial_state](*self.state_shapes, device=device, dtype=dtype)
        self.initial_state = initial_state
        self.reset_parameters()

    @property
    def state_shapes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """The shapes of h and c without the batch, for an initial state."""
        return (1, self.hidden_size), (1, self.hidden_size)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw every parameter of the layer anew and set the named gate biases; the initial state is a module of its own."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters(recurse=False):
            parameter.uniform_(-bound, bound)
        if self.bias is not None:
            gates = self.bias.view(4, self.hidden_size)
            for gate, row in zip(GATES, (0, 1, 3), strict=True):
                if gate in self.gate_bias:
                    gates[row] = self.gate_bias[gate]

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None, context: Tensor | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Run the layer over a sequence.

        Args:
            input: (T, N, input_size), (N, T, input_size) with `batch_first`, or (T, input_size) without a batch.
            hx: the initial (h, c), each (1, N, hidden_size), or (1, hidden_size) without a batch; by default the layer's own
                initial state.
            context: for an initial state that depends on one.

        Returns:
            The outputs, shaped like the input with hidden_size features, and the last (h, c), shaped like `hx`.

        Raises:
            ValueError: an input or initial state of another shape.
        """
        if input.dim() not in (2, 3) or input.size(-1) != self.input_size:
            raise ValueError(
                f"input of shape {tuple(input.shape)}: (time, {self.input_size}) or three dimensions, the last {self.input_size}"
            )
        batched = input.dim() == 3
        x = input if batched else input.unsqueeze(1)
        x = x.transpose(0, 1) if batched and self.batch_first else x  # (T, N, input_size)
        state_shape = (1, x.size(1), self.hidden_size)
        if hx is None:
            hx = self.initial_state(x.size(1) if batched else None, context)
        expected = state_shape if batched else (1, self.hidden_size)
        for name, state in zip("hc", hx, strict=True):
            if tuple(state.shape) != expected:
                raise ValueError(f"{name}0 of shape {tuple(state.shape)}: expected {expected}")
        h, c = (state.reshape(state_shape[1:]) for state in hx)
        x_part = nn.functional.linear(x, self.weight_ih, self.bias)  # (T, N, 4 * hidden_size)
        outputs = []
        for t, net_x in enumerate(x_part.unbind(0)):
            h, c = self._step(net_x, h, c, cut=self.truncated and t > 0)
            outputs.append(h)
        output = torch.stack(outputs) if outputs else x.new_zeros(0, *state_shape[1:])  # (T, N, hidden_size)
        output = output.transpose(0, 1) if batched and self.batch_first else output
        if not batched:
            return output.squeeze(1), (h, c)
        return output, (h.unsqueeze(0), c.unsqueeze(0))

    def _step(self, net_x: Tensor, h: Tensor, c: Tensor, cut: bool) -> tuple[Tensor, Tensor]:
        """One time step; net_x (N, 4 * hidden_size), h and c (N, hidden_size), whose net inputs get no error if `cut`."""
        squash = torch.tanh if self.activation == "tanh" else torch.nn.Identity()
        h_seen = h.detach() if cut else h
        c_seen = c.detach() if cut else c
        i, f, g, o = (net_x + h_seen @ self.weight_hh.T).chunk(4, dim=1)  # each (N, hidden_size)
        if self.weight_peephole is not None:
            p_i, p_f, p_o = self.weight_peephole
            i, f = i + p_i * c_seen, f + p_f * c_seen
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * squash(g)
        if self.weight_peephole is not None:
            o = o + p_o * (c.detach() if self.truncated else c)
        return torch.sigmoid(o) * squash(c), c

    def extra_repr(self) -> str:
        """The arguments that differ from their defaults, for `print`."""
        text = f"{self.input_size}, {self.hidden_size}, activation={self.activation}"
        text += f", peepholes={self.weight_peephole is not None}"
        return text + (", truncated=True" if self.truncated else "") + (", batch_first=True" if self.batch_first else "")
