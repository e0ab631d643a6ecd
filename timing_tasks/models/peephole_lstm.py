"""An LSTM layer with peepholes (Gers, Schraudolph and Schmidhuber 2002) that takes the place of `torch.nn.LSTM`."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from timing_tasks.models import native_recurrence, recurrence
from timing_tasks.models.initial_state import NAMES
from timing_tasks.models.recurrence import ACTIVATIONS, Weights

GATES = ("input", "forget", "output")


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
    meaning of `batch_first` are those of `torch.nn.LSTM`; there is one bias, where that has two that are only ever
    added.

    On the CPU, in float32 and float64, it runs natively (`native_recurrence`), under autocast in float32; elsewhere as
    a loop of tensor operations (`recurrence`). Both have derivatives of any order; the second ones go through the loop.
    The transforms of `torch.func` go through it too.

    In place of `torch.nn.LSTM(8, 32, batch_first=True)`, with x of shape (N, T, 8)::

        lstm = PeepholeLSTM(8, 32, batch_first=True)
        output, (h, c) = lstm(x)

    Both directions, and a second layer on top::

        back, second = PeepholeLSTM(8, 32, batch_first=True), PeepholeLSTM(64, 32, batch_first=True)
        both = torch.cat([lstm(x)[0], back(x.flip(1))[0].flip(1)], dim=-1)
        deep = second(both)[0]

    Sequences of several `lengths`, filled up to T with anything finite: what comes after the end of a sequence does not
    change what comes before, so that it only has to be left out of the loss (`target` has the shape of `output`)::

        mask = torch.arange(x.size(1)) < lengths.unsqueeze(1)
        loss = (output - target).square()[mask].mean()
        last = output[torch.arange(x.size(0)), lengths - 1]

    Args:
        input_size: features of x.
        hidden_size: cells, and features of h.
        bias: whether the gates and the cell input have biases.
        batch_first: tensors are (batch, time, features) rather than (time, batch, features).
        peepholes: whether the gates see the cell state.
        activation: phi, of the cell input and of the cell output: `tanh`, or `identity` as in the paper.
        gate_bias: initial biases by gate (`input`, `forget`, `output`); gates that are not named are drawn like the
            weights.
        truncated: cut the gradient as the paper does (PAPER.md 2): no error flows from a gate's or the cell's net input
            into h_{t-1}, nor through a peephole, so that errors travel back in time inside the cells only. Into the
            initial state it flows from the first step's net inputs (PAPER.md 2, "Learned initial state").
        initial_state: the state before the first step where none is given: a name of `initial_state.NAMES`, such as
            `learned`, or a module that makes (h, c) of the shapes of `hx` from (batch size or None, context), such as
            `initial_state.Contextual`.
        replicas: R independent layers side by side, each with weights and an initial state of its own; every parameter,
            input, output and state then has a leading axis of R.
        device: of the parameters.
        dtype: of the parameters.

    Parameters (all drawn uniformly from +-1/sqrt(hidden_size); each with a leading axis of R with `replicas`):
        weight_ih: (4 * hidden_size, input_size), rows in the order i, f, g, o.
        weight_hh: (4 * hidden_size, hidden_size), rows likewise.
        bias: (4 * hidden_size,), likewise; absent without `bias`.
        weight_peephole: (3, hidden_size), rows p_i, p_f, p_o; absent without `peepholes`.

    Raises:
        ValueError: sizes or replicas below 1, an unknown activation, gate or initial state.
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
        replicas: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if input_size < 1 or hidden_size < 1:
            raise ValueError(f"input_size={input_size}, hidden_size={hidden_size}: both at least 1")
        if replicas is not None and replicas < 1:
            raise ValueError(f"replicas={replicas}: at least 1, or None for a layer without the axis")
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation={activation!r}: one of {', '.join(ACTIVATIONS)}")
        self.gate_bias = dict(gate_bias or {})
        if unknown := set(self.gate_bias) - set(GATES):
            raise ValueError(f"gate_bias names {sorted(unknown)}: only {', '.join(GATES)} are gates")
        if self.gate_bias and not bias:
            raise ValueError("gate_bias needs bias=True")
        self.input_size, self.hidden_size = input_size, hidden_size
        self.batch_first, self.activation, self.truncated, self.replicas = batch_first, activation, truncated, replicas

        def parameter(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(*self._replica_axis, *shape, device=device, dtype=dtype))

        self.weight_ih = parameter(4 * hidden_size, input_size)
        self.weight_hh = parameter(4 * hidden_size, hidden_size)
        self.bias: nn.Parameter | None = parameter(4 * hidden_size) if bias else None
        self.weight_peephole: nn.Parameter | None = parameter(3, hidden_size) if peepholes else None
        if isinstance(initial_state, str):
            if initial_state not in NAMES:
                raise ValueError(f"initial_state={initial_state!r}: one of {', '.join(NAMES)}, or a module")
            initial_state = NAMES[initial_state].of(self)
        self.initial_state = initial_state
        self.reset_parameters()

    @property
    def _replica_axis(self) -> tuple[int, ...]:
        """The leading axis of every tensor: (R,), or none."""
        return () if self.replicas is None else (self.replicas,)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The shapes of h and c without the batch, for an initial state; the batch stands before the last axis."""
        shape = (*self._replica_axis, 1, self.hidden_size)
        return shape, shape

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw every parameter of the layer anew and set the named gate biases; the initial state is a module of its own."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters(recurse=False):
            parameter.uniform_(-bound, bound)
        if self.bias is not None:
            gates = self.bias.view(*self._replica_axis, 4, self.hidden_size)
            for gate, row in zip(GATES, (0, 1, 3), strict=True):
                if gate in self.gate_bias:
                    gates[..., row, :] = self.gate_bias[gate]

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None, context: Tensor | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Run the layer over a sequence.

        Args:
            input: (T, N, input_size), (N, T, input_size) with `batch_first`, or (T, input_size) without a batch.
            hx: the initial (h, c), each (1, N, hidden_size), or (1, hidden_size) without a batch; by default the
                layer's own initial state.
            context: for an initial state that depends on one.

        Returns:
            The outputs, shaped like the input with hidden_size features, and the last (h, c), shaped like `hx`. With
            `replicas` all of these have a leading axis of R.

        Raises:
            ValueError: an input or initial state of another shape, dtype or device than the layer's.
        """
        axis = self._replica_axis
        batched = input.dim() == len(axis) + 3
        if (
            input.dim() - len(axis) not in (2, 3)
            or input.shape[: len(axis)] != axis
            or input.size(-1) != self.input_size
        ):
            layout = "batch, time" if self.batch_first else "time, batch"
            with_batch, without = (", ".join(map(str, (*axis, some, self.input_size))) for some in (layout, "time"))
            raise ValueError(
                f"input of shape {tuple(input.shape)}: expected ({with_batch}), or ({without}) without a batch"
            )
        batch_first = self.batch_first and batched
        x = (
            input if batched else input.unsqueeze(-2)
        )  # (..., T, N, input_size) or, with batch_first, (..., N, T, input_size)
        batch = (x.size(-3 if batch_first else -2),) if batched else ()
        if hx is None:
            hx = self.initial_state(*batch or (None,), context)
        expected = (*axis, 1, *batch, self.hidden_size)
        for name, state in zip("hc", hx, strict=True):
            if tuple(state.shape) != expected:
                raise ValueError(f"{name}0 of shape {tuple(state.shape)}: expected {expected}")
        h, c = hx if batched else (state.unsqueeze(-2) for state in hx)  # (..., 1, N, hidden_size) each
        weights = Weights(self.weight_ih, self.weight_hh, self.bias, self.weight_peephole)
        device, dtype = weights.hh.device, weights.hh.dtype
        for name, tensor in (("input", x), ("h0", h), ("c0", c)):
            if tensor.device != device or tensor.dtype != dtype:
                self._check(name, tensor)
        run = native_recurrence.run if native_recurrence.serves(x, weights) else recurrence.run
        output, h, c = run(x, h, c, weights, self.activation, self.truncated, batch_first)
        if not batched:
            output, h, c = (tensor.squeeze(-2) for tensor in (output, h, c))
        return output, (h, c)

    def _check(self, name: str, tensor: Tensor) -> None:
        """Raise ValueError for a tensor that is not on the layer's device or not of its dtype; under autocast others will do."""
        weight = self.weight_hh
        if tensor.device != weight.device:
            raise ValueError(
                f"{name} is on {tensor.device}, the layer on {weight.device}: move one, as with {name}.to(...)"
            )
        if tensor.dtype != weight.dtype:
            will_do = tensor.is_floating_point() and torch.float64 not in (tensor.dtype, weight.dtype)
            if not (will_do and torch.is_autocast_enabled(tensor.device.type)):
                text = f"{name} of dtype {tensor.dtype} does not match the layer's {weight.dtype}"
                raise ValueError(f"{text}: convert one, as with {name}.to({weight.dtype})")

    def extra_repr(self) -> str:
        """The arguments that differ from their defaults, for `print`."""
        text = f"{self.input_size}, {self.hidden_size}, activation={self.activation}"
        text += f", peepholes={self.weight_peephole is not None}"
        text += "" if self.replicas is None else f", replicas={self.replicas}"
        return (
            text + (", truncated=True" if self.truncated else "") + (", batch_first=True" if self.batch_first else "")
        )
