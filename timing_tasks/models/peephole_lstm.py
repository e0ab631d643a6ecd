"""An LSTM layer with peepholes (Gers, Schraudolph and Schmidhuber 2002) that takes the place of `torch.nn.LSTM`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any, overload

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from timing_tasks.models import layer_inputs, lstm_conversion, native_recurrence, recurrence
from timing_tasks.models.initial_state import Zero, initial_state_of
from timing_tasks.models.packed import run_packed
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
        h_t &= o_t \odot \psi(c_t)

    With zero peepholes this is `torch.nn.LSTM`, number for number. Shapes, the order (i, f, g, o) of the gates and the
    meaning of `batch_first` are those of `torch.nn.LSTM`; there is one bias, where that has two that are only ever
    added.

    In place of `torch.nn.LSTM(8, 32, batch_first=True)`:

        >>> lstm = PeepholeLSTM(8, 32, batch_first=True, initial_state="learned")
        >>> x = torch.randn(4, 10, 8)  # (N, T, features)
        >>> output, (h, c) = lstm(x)
        >>> output.shape, h.shape
        (torch.Size([4, 10, 32]), torch.Size([1, 4, 32]))

    Several layers and both directions are a `StackedPeepholeLSTM`. Sequences of several lengths are a `PackedSequence`,
    as for `torch.nn.LSTM`, or padded with anything finite: in this layer, which runs forwards, what comes after the end
    of a sequence does not change what comes before, so that the padding only has to be left out of the loss, and the
    last output is `output[torch.arange(N), lengths - 1]`. A padded batch that is flipped in time to run backwards
    begins with the padding and gives other outputs: pack it.

    On the CPU, in float32 and float64, it runs natively (`native_recurrence`), under autocast in float32; elsewhere as
    a loop of tensor operations (`recurrence`). Both have derivatives of any order. Second and forward-mode derivatives,
    vectorised Jacobians and the transforms of `torch.func` use the loop. On x86, the last digits of the instruction set
    `portable` differ from those of the others.

    A program that `torch.export` has saved from the CPU contains the operator `timing_tasks::peephole_lstm`, which
    `import timing_tasks.models.native_recurrence` registers: import it before `torch.export.load`.

    Args:
        input_size: features of x.
        hidden_size: cells, and features of h.
        bias: whether the gates and the cell input have biases.
        batch_first: tensors are (batch, time, features) rather than (time, batch, features).
        peepholes: whether the gates see the cell state.
        activation: phi, of the cell input: `tanh`, `identity` as in the paper, or `centred_logistic`, which is
            2 * sigma(s) - 1 = tanh(s / 2).
        cell_output_activation: psi, of the cell output, one of these; None for the same as `activation`.
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
        num_layers: 1. This and the next three are for calls that were written for `torch.nn.LSTM`.
        dropout: 0.
        bidirectional: False.
        proj_size: 0.

    Parameters (all drawn uniformly from +-1/sqrt(hidden_size); each with a leading axis of R with `replicas`):
        weight_ih: (4 * hidden_size, input_size), rows in the order i, f, g, o.
        weight_hh: (4 * hidden_size, hidden_size), rows in the same order.
        bias: (4 * hidden_size,), in the same order; absent without `bias`.
        weight_peephole: (3, hidden_size), rows p_i, p_f, p_o; absent without `peepholes`.

    Raises:
        ValueError: sizes or replicas below 1, an unknown activation, gate or initial state; several layers or
            directions, dropout or projections.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        bias: bool = True,
        batch_first: bool = False,
        peepholes: bool = True,
        activation: str = "tanh",
        cell_output_activation: str | None = None,
        gate_bias: Mapping[str, float] | None = None,
        truncated: bool = False,
        initial_state: str | nn.Module = "zero",
        replicas: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        num_layers: int = 1,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
    ) -> None:
        super().__init__()
        if num_layers != 1 or bidirectional or dropout:
            text = f"num_layers={num_layers}, bidirectional={bidirectional}, dropout={dropout}"
            raise ValueError(f"{text}: this is one layer in one direction; use StackedPeepholeLSTM")
        if proj_size:
            raise ValueError(f"proj_size={proj_size}: there are no projections; put an nn.Linear behind the layer")
        if input_size < 1 or hidden_size < 1:
            raise ValueError(f"input_size={input_size}, hidden_size={hidden_size}: both at least 1")
        if replicas is not None and replicas < 1:
            raise ValueError(f"replicas={replicas}: at least 1, or None for a layer without the axis")
        chosen = {"activation": activation, "cell_output_activation": cell_output_activation or activation}
        if wrong := {name: value for name, value in chosen.items() if value not in ACTIVATIONS}:
            raise ValueError(f"{wrong}: each one of {', '.join(ACTIVATIONS)}")
        self.gate_bias = dict(gate_bias or {})
        if unknown := set(self.gate_bias) - set(GATES):
            raise ValueError(f"gate_bias names {sorted(unknown)}: only {', '.join(GATES)} are gates")
        if self.gate_bias and not bias:
            raise ValueError("gate_bias needs bias=True")
        self.input_size, self.hidden_size = input_size, hidden_size
        self.batch_first, self.truncated, self.replicas = batch_first, truncated, replicas
        self.activation, self.cell_output_activation = activation, cell_output_activation or activation

        def parameter(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(*self._replica_axis, *shape, device=device, dtype=dtype))

        self.weight_ih = parameter(4 * hidden_size, input_size)
        self.weight_hh = parameter(4 * hidden_size, hidden_size)
        self.bias: nn.Parameter | None = parameter(4 * hidden_size) if bias else None
        self.weight_peephole: nn.Parameter | None = parameter(3, hidden_size) if peepholes else None
        self.initial_state = initial_state_of(self, initial_state)
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
        """Draw every parameter of the layer again and set the named gate biases; not those of the initial state."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters(recurse=False):
            parameter.uniform_(-bound, bound)
        if self.bias is not None:
            gates = self.bias.view(*self._replica_axis, 4, self.hidden_size)
            for gate, row in zip(GATES, (0, 1, 3), strict=True):
                if gate in self.gate_bias:
                    gates[..., row, :] = self.gate_bias[gate]

    @classmethod
    def from_lstm(cls, lstm: nn.LSTM, **arguments: Any) -> PeepholeLSTM:
        """A layer that computes what an `nn.LSTM` of one layer and one direction does: its peepholes are 0.

        Args:
            lstm: whose weights are copied.
            **arguments: of the class, beside those that `lstm` determines.

        Raises:
            ValueError: several layers or directions, or projections.
        """
        shared = lstm_conversion.arguments_of(lstm)
        if lstm.num_layers > 1 or lstm.bidirectional:
            raise ValueError("several layers or directions: use StackedPeepholeLSTM.from_lstm")
        layer = cls(lstm.input_size, lstm.hidden_size, **shared | arguments)
        lstm_conversion.copy_from_lstm(layer, lstm, "l0")
        return layer.train(lstm.training)

    def to_lstm(self) -> nn.LSTM:
        """The `nn.LSTM` that computes the same outputs; give it the initial state in each call, if that is not zero.

        It has two biases where this layer has one: one of them is 0. Trained further, it learns them both. Its gradient
        is not truncated.

        Raises:
            ValueError: peepholes that are not 0, other activations than tanh, or replicas.
        """
        if (self.activation, self.cell_output_activation) != ("tanh", "tanh") or self.replicas is not None:
            raise ValueError("an nn.LSTM has the activation tanh, and no replicas")
        like = {"device": self.weight_hh.device, "dtype": self.weight_hh.dtype}
        sizes = (self.input_size, self.hidden_size)
        lstm = nn.LSTM(*sizes, bias=self.bias is not None, batch_first=self.batch_first, **like)
        lstm_conversion.copy_to_lstm(self, lstm, "l0")
        return lstm.train(self.training)

    def flatten_parameters(self) -> None:
        """Nothing: for programs that were written for `torch.nn.LSTM`."""

    @overload
    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None, context: Tensor | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]: ...

    @overload
    def forward(
        self, input: PackedSequence, hx: tuple[Tensor, Tensor] | None = None, context: Tensor | None = None
    ) -> tuple[PackedSequence, tuple[Tensor, Tensor]]: ...

    def forward(
        self, input: Tensor | PackedSequence, hx: tuple[Tensor, Tensor] | None = None, context: Tensor | None = None
    ) -> tuple[Tensor | PackedSequence, tuple[Tensor, Tensor]]:
        """Run the layer over a sequence.

        Args:
            input: (T, N, input_size), (N, T, input_size) with `batch_first`, or (T, input_size) without a batch; or a
                `PackedSequence`, of a layer without replicas.
            hx: the initial (h, c), each (1, N, hidden_size), or (1, hidden_size) without a batch; by default the
                layer's own initial state.
            context: for an initial state that depends on one.

        Returns:
            The outputs, shaped like the input with hidden_size features, and the last (h, c), shaped like `hx`: of a
            `PackedSequence` those after the last step of each sequence. With `replicas` all of these have a leading
            axis of R.

        Raises:
            ValueError: an input or initial state of another shape, dtype or device than the layer's.
        """
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx, context)
        layer_inputs.check_shape(input, self._replica_axis, self.input_size, self.batch_first)
        batched = input.dim() == len(self._replica_axis) + 3
        batch_first = self.batch_first and batched
        x = (
            input if batched else input.unsqueeze(-2)
        )  # (..., T, N, input_size) or, with batch_first, (..., N, T, input_size)
        layer_inputs.check_like("input", x, self.weight_hh)
        h, c = self._initial(hx, x.size(-3 if batch_first else -2) if batched else None, context)
        if not batched:
            h, c = h.unsqueeze(-2), c.unsqueeze(-2)  # (..., 1, N, H) each
        output, h, c = self._run(x, h, c, batch_first=batch_first)
        if not batched:
            output, h, c = (tensor.squeeze(-2) for tensor in (output, h, c))
        return output, (h, c)

    def _forward_packed(
        self, packed: PackedSequence, hx: tuple[Tensor, Tensor] | None, context: Tensor | None
    ) -> tuple[PackedSequence, tuple[Tensor, Tensor]]:
        if self.replicas is not None:
            raise ValueError("a PackedSequence has no axis of replicas: pad the sequences")
        if packed.data.dim() != 2 or packed.data.size(1) != self.input_size:
            raise ValueError(f"input of {packed.data.size(-1)} features: expected {self.input_size}")
        layer_inputs.check_like("input", packed.data, self.weight_hh)
        h, c = self._initial(hx, int(packed.batch_sizes[0]), context)
        output, h, c = run_packed(partial(self._run, batch_first=False), packed, h, c)
        return output, (h, c)

    def _run(
        self, x: Tensor, h: Tensor, c: Tensor, *, batch_first: bool, continued: bool = False
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See `recurrence.run`."""
        weights = Weights(self.weight_ih, self.weight_hh, self.bias, self.weight_peephole)
        arguments = (x, h, c, weights, self.activation, self.truncated, batch_first, self.cell_output_activation)
        if native_recurrence.serves(x, weights) and not (self.truncated and continued):
            return native_recurrence.run(*arguments)
        return recurrence.run(*arguments, continued)

    def _initial(
        self, hx: tuple[Tensor, Tensor] | None, batch_size: int | None, context: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The state before the first step, checked: h and c, (..., 1, N, H), or (..., 1, H) without a batch."""
        shape = (*self._replica_axis, 1, *(() if batch_size is None else (batch_size,)), self.hidden_size)
        if hx is None and type(self.initial_state) is Zero:
            h, c = self.weight_hh.new_zeros(2, *shape).unbind()
            return h, c
        if hx is not None:
            return layer_inputs.checked_states("hx", hx, shape, self.weight_hh)
        states = self.initial_state(batch_size, context)
        return layer_inputs.checked_states("the initial state", states, shape, self.weight_hh)

    def extra_repr(self) -> str:
        """The arguments that differ from their defaults, for `print`."""
        text = f"{self.input_size}, {self.hidden_size}, activation={self.activation}"
        if self.cell_output_activation != self.activation:
            text += f", cell_output_activation={self.cell_output_activation}"
        text += f", peepholes={self.weight_peephole is not None}"
        text += "" if self.replicas is None else f", replicas={self.replicas}"
        return (
            text + (", truncated=True" if self.truncated else "") + (", batch_first=True" if self.batch_first else "")
        )
