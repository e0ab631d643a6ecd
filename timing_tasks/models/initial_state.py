"""Initial states of recurrent layers, as modules: zero, learned, learned from a constant input, noisy, or from a context.

A module makes the tensors that a layer takes as its initial state, for a batch:

    initial = Learned.of(lstm)                     # any nn.LSTM, nn.GRU, nn.RNN, their cells, or a PeepholeLSTM
    output, _ = lstm(x, initial(x.size(0)))        # x: (N, T, features), batch_first

What is learned is an ordinary parameter: it is in the state_dict, and used as it is at test time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

States = Tensor | tuple[Tensor, ...]
Kind = TypeVar("Kind", bound="InitialState")


class InitialState(nn.Module):
    """What all initial states have in common.

    Args:
        *shapes: of the state tensors, without the batch: ((L, H), (L, H)) for an LSTM of L layers and H units, ((L,
            H),) for a GRU, ((H,), (H,)) for an LSTM cell, ((R, 1, H), (R, 1, H)) for a `PeepholeLSTM` of R replicas.
        batch_axis: where the batch stands in a state tensor: 1 for layers, 0 for cells, 2 for a layer of replicas.
        device: of the tensors.
        dtype: of the tensors.

    Raises:
        ValueError: no shape, or one with an entry below 1.
    """

    def __init__(
        self,
        *shapes: Sequence[int],
        batch_axis: int = 1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if not shapes or any(size < 1 for shape in shapes for size in shape):
            raise ValueError(f"shapes={shapes}: at least one, of sizes of at least 1")
        if any(not 0 <= batch_axis <= len(shape) for shape in shapes):
            raise ValueError(f"batch_axis={batch_axis}: no place in a tensor of the shapes {shapes}")
        self.shapes, self.batch_axis = tuple(map(tuple, shapes)), batch_axis
        # Follows the module to its device and dtype, for states that have no parameter to tell them.
        self.register_buffer("_reference", torch.zeros((), device=device, dtype=dtype), persistent=False)
        self._reference: Tensor

    @classmethod
    def of(cls: type[Kind], layer: nn.Module, **arguments: object) -> Kind:
        """The initial state of a layer's own shapes, device and dtype.

        Args:
            layer: an `nn.LSTM`, `nn.GRU`, `nn.RNN`, one of their cells, or a module with an attribute `state_shapes`,
                the state tensors' shapes without the batch, which stands before the last axis, as `PeepholeLSTM` has
                it.
            **arguments: of the class.

        Raises:
            TypeError: a layer of unknown shapes; give them to the class itself.
        """
        shapes, batch_axis = state_shapes(layer)
        like = next(layer.parameters())
        return cls(*shapes, batch_axis=batch_axis, device=like.device, dtype=like.dtype, **arguments)

    def forward(self, batch_size: int | None = None, context: Tensor | None = None) -> States:
        """The state tensors for a batch: one tensor if there is one shape, else a tuple.

        Args:
            batch_size: N; None for tensors without a batch.
            context: (N, context_size), or (context_size,) without a batch, for an initial state that depends on one.
        """
        states = self.states(batch_size, context)
        return states[0] if len(states) == 1 else states

    def states(self, batch_size: int | None, context: Tensor | None) -> tuple[Tensor, ...]:
        """The state tensors, one for each shape."""
        return tuple(self._expanded(value, batch_size) for value in self.values())

    def values(self) -> tuple[Tensor, ...]:
        """The states without a batch, of the module's shapes."""
        raise NotImplementedError

    def reset_parameters(self) -> None:
        """Start from the zero state."""
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def _expanded(self, value: Tensor, batch_size: int | None) -> Tensor:
        """A view: every entry of the batch is the same memory. On a GPU a copy, for the layers' kernels there take no view."""
        if batch_size is None:
            return value
        shape = list(value.shape)
        shape.insert(self.batch_axis, batch_size)
        state = value.unsqueeze(self.batch_axis).expand(shape)
        return state.contiguous() if state.is_cuda else state

    def extra_repr(self) -> str:
        """The shapes, for `print`."""
        return ", ".join(map(str, self.shapes)) + f", batch_axis={self.batch_axis}"


class Zero(InitialState):
    """The zero state, what layers do by themselves."""

    def values(self) -> tuple[Tensor, ...]:
        """See `InitialState.values`."""
        return tuple(self._reference.expand(shape) for shape in self.shapes)

    def states(self, batch_size: int | None, context: Tensor | None) -> tuple[Tensor, ...]:
        """See `InitialState.states`; one tensor for all if they have one shape, since making one takes longer than some layers."""
        if len(set(self.shapes)) > 1:
            return super().states(batch_size, context)
        return (self._expanded(self._reference.expand(self.shapes[0]), batch_size),) * len(self.shapes)


class Learned(InitialState):
    """Parameters, 0 at first: `state`, one for each shape."""

    def __init__(
        self,
        *shapes: Sequence[int],
        batch_axis: int = 1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(*shapes, batch_axis=batch_axis, device=device, dtype=dtype)
        self.state = nn.ParameterList(nn.Parameter(torch.zeros(s, device=device, dtype=dtype)) for s in self.shapes)

    def values(self) -> tuple[Tensor, ...]:
        """See `InitialState.values`."""
        return tuple(self.state)


class ConstantInput(InitialState):
    """A constant input 1 times a learned matrix `weight`, (numel, 1) for each shape, 0 at first: the same function as `Learned`."""

    def __init__(
        self,
        *shapes: Sequence[int],
        batch_axis: int = 1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(*shapes, batch_axis=batch_axis, device=device, dtype=dtype)
        sizes = [torch.Size(shape).numel() for shape in self.shapes]
        self.weight = nn.ParameterList(nn.Parameter(torch.zeros(size, 1, device=device, dtype=dtype)) for size in sizes)

    def values(self) -> tuple[Tensor, ...]:
        """See `InitialState.values`."""
        one = torch.ones_like(self._reference).reshape(1)
        return tuple(
            nn.functional.linear(one, w).reshape(shape) for w, shape in zip(self.weight, self.shapes, strict=True)
        )


class Noisy(Learned):
    """Learned, with normal noise added for each entry of a batch while training, and none at test.

    Args:
        *shapes: see `InitialState`.
        deviation: the standard deviation of the noise.
        generator: of the noise; torch's own by default.
        batch_axis: see `InitialState`.
        device: likewise.
        dtype: likewise.

    Raises:
        ValueError: a negative deviation.
    """

    def __init__(
        self,
        *shapes: Sequence[int],
        deviation: float = 0.1,
        generator: torch.Generator | None = None,
        batch_axis: int = 1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(*shapes, batch_axis=batch_axis, device=device, dtype=dtype)
        if not deviation >= 0:
            raise ValueError(f"deviation={deviation}: at least 0")
        self.deviation, self.generator = deviation, generator

    def states(self, batch_size: int | None, context: Tensor | None) -> tuple[Tensor, ...]:
        """See `InitialState.states`."""
        states = super().states(batch_size, context)
        if not self.training:
            return states
        return tuple(
            s + self.deviation * torch.randn(s.shape, generator=self.generator, device=s.device, dtype=s.dtype)
            for s in states
        )


class Contextual(InitialState):
    """Computed from a context vector, one for each entry of a batch, by a small net: `network`.

    For a layer of replicas it is one net, from the same contexts to the states of all.

    Args:
        *shapes: see `InitialState`.
        context_size: features of the context.
        hidden_size: units of a hidden tanh layer; None for none.
        batch_axis: see `InitialState`.
        device: likewise.
        dtype: likewise.

    Raises:
        ValueError: sizes below 1.
    """

    def __init__(
        self,
        *shapes: Sequence[int],
        context_size: int,
        hidden_size: int | None = None,
        batch_axis: int = 1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(*shapes, batch_axis=batch_axis, device=device, dtype=dtype)
        if context_size < 1 or (hidden_size is not None and hidden_size < 1):
            raise ValueError(f"context_size={context_size}, hidden_size={hidden_size}: both at least 1")
        self.context_size = context_size
        self.sizes = [torch.Size(shape).numel() for shape in self.shapes]
        like = {"device": device, "dtype": dtype}
        layers: list[nn.Module] = []
        if hidden_size is not None:
            layers = [nn.Linear(context_size, hidden_size, **like), nn.Tanh()]  # type: ignore[arg-type]
        self.network = nn.Sequential(*layers, nn.Linear(hidden_size or context_size, sum(self.sizes), **like))  # type: ignore[arg-type]

    def reset_parameters(self) -> None:
        """Draw the net anew; it starts from other states than zero."""
        for layer in self.network:
            if isinstance(layer, nn.Linear):
                layer.reset_parameters()

    def states(self, batch_size: int | None, context: Tensor | None) -> tuple[Tensor, ...]:
        """See `InitialState.states`.

        Raises:
            ValueError: no context, or one of another shape.
        """
        expected = (self.context_size,) if batch_size is None else (batch_size, self.context_size)
        if context is None or tuple(context.shape) != expected:
            found = "none" if context is None else f"one of shape {tuple(context.shape)}"
            raise ValueError(f"a context of shape {expected} is needed, there is {found}")
        flat = self.network(context).split(self.sizes, dim=-1)
        if batch_size is None:
            return tuple(part.reshape(shape) for part, shape in zip(flat, self.shapes, strict=True))
        batched = [part.reshape(batch_size, *shape) for part, shape in zip(flat, self.shapes, strict=True)]
        return tuple(state.movedim(0, self.batch_axis).contiguous() for state in batched)


NAMES: dict[str, type[InitialState]] = {
    "zero": Zero,
    "learned": Learned,
    "constant_input": ConstantInput,
    "noisy": Noisy,
}


def state_shapes(layer: nn.Module) -> tuple[tuple[tuple[int, ...], ...], int]:
    """The shapes of a layer's state tensors without the batch, and the axis of the batch.

    Raises:
        TypeError: a layer that is none of those that `InitialState.of` names.
    """
    if isinstance(layer, nn.RNNBase):
        rows = layer.num_layers * (2 if layer.bidirectional else 1)
        hidden = (rows, layer.proj_size or layer.hidden_size)
        return ((hidden, (rows, layer.hidden_size)) if isinstance(layer, nn.LSTM) else (hidden,)), 1
    if isinstance(layer, nn.RNNCellBase):
        return ((layer.hidden_size,),) * (2 if isinstance(layer, nn.LSTMCell) else 1), 0
    shapes = getattr(layer, "state_shapes", None)
    if shapes is None:
        raise TypeError(
            f"{type(layer).__name__}: its state's shapes are not known; give them to the initial state itself"
        )
    return tuple(shapes), len(shapes[0]) - 1
