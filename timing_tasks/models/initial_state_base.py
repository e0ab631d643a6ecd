"""What initial states have in common, and the shapes of a layer's states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from torch import Tensor, nn

States = Tensor | tuple[Tensor, ...]
Kind = TypeVar("Kind", bound="InitialState")


class InitialState(nn.Module):
    """What all initial states have in common.

    Args:
        *shapes: of the state tensors, without the batch: ((L, H), (L, H)) for an LSTM of L layers and H units, ((L,
            H),) for a GRU, ((H,), (H,)) for an LSTM cell, ((R, 1, H), (R, 1, H)) for a `PeepholeLSTM` of R replicas.
        batch_axis: where the batch stands in a state tensor: 1 for layers, 0 for cells, 2 for a layer of replicas.

    Raises:
        ValueError: no shape, or one with an entry below 1.
    """

    def __init__(self, *shapes: Sequence[int], batch_axis: int = 1) -> None:
        super().__init__()
        if not shapes or any(size < 1 for shape in shapes for size in shape):
            raise ValueError(f"shapes={shapes}: at least one, of sizes of at least 1")
        if any(not 0 <= batch_axis <= len(shape) for shape in shapes):
            raise ValueError(f"batch_axis={batch_axis}: no place in a tensor of the shapes {shapes}")
        self.shapes, self.batch_axis = tuple(map(tuple, shapes)), batch_axis

    @classmethod
    def of(cls: type[Kind], layer: nn.Module, **arguments: object) -> Kind:
        """The initial state of a layer's own shapes, device and dtype.

        Three lines of use::

            initial = Learned.of(lstm)
            groups = [{"params": lstm.parameters()}, {"params": initial.parameters(), "lr": 1e-2, "weight_decay": 0.0}]
            optimizer = torch.optim.AdamW(groups, lr=1e-3)  # and in each step: output, _ = lstm(x, initial(batch_size))

        The parameters of an initial state stand in a group of their own, since no weight decay should draw them to
        zero, and since a rate of their own often pays. At test time the state is used as it is. It is made for each
        batch anew, so that batches may differ in size: give the size of the batch at hand, or None for an input without
        a batch axis.

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
        arguments = {"batch_axis": batch_axis, "device": like.device, "dtype": like.dtype} | arguments
        return cls(*shapes, **arguments)  # type: ignore[arg-type]

    def forward(
        self, batch_size: int | None = None, context: Tensor | None = None, noise: Sequence[Tensor] | None = None
    ) -> States:
        """The state tensors for a batch: one tensor if there is one shape, else a tuple. See `states`."""
        states = self.states(batch_size, context, noise)
        return states[0] if len(states) == 1 else states

    def states(
        self, batch_size: int | None, context: Tensor | None = None, noise: Sequence[Tensor] | None = None
    ) -> tuple[Tensor, ...]:
        """The state tensors, one for each shape. None of them shares memory with a parameter.

        Args:
            batch_size: N; None for tensors without a batch.
            context: (N, context_size), or (context_size,) without a batch, for an initial state that depends on one.
            noise: for `Noisy` alone: what it adds in training, instead of noise that it draws.

        Raises:
            ValueError: noise for a state that is not noisy.
        """
        if noise is not None:
            raise ValueError(f"noise is for Noisy, not for {type(self).__name__}")
        return tuple(self._expanded(value.clone(), batch_size) for value in self.values())

    def values(self) -> tuple[Tensor, ...]:
        """The states without a batch, of the module's shapes."""
        raise NotImplementedError

    def reset_parameters(self) -> None:
        """Start from the zero state."""
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def _expanded(self, value: Tensor, batch_size: int | None) -> Tensor:
        """A view, all entries of the batch in the same memory; on a GPU, whose layers take no view, a copy."""
        if batch_size is None:
            return value
        shape = list(value.shape)
        shape.insert(self.batch_axis, batch_size)
        state = value.unsqueeze(self.batch_axis).expand(shape)
        return state.contiguous() if state.is_cuda else state

    def extra_repr(self) -> str:
        """The shapes, for `print`."""
        return ", ".join(map(str, self.shapes)) + f", batch_axis={self.batch_axis}"


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
