"""Many nets of one architecture in one pass: a net whose every parameter has a leading axis of replicas."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from timing_tasks.models import gru, native_recurrence, recurrence
from timing_tasks.models.peephole_lstm import PeepholeLSTM
from timing_tasks.models.recurrence import Weights
from timing_tasks.models.timing_net import TimingNet, squash

# The rows of what runs in one pass are a multiple of it: torch rounds the last few numbers of a tensor, those that fill
# no vector of the processor, unlike the rest, and so a net's digits would depend on how many nets are beside
# it.
ROWS = 16

Parameters = Mapping[str, Tensor]  # by the name that a net gives them, (rows, ...) each


class Chunk(nn.Module):
    """Nets that learn alike: the same parameters with the same optimiser.

    Args:
        nets: of one architecture; a single one if its layer knows no axis of replicas.
        has_axis: whether the parameters get a leading axis of nets.

    Attributes:
        names: of the parameters, in the order of `net.named_parameters()`.
        values: the parameters, (rows, ...) each with the axis; rows that only fill up to a multiple of ROWS come last.
    """

    def __init__(self, nets: Sequence[TimingNet], has_axis: bool) -> None:
        super().__init__()
        first = nets[0]
        self.names = [name for name, _ in first.named_parameters()]
        self.has_axis = has_axis
        columns = zip(*(net.parameters() for net in nets), strict=True)
        self.values = nn.ParameterList(
            nn.Parameter(_filled_up(torch.stack([one.detach() for one in column])), column[0].requires_grad)
            if has_axis
            else column[0]
            for column in columns
        )

    @property
    def learned(self) -> list[nn.Parameter]:
        """The parameters that are learned."""
        return [value for value in self.values if value.requires_grad]

    def rows_of(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Tensors shaped like parameters, as (rows, ...) each; changed in place, they change."""
        return [t.detach() if self.has_axis else t.detach().unsqueeze(0) for t in tensors]


class Replicas(nn.Module):
    """Nets of one architecture side by side; no net sees anything of another.

    `PeepholeLSTM`, `nn.LSTM` and `nn.GRU` of one layer run as one tensor operation over all of them, other layers one
    after the other.

    Args:
        chunks: the nets, those that learn alike together. They may differ in their initial states.
        members: what each net is known by, chunk by chunk.
    """

    def __init__(self, chunks: Sequence[Sequence[TimingNet]], members: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.template = [chunks[0][0]]  # in a list: its parameters are nobody's
        self.has_axis = has_replica_axis(chunks[0][0])
        self.nets = [] if self.has_axis else [net for nets in chunks for net in nets]
        groups = chunks if self.has_axis else [[net] for net in self.nets]
        self.chunks: Sequence[Chunk] = nn.ModuleList(Chunk(some, self.has_axis) for some in groups)  # type: ignore[assignment]
        self.members = (
            [list(some) for some in members] if self.has_axis else [[one] for some in members for one in some]
        )
        counts = [chunk.values[0].size(0) if self.has_axis else 1 for chunk in self.chunks]
        self.row: dict[int, int] = {}  # of each member, all chunks end to end
        self.place: dict[int, tuple[int, int]] = {}  # chunk, and row in it
        for number, (some, first) in enumerate(
            zip(self.members, itertools.accumulate(counts, initial=0), strict=False)
        ):
            self.row |= {member: first + row for row, member in enumerate(some)}
            self.place |= {member: (number, row) for row, member in enumerate(some)}
        self._joined: Parameters | None = None

    def forget(self) -> None:
        """Call this when parameters have changed."""
        self._joined = None

    def forward(self, x: Tensor, members: Sequence[int], noise: Tensor | None = None) -> Tensor:
        """The outputs of some of the nets, each for inputs of its own.

        Args:
            x: (R, N, T, 1), for R members.
            members: which.
            noise: added to the states before the first step, (R, states, N, H).

        Returns:
            z, (R, N, T, 1).
        """
        rows = [self.row[member] for member in members]
        if not self.has_axis:
            return torch.stack([self.nets[row](own) for row, own in zip(rows, x, strict=True)])
        if self._joined is None:
            self._joined = _joined(self.chunks)
        return _side_by_side(self.template[0], self._joined, rows, x, noise)


def has_replica_axis(net: TimingNet) -> bool:
    """Whether nets like this one run as one."""
    layer = net.layer
    is_plain = isinstance(layer, (nn.LSTM, nn.GRU)) and (layer.num_layers, layer.bidirectional) == (1, False)
    return net.initial_state is not None and (is_plain or isinstance(layer, PeepholeLSTM))


def _joined(chunks: Sequence[Chunk]) -> Parameters:
    """The parameters of several chunks end to end; what some have and others have not is 0 for those."""
    by_name = [dict(zip(chunk.names, chunk.values, strict=True)) for chunk in chunks]
    shapes = {name: value.shape[1:] for values in by_name for name, value in values.items()}
    counts = [next(iter(values.values())).size(0) for values in by_name]
    return {
        name: torch.cat(
            [
                values[name]
                if name in values
                else torch.zeros(count, *shape, dtype=torch.float64, device=chunks[0].values[0].device)
                for values, count in zip(by_name, counts, strict=True)
            ]
        )
        for name, shape in shapes.items()
    }


def _side_by_side(
    net: TimingNet, parameters: Parameters, rows: Sequence[int], x: Tensor, noise: Tensor | None
) -> Tensor:
    """See `Replicas.forward`; the net is one of their kind, the rows are theirs in the parameters."""
    places = _rows(rows).to(x.device)
    own = {name: values.index_select(0, places) for name, values in parameters.items()}
    x = _filled_up(x)
    states = _states(net, own, x.size(1))  # (R, 1, N, H) each
    if noise is not None:
        noise = _filled_up(noise)
        states = [state + noise[:, k : k + 1] for k, state in enumerate(states)]
    hidden = gru.run(own, x, states[0].squeeze(1)) if isinstance(net.layer, nn.GRU) else _cells(net, own, x, *states)
    weight = own["output.weight"].unsqueeze(1)  # (R, 1, 1, H)
    z = (hidden * weight).sum(-1, keepdim=True) + own["output.bias"][:, None, None]  # (R, N, T, 1)
    return squash(z, net.output_activation)[: len(rows)]


def _states(net: TimingNet, own: Parameters, batch: int) -> list[Tensor]:
    """What the nets start from: learned as it is, or as a matrix that a constant input of 1 is multiplied by."""
    hidden, count = own["output.weight"].size(-1), own["output.weight"].size(0)
    states = []
    for k in range(1 if isinstance(net.layer, nn.GRU) else 2):
        state = own["output.weight"].new_zeros(count, 1, hidden)
        for name in ("state", "weight"):
            if (value := own.get(f"initial_state.{name}.{k}")) is not None:
                state = state + value.reshape(count, 1, hidden)
        states.append(state.unsqueeze(2).expand(-1, -1, batch, -1))
    return states


def _cells(net: TimingNet, own: Parameters, x: Tensor, h: Tensor, c: Tensor) -> Tensor:
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
