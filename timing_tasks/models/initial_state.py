"""Initial states of recurrent layers, as modules: zero, learned, from a constant input, noisy, from a context.

A module makes the tensors that a layer takes as its initial state, for a batch:

    initial = Learned.of(lstm)                     # any nn.LSTM, nn.GRU, nn.RNN, their cells, or a PeepholeLSTM
    output, _ = lstm(x, initial(x.size(0)))        # x: (N, T, features), batch_first

What is learned is an ordinary parameter: it is in the state_dict, and used as it is at test time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from timing_tasks.models.initial_state_base import InitialState, States, state_shapes

__all__ = [
    "NAMES",
    "ConstantInput",
    "Contextual",
    "InitialState",
    "Learned",
    "Noisy",
    "States",
    "Zero",
    "initial_state_of",
    "state_shapes",
]


class Zero(InitialState):
    """The zero state, from which layers start by default.

    Args:
        *shapes: see `InitialState`.
        batch_axis: see `InitialState`.
        device: of the tensors.
        dtype: of the tensors.

    Example:
        >>> Zero.of(nn.GRU(2, 3))(batch_size=2)
        tensor([[[0., 0., 0.],
                 [0., 0., 0.]]])
    """

    def __init__(
        self,
        *shapes: Sequence[int],
        batch_axis: int = 1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(*shapes, batch_axis=batch_axis)
        like = torch.empty((), device=device, dtype=dtype)
        self.device, self.dtype = like.device, like.dtype

    def values(self) -> tuple[Tensor, ...]:
        """See `InitialState.values`."""
        return tuple(torch.zeros(shape, device=self.device, dtype=self.dtype) for shape in self.shapes)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Zero:
        """Follow the module to its device and dtype; a buffer without values could not leave the meta device."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        like = fn(torch.empty((), device="cpu" if self.device.type == "meta" else self.device, dtype=self.dtype))
        self.device, self.dtype = like.device, like.dtype
        return self


class Learned(InitialState):
    """Parameters, 0 at first: `state`, one for each shape.

    They go to the optimiser, in a parameter group of their own: weight decay would draw them to the zero state. At test
    time the state is used as it is. It is expanded to each batch, whose sizes may differ. `InitialState.of` shows it in
    three lines.

    Args:
        *shapes: see `InitialState`.
        learn: for each shape whether it is learned; None for all. The others stay 0: they are parameters without a
            gradient, so that the state_dict is the same. An LSTM's states are (h, c): `learn=(False, True)` learns the
            cell state alone.
        batch_axis: see `InitialState`.
        device: of the parameters.
        dtype: of the parameters.

    Raises:
        ValueError: `learn` of another length than the shapes, or with no True.

    Example:
        >>> lstm = nn.LSTM(2, 3, batch_first=True)
        >>> initial = Learned.of(lstm)
        >>> x = torch.zeros(5, 7, 2)  # (N, T, features)
        >>> output, _ = lstm(x, initial(x.size(0)))
        >>> output.sum().backward()
        >>> [tuple(parameter.grad.shape) for parameter in initial.parameters()]
        [(1, 3), (1, 3)]
        >>> [parameter.requires_grad for parameter in Learned.of(lstm, learn=(False, True)).parameters()]
        [False, True]
    """

    def __init__(
        self,
        *shapes: Sequence[int],
        learn: Sequence[bool] | None = None,
        batch_axis: int = 1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(*shapes, batch_axis=batch_axis)
        learn = (True,) * len(self.shapes) if learn is None else tuple(learn)
        if len(learn) != len(self.shapes) or not any(learn):
            raise ValueError(
                f"learn={learn}: one bool for each of the {len(self.shapes)} states, at least one of them True"
            )
        self.learn = learn
        self.state = nn.ParameterList(
            nn.Parameter(torch.zeros(shape, device=device, dtype=dtype), requires_grad=is_learned)
            for shape, is_learned in zip(self.shapes, learn, strict=True)
        )

    def values(self) -> tuple[Tensor, ...]:
        """See `InitialState.values`."""
        return tuple(self.state)

    def extra_repr(self) -> str:
        """The arguments, for `print`."""
        return super().extra_repr() + ("" if all(self.learn) else f", learn={self.learn}")


class ConstantInput(InitialState):
    """A constant input 1 times a learned `weight`, (numel, 1) for each shape, 0 at first; equivalent to `Learned`.

    Args:
        *shapes: see `InitialState`.
        batch_axis: see `InitialState`.
        device: of the parameters.
        dtype: of the parameters.

    Example:
        >>> lstm = nn.LSTM(2, 3)
        >>> [tuple(parameter.shape) for parameter in ConstantInput.of(lstm).parameters()]
        [(3, 1), (3, 1)]
    """

    def __init__(
        self,
        *shapes: Sequence[int],
        batch_axis: int = 1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(*shapes, batch_axis=batch_axis)
        sizes = [math.prod(shape) for shape in self.shapes]
        self.weight = nn.ParameterList(nn.Parameter(torch.zeros(size, 1, device=device, dtype=dtype)) for size in sizes)

    def values(self) -> tuple[Tensor, ...]:
        """See `InitialState.values`."""
        return tuple(
            nn.functional.linear(weight.new_ones(1), weight).reshape(shape)
            for weight, shape in zip(self.weight, self.shapes, strict=True)
        )


class Noisy(Learned):
    """Learned, with uniform noise added for each entry of a batch in training, and none at test.

    Args:
        *shapes: see `InitialState`.
        deviation: the standard deviation of the noise, which is uniform within +-deviation * sqrt(3).
        generator: of the noise; torch's own by default.
        learn: see `Learned`. Noise is added to all states.
        batch_axis: see `InitialState`.
        device: of the parameters.
        dtype: of the parameters.

    Raises:
        ValueError: a negative deviation.

    Example:
        >>> gru = nn.GRU(2, 1)
        >>> initial = Noisy.of(gru, deviation=0.1, generator=torch.Generator().manual_seed(1))
        >>> round(float(initial(1000).detach().std()), 2)
        0.1
        >>> initial(2, noise=[torch.tensor([[[0.5], [-0.5]]])]).tolist()  # the noise may be given
        [[[0.5], [-0.5]]]
        >>> initial.eval()(2).tolist()
        [[[0.0], [0.0]]]
    """

    def __init__(
        self,
        *shapes: Sequence[int],
        deviation: float = 0.1,
        generator: torch.Generator | None = None,
        learn: Sequence[bool] | None = None,
        batch_axis: int = 1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(*shapes, learn=learn, batch_axis=batch_axis, device=device, dtype=dtype)
        if not deviation >= 0:
            raise ValueError(f"deviation={deviation}: at least 0")
        self.deviation, self.generator = deviation, generator

    def states(
        self, batch_size: int | None, context: Tensor | None = None, noise: Sequence[Tensor] | None = None
    ) -> tuple[Tensor, ...]:
        """See `InitialState.states`.

        Args:
            batch_size: see `InitialState.states`.
            context: see `InitialState.states`.
            noise: a tensor of its shape for each state, added as it is, in training alone; None to draw it.

        Raises:
            ValueError: noise of another number or of other shapes than the states.
        """
        states = super().states(batch_size, context)
        if noise is not None and [tuple(n.shape) for n in noise] != [tuple(s.shape) for s in states]:
            found, expected = ([tuple(tensor.shape) for tensor in tensors] for tensors in (noise, states))
            raise ValueError(f"noise of shapes {found}: expected {expected}")
        if not self.training:
            return states
        if noise is None:
            width = self.deviation * math.sqrt(3.0)
            noise = [width * (2 * self._uniform(state) - 1) for state in states]
        return tuple(state + n.to(state) for state, n in zip(states, noise, strict=True))

    def _uniform(self, like: Tensor) -> Tensor:
        if self.generator is None:  # torch.compile takes no generator argument along with sizes that vary
            return torch.rand_like(like)
        return torch.rand(like.shape, generator=self.generator, device=like.device, dtype=like.dtype)

    def extra_repr(self) -> str:
        """The arguments, for `print`."""
        return super().extra_repr() + f", deviation={self.deviation}"


class Contextual(InitialState):
    """Computed from a context vector, one for each entry of a batch, by a small net: `network`.

    For a layer of replicas it is one net, from the same contexts to the states of all.

    Args:
        *shapes: see `InitialState`.
        context_size: features of the context.
        hidden_size: units of a hidden tanh layer; None for none.
        batch_axis: see `InitialState`.
        device: of the parameters.
        dtype: of the parameters.

    Raises:
        ValueError: sizes below 1.

    Example:
        >>> gru = nn.GRU(2, 3)
        >>> initial = Contextual.of(gru, context_size=4)
        >>> tuple(initial(batch_size=5, context=torch.zeros(5, 4)).shape)
        (1, 5, 3)
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
        super().__init__(*shapes, batch_axis=batch_axis)
        if context_size < 1 or (hidden_size is not None and hidden_size < 1):
            raise ValueError(f"context_size={context_size}, hidden_size={hidden_size}: both at least 1")
        self.context_size = context_size
        self.sizes = [math.prod(shape) for shape in self.shapes]
        layers: list[nn.Module] = []
        if hidden_size is not None:
            layers = [nn.Linear(context_size, hidden_size, device=device, dtype=dtype), nn.Tanh()]
        last = nn.Linear(hidden_size or context_size, sum(self.sizes), device=device, dtype=dtype)
        self.network = nn.Sequential(*layers, last)

    def reset_parameters(self) -> None:
        """Draw the net anew; it starts from other states than zero."""
        for layer in self.network:
            if isinstance(layer, nn.Linear):
                layer.reset_parameters()

    def states(
        self, batch_size: int | None, context: Tensor | None = None, noise: Sequence[Tensor] | None = None
    ) -> tuple[Tensor, ...]:
        """See `InitialState.states`.

        Raises:
            ValueError: no context, or one of another shape; noise.
        """
        if noise is not None:
            raise ValueError("noise is for Noisy, not for Contextual")
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


def initial_state_of(layer: nn.Module, value: str | nn.Module) -> nn.Module:
    """The initial state of a layer that is named, or the module that is given.

    Raises:
        ValueError: an unknown name, or what is not a module.
    """
    if isinstance(value, str) and value in NAMES:
        return NAMES[value].of(layer)
    if not isinstance(value, nn.Module):
        raise ValueError(f"initial_state={value!r}: one of {', '.join(NAMES)}, or a module")
    return value
