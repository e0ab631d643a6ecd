"""Several layers of peephole LSTM cells, in one direction or both, that take the place of `torch.nn.LSTM`."""

from __future__ import annotations

from typing import Any, overload

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from timing_tasks.models import layer_inputs, lstm_conversion
from timing_tasks.models.initial_state import Zero, initial_state_of
from timing_tasks.models.packed import reverse_packed
from timing_tasks.models.peephole_lstm import PeepholeLSTM


class StackedPeepholeLSTM(nn.Module):
    """L layers of D directions, D = 2 if `bidirectional` and 1 otherwise, as `torch.nn.LSTM` has them.

    Args:
        input_size: features of the input.
        hidden_size: cells of each layer and direction.
        num_layers: L.
        dropout: share of the outputs of each layer but the last that are set to 0 in training.
        bidirectional: whether each layer runs from the last step to the first, too; its outputs are those of the two
            directions side by side.
        batch_first: see `PeepholeLSTM`.
        initial_state: see `PeepholeLSTM`; of all layers and directions.
        **arguments: of each `PeepholeLSTM`, such as `activation` and `gate_bias`; not `replicas`.

    Attributes:
        layers: the `PeepholeLSTM`s, in the order of the states: layer 0 forwards, layer 0 backwards, layer 1 forwards
            ...

    Raises:
        ValueError: see `PeepholeLSTM`; no layers, a dropout outside [0, 1], replicas.

    Example:
        >>> lstm = StackedPeepholeLSTM(8, 32, num_layers=2, bidirectional=True, batch_first=True)
        >>> output, (h, c) = lstm(torch.randn(4, 10, 8))  # (N, T, features)
        >>> output.shape, h.shape
        (torch.Size([4, 10, 64]), torch.Size([4, 4, 32]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        num_layers: int = 1,
        dropout: float = 0.0,
        bidirectional: bool = False,
        batch_first: bool = False,
        initial_state: str | nn.Module = "zero",
        **arguments: Any,
    ) -> None:
        super().__init__()
        if num_layers < 1 or not 0 <= dropout <= 1:
            raise ValueError(f"num_layers={num_layers}, dropout={dropout}: at least 1, and within 0 and 1")
        if arguments.get("replicas") is not None:
            raise ValueError("replicas: only a PeepholeLSTM has them")
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.dropout, self.bidirectional, self.batch_first = dropout, bidirectional, batch_first
        inputs = [input_size, *[hidden_size * self.directions] * (num_layers - 1)]
        self.layers = nn.ModuleList(
            PeepholeLSTM(size, hidden_size, batch_first=batch_first, **arguments)
            for size in inputs
            for _ in range(self.directions)
        )
        self.initial_state = initial_state_of(self, initial_state)

    @property
    def directions(self) -> int:
        """D, 1 or 2."""
        return 2 if self.bidirectional else 1

    @property
    def state_shapes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """The shapes of h and c without the batch, which stands before the last axis: (L * D, hidden_size) each."""
        shape = (self.num_layers * self.directions, self.hidden_size)
        return shape, shape

    @classmethod
    def from_lstm(cls, lstm: nn.LSTM, **arguments: Any) -> StackedPeepholeLSTM:
        """Layers that compute what an `nn.LSTM` does: their peepholes are 0. See `PeepholeLSTM.from_lstm`."""
        shared = lstm_conversion.arguments_of(lstm)
        shared |= {"num_layers": lstm.num_layers, "dropout": lstm.dropout, "bidirectional": lstm.bidirectional}
        stacked = cls(lstm.input_size, lstm.hidden_size, **shared | arguments)
        for layer, suffix in zip(stacked.layers, lstm_conversion.suffixes(lstm), strict=True):
            lstm_conversion.copy_from_lstm(layer, lstm, suffix)  # type: ignore[arg-type]
        return stacked.train(lstm.training)

    def to_lstm(self) -> nn.LSTM:
        """The `nn.LSTM` that computes the same outputs. See `PeepholeLSTM.to_lstm`."""
        singles = [layer.to_lstm() for layer in self.layers]  # type: ignore[operator]
        shared = lstm_conversion.arguments_of(singles[0])
        shared |= {"num_layers": self.num_layers, "dropout": self.dropout, "bidirectional": self.bidirectional}
        lstm = nn.LSTM(self.input_size, self.hidden_size, **shared)
        for layer, suffix in zip(self.layers, lstm_conversion.suffixes(lstm), strict=True):
            lstm_conversion.copy_to_lstm(layer, lstm, suffix)  # type: ignore[arg-type]
        return lstm.train(self.training)

    def reset_parameters(self) -> None:
        """Draw every parameter of the layers anew; the initial state is a module of its own."""
        for layer in self.layers:
            layer.reset_parameters()  # type: ignore[operator]

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
        """Run the layers over a sequence.

        Args:
            input: see `PeepholeLSTM.forward`.
            hx: the initial (h, c), each (L * D, N, hidden_size), or (L * D, hidden_size) without a batch; by default
                the initial state of the module.
            context: for an initial state that depends on one.

        Returns:
            The outputs, shaped like the input with D * hidden_size features, and the last (h, c), shaped like `hx`.

        Raises:
            ValueError: an input or initial state of another shape, dtype or device than the layers'.
        """
        states = self._states(input, hx, context)
        last = []
        x: Any = input
        for k in range(self.num_layers):
            if k and self.dropout and self.training:
                x = _mapped(lambda data: nn.functional.dropout(data, self.dropout), x)
            outputs = []
            for place in range(k * self.directions, (k + 1) * self.directions):
                backwards = place > k * self.directions
                output, state = self.layers[place](self._reversed(x) if backwards else x, states[place])
                outputs.append(self._reversed(output) if backwards else output)
                last.append(state)
            x = _mapped(lambda *data: torch.cat(data, dim=-1), *outputs) if self.bidirectional else outputs[0]
        h, c = (torch.cat(parts) for parts in zip(*last, strict=True))
        return x, (h, c)

    def _states(
        self, input: Tensor | PackedSequence, hx: tuple[Tensor, Tensor] | None, context: Tensor | None
    ) -> list[tuple[Tensor, Tensor] | None]:
        """Of each layer and direction the initial (h, c), or None for zeros."""
        if hx is None and type(self.initial_state) is Zero:
            return [None] * len(self.layers)
        if isinstance(input, PackedSequence):
            batch_size: int | None = int(input.batch_sizes[0])
        else:
            batch_size = input.size(0 if self.batch_first else 1) if input.dim() == 3 else None
        shape = (len(self.layers), *(() if batch_size is None else (batch_size,)), self.hidden_size)
        name = "hx" if hx is not None else "the initial state"
        states = hx if hx is not None else self.initial_state(batch_size, context)
        h, c = layer_inputs.checked_states(name, states, shape, next(self.layers.parameters()))
        return list(zip(torch.split(h, 1), torch.split(c, 1), strict=True))  # (1, N, H) each

    def _reversed(self, x: Any) -> Any:
        if isinstance(x, PackedSequence):
            return reverse_packed(x)
        return x.flip(1 if self.batch_first and x.dim() == 3 else 0)

    def extra_repr(self) -> str:
        """The arguments that differ from their defaults, for `print`."""
        text = f"{self.input_size}, {self.hidden_size}, num_layers={self.num_layers}"
        text += f", dropout={self.dropout}" if self.dropout else ""
        text += ", bidirectional=True" if self.bidirectional else ""
        return text + (", batch_first=True" if self.batch_first else "")


def _mapped(function: Any, *inputs: Any) -> Any:
    """The function of tensors, or of the data of sequences that are packed alike."""
    if isinstance(inputs[0], PackedSequence):
        return PackedSequence(function(*(packed.data for packed in inputs)), *inputs[0][1:])
    return function(*inputs)
