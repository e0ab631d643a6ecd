"""Many nets in one pass: their parameters stacked, each of a net's as one tensor with a leading axis of nets."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from timing_tasks.models import gru, native_recurrence, recurrence
from timing_tasks.models.nets import Net, squash
from timing_tasks.models.peephole_lstm import PeepholeLSTM
from timing_tasks.models.recurrence import Weights

# The rows of a stack and of what it runs are a multiple of it: torch rounds the last few numbers of a tensor, those
# that fill no vector of the processor, otherwise than the rest, and so a net's digits would depend on how many nets are
# beside it.
ROWS = 16

Parameters = Mapping[str, Tensor]  # by the name that a net gives them, (rows, ...) each


class Stack:
    """Nets of the same kind, of which all parameters that learn do so alike, at the same moments.

    Args:
        net: one of them; of its kind are all.
        members: what the nets are known by.
        values: of each net its parameters, in the order of `net.parameters()`.

    Attributes:
        template: the net that was given, whose own parameters stay as they are.
        members: in the order of the rows; rows that only fill up to a multiple of ROWS have none.
        parameters: by name, (rows, ...) each; those that are learned require gradients.
    """

    def __init__(self, net: Net, members: Sequence[int], values: Sequence[Sequence[Tensor]]) -> None:
        self.template, self.members = net, list(members)
        self.parameters = {
            name: nn.Parameter(_filled_up(torch.stack(column)), one.requires_grad)
            for (name, one), column in zip(net.named_parameters(), zip(*values, strict=True), strict=True)
        }

    @property
    def learned(self) -> list[nn.Parameter]:
        """The parameters that are learned."""
        return [parameter for parameter in self.parameters.values() if parameter.requires_grad]

    @property
    def learned_rows(self) -> list[Tensor]:
        """The values of the learned parameters, (rows, ...) each; changed in place, they change."""
        return [parameter.detach() for parameter in self.learned]

    @property
    def gradients(self) -> list[Tensor]:
        """Likewise, of those that have one."""
        return [parameter.grad for parameter in self.learned if parameter.grad is not None]

    def values(self, row: int) -> list[Tensor]:
        """Copies of a net's parameters."""
        return [parameter.detach()[row].clone() for parameter in self.parameters.values()]

    def optimizer_state(self, row: int, optimizer: torch.optim.Optimizer) -> list[dict[str, object]]:
        """What an optimiser keeps of a net's learned parameters; tensors of the net's own have a leading axis of 1."""
        return [
            {
                key: value[row : row + 1].clone() if _has_rows(value, parameter) else value
                for key, value in optimizer.state[parameter].items()
            }
            for parameter in self.learned
        ]

    def put_optimizer_state(
        self, states: Sequence[Sequence[Mapping[str, object]]], optimizer: torch.optim.Optimizer
    ) -> None:
        """The inverse of `optimizer_state`, of all nets; nothing for nets without one."""
        for parameter, column in zip(self.learned, zip(*states, strict=True), strict=False):
            optimizer.state[parameter] = {
                key: _filled_up(torch.cat([torch.as_tensor(state[key]) for state in column]))
                if isinstance(value, Tensor) and value.shape == (1, *parameter.shape[1:])
                else value
                for key, value in column[0].items()
            }

    def retain(self, members: Sequence[int], optimizer: torch.optim.Optimizer) -> None:
        """Let all others go; where none is left, the optimiser passes the parameters over."""
        if not members:
            self.members = []
            for parameter in self.learned:
                parameter.grad = None
            return
        rows = _rows([self.members.index(member) for member in members])
        for parameter in self.parameters.values():
            if parameter in optimizer.state:
                state = optimizer.state[parameter]
                state.update({key: value[rows] for key, value in state.items() if _has_rows(value, parameter)})
            parameter.data, parameter.grad = parameter.detach()[rows], None
        self.members = list(members)


class Single:
    """A net that runs by itself, because its layer knows no axis of nets, with the interface of a `Stack` of one row.

    Args:
        net: which.
        member: what it is known by.
        values: of its parameters.
    """

    def __init__(self, net: Net, member: int, values: Sequence[Tensor]) -> None:
        self.template, self.members = net, [member]
        with torch.no_grad():
            for parameter, value in zip(net.parameters(), values, strict=True):
                parameter.copy_(value)

    @property
    def learned(self) -> list[nn.Parameter]:
        """See `Stack`."""
        return [parameter for parameter in self.template.parameters() if parameter.requires_grad]

    @property
    def learned_rows(self) -> list[Tensor]:
        """See `Stack`."""
        return [parameter.detach().unsqueeze(0) for parameter in self.learned]

    @property
    def gradients(self) -> list[Tensor]:
        """See `Stack`."""
        return [parameter.grad.unsqueeze(0) for parameter in self.learned if parameter.grad is not None]

    def values(self, row: int) -> list[Tensor]:
        """See `Stack`."""
        return [parameter.detach().clone() for parameter in self.template.parameters()]

    def optimizer_state(self, row: int, optimizer: torch.optim.Optimizer) -> list[dict[str, object]]:
        """See `Stack`."""
        return [dict(optimizer.state[parameter]) for parameter in self.learned]

    def put_optimizer_state(
        self, states: Sequence[Sequence[Mapping[str, object]]], optimizer: torch.optim.Optimizer
    ) -> None:
        """See `Stack`."""
        for parameter, state in zip(self.learned, states[0], strict=False):
            optimizer.state[parameter] = dict(state)

    def retain(self, members: Sequence[int], optimizer: torch.optim.Optimizer) -> None:
        """See `Stack`."""
        if not members:
            self.members = []
            self.template.zero_grad()


def runs_alone(net: Net) -> bool:
    """Whether a net's layer has no axis of nets."""
    return net.initial_state is None or not isinstance(net.layer, (PeepholeLSTM, nn.LSTM, nn.GRU))


def joined(stacks: Sequence[Stack]) -> tuple[Parameters, dict[int, int]]:
    """The parameters of several stacks, whose nets may differ in what they learn, end to end; and the row of each member.

    The parameters of an initial state that some have and others have not are 0 for those.
    """
    names = dict.fromkeys(name for stack in stacks for name in stack.parameters)
    shapes = {name: parameter.shape[1:] for stack in stacks for name, parameter in stack.parameters.items()}
    counts = [next(iter(stack.parameters.values())).size(0) for stack in stacks]
    rows: dict[int, int] = {}
    for stack, first in zip(stacks, itertools.accumulate(counts, initial=0), strict=False):
        rows |= {member: row for row, member in enumerate(stack.members, first)}
    return {
        name: torch.cat(
            [
                stack.parameters[name]
                if name in stack.parameters
                else torch.zeros(count, *shapes[name], dtype=torch.float64)
                for stack, count in zip(stacks, counts, strict=True)
            ]
        )
        for name in names
    }, rows


def side_by_side(
    net: Net, parameters: Parameters, rows: Sequence[int], x: Tensor, noise: Tensor | None = None
) -> Tensor:
    """The outputs of several nets, each for inputs of its own; no net sees anything of another.

    Args:
        net: one of their kind.
        parameters: of these nets and others.
        rows: theirs, R.
        x: (R, N, T, 1).
        noise: see `Net.forward`, with a leading axis of R.

    Returns:
        z, (R, N, T).
    """
    assert net.initial_state is not None
    count = len(rows)
    places = _rows(rows)
    own = {name: values.index_select(0, places) for name, values in parameters.items()}
    x = _filled_up(x)
    states = [own.get(f"initial_state.state.{k}") for k in range(len(net.initial_state.shapes))]
    h, *rest = (
        (x.new_zeros(len(places), 1, hidden) if state is None else state).unsqueeze(2).expand(-1, -1, x.size(1), -1)
        for state, (_, hidden) in zip(states, net.initial_state.shapes, strict=True)
    )  # (R, 1, N, H)
    if noise is not None:
        noise = _filled_up(noise)
        h, *rest = (state + noise[:, k : k + 1] for k, state in enumerate((h, *rest)))
    hidden = gru.run(own, x, h.squeeze(1)) if isinstance(net.layer, nn.GRU) else _cells(net, own, x, h, *rest)
    weight = own["output.weight"].unsqueeze(1)  # (R, 1, 1, H)
    z = (hidden * weight).sum(-1) + own["output.bias"].unsqueeze(1)  # (R, N, T)
    return squash(z, net.output_activation)[:count]


def _cells(net: Net, own: Parameters, x: Tensor, h: Tensor, c: Tensor) -> Tensor:
    """What the layers of the nets give, (R, N, T, H); h and c (R, 1, N, H)."""
    if isinstance(layer := net.layer, PeepholeLSTM):
        weights = Weights(
            own["layer.weight_ih"], own["layer.weight_hh"], own["layer.bias"], own.get("layer.weight_peephole")
        )
        activation, truncated = layer.activation, layer.truncated
    else:
        bias = own["layer.bias_ih_l0"] + own["layer.bias_hh_l0"]
        weights = Weights(own["layer.weight_ih_l0"], own["layer.weight_hh_l0"], bias, None)
        activation, truncated = "tanh", False
    run = native_recurrence.run if native_recurrence.serves(x, weights) else recurrence.run
    return run(x, h, c, weights, activation, truncated, batch_first=True)[0]


def _rows(rows: Sequence[int]) -> Tensor:
    """Filled up to a multiple of ROWS with the last."""
    return torch.tensor([*rows, *[rows[-1]] * (-len(rows) % ROWS)])


def _filled_up(tensor: Tensor) -> Tensor:
    return tensor if tensor.size(0) % ROWS == 0 else tensor[_rows(range(tensor.size(0)))]


def _has_rows(value: object, parameter: Tensor) -> bool:
    return isinstance(value, Tensor) and value.shape == parameter.shape
