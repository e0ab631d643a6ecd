"""What the recurrent layers have in common, and the linear recurrence that several of them are."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

States = Tensor | tuple[Tensor, ...]


class RecurrentLayer(nn.Module):
    """A layer with a state, called as `nn.LSTM` with `batch_first`: `output, state = layer(x, state)`.

    A subclass sets `state_shapes` and implements `run`.

    Args:
        input_size: I, features of x.
        hidden_size: H, features of the output.

    Attributes:
        state_shapes: of the state tensors without the batch, which stands before the last axis: `initial_state.of`
            reads them.
    """

    state_shapes: tuple[tuple[int, ...], ...]

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        if input_size < 1 or hidden_size < 1:
            raise ValueError(f"input_size={input_size}, hidden_size={hidden_size}: both at least 1")
        self.input_size, self.hidden_size = input_size, hidden_size

    def forward(self, x: Tensor, state: States | None = None) -> tuple[Tensor, States]:
        """The outputs (N, T, H) for inputs x (N, T, I), and the state after the last step.

        Args:
            x: inputs, T at least 1.
            state: before the first step: a tensor, or a tuple of several, with the `state_shapes` and the batch before
                the last axis; zeros by default.

        Raises:
            ValueError: an input or a state of another shape.
        """
        if x.dim() != 3 or x.size(1) < 1 or x.size(2) != self.input_size:
            raise ValueError(f"x of shape {tuple(x.shape)}: (batch, steps, {self.input_size}) is needed")
        expected = [(*shape[:-1], x.size(0), shape[-1]) for shape in self.state_shapes]
        if state is None:
            states = tuple(x.new_zeros(shape) for shape in expected)
        else:
            states = (state,) if isinstance(state, Tensor) else tuple(state)
        if [tuple(one.shape) for one in states] != expected:
            raise ValueError(f"a state of shapes {[tuple(one.shape) for one in states]}: {expected} are needed")
        output, states = self.run(x, states)
        return output, states[0] if len(states) == 1 else states

    def run(self, x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """As `forward`, with the states always a tuple."""
        raise NotImplementedError

    def reset_parameters(self) -> None:
        """Draw all parameters uniformly from +-1/sqrt(hidden_size), as `nn.LSTM` does."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def extra_repr(self) -> str:
        """The sizes, for `print`."""
        return f"{self.input_size}, {self.hidden_size}"


def linear_recurrence(a: Tensor, b: Tensor, h: Tensor) -> Tensor:
    """h_t = a_t h_{t-1} + b_t, element by element, in about log2(T) passes over all steps (Hillis and Steele 1986).

    Every factor is a product of some a_t, so that nothing overflows where |a_t| is at most 1, and the value at a step
    is the same number however many steps follow.

    Args:
        a: factors, (N, T, ...).
        b: summands, (N, T, ...); a and b broadcast.
        h: before the first step, (N, ...).

    Returns:
        h_t, (N, T, ...).
    """
    h = torch.cat([b[:, :1] + a[:, :1] * h.unsqueeze(1), b[:, 1:].expand(-1, -1, *h.shape[1:])], dim=1)  # (N, T, ...)
    shift = 1
    while shift < h.size(1):
        h = torch.cat([h[:, :shift], torch.addcmul(h[:, shift:], a[:, shift:], h[:, :-shift])], dim=1)
        a = torch.cat([a[:, :shift], a[:, shift:] * a[:, :-shift]], dim=1)
        shift *= 2
    return h
