"""Many nets of one architecture in one pass: a net whose every parameter has a leading axis of replicas."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call

from timing_tasks.models import gru, native_recurrence, recurrence
from timing_tasks.models.peephole_lstm import PeepholeLSTM
from timing_tasks.models.recurrence import Weights
from timing_tasks.models.timing_net import TimingNet, squash

# The rows of what runs in one pass are a multiple of it: torch rounds the last few numbers of a tensor, those that fill
# no vector of the processor, unlike the rest, and so a net's digits would depend on how many nets are beside
# it.
ROWS = 16
_TOGETHER = 2**16  # elements of an input that mapped nets get in one pass, if that is more than ROWS nets' own
_ALONE = 2**20  # from here on nets run one by one: what they keep of all steps need not fit into the memory

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

    def __init__(self, nets: Sequence[nn.Module], has_axis: bool) -> None:
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

    `PeepholeLSTM`, `nn.LSTM` and `nn.GRU` of one layer run as one tensor operation over all of them, other nets by
    `torch.vmap`, and those that it cannot map one after the other.

    Args:
        chunks: the nets, those that learn alike together. They may differ in their initial states.
        members: what each net is known by, chunk by chunk.
    """

    def __init__(self, chunks: Sequence[Sequence[nn.Module]], members: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.template = [chunks[0][0]]  # in a list: its parameters are nobody's
        nets = [net for some in chunks for net in some]
        self.is_mapped = not has_replica_axis(nets[0]) and can_be_mapped(nets)
        self.has_axis = self.is_mapped or has_replica_axis(nets[0])
        self.nets = [] if self.has_axis else nets
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
        if self.is_mapped:
            return _mapped(self.template[0], self._joined, rows, x)
        net = self.template[0]
        assert isinstance(net, TimingNet)
        return _side_by_side(net, self._joined, rows, x, noise)


def can_be_mapped(nets: Sequence[nn.Module]) -> bool:
    """Whether `torch.vmap` gives what the nets give one by one, with digits that do not depend on how many there are.

    The nets must differ only in their parameters.
    """
    first = nets[0]
    if not getattr(getattr(first, "layer", None), "can_be_mapped", True):
        return False
    if not all(
        len(buffers := list(net.buffers())) == len(list(first.buffers()))
        and all(map(torch.equal, buffers, first.buffers()))
        for net in nets
    ):
        return False
    some = [first, nets[-1]]
    columns = zip(*(net.parameters() for net in some), strict=True)
    own = {
        name: torch.stack([p.detach() for p in column]).requires_grad_()
        for (name, _), column in zip(first.named_parameters(), columns, strict=True)
    }
    if not own:
        return False
    x = torch.linspace(-1.0, 1.0, 192, dtype=torch.float64, device=next(iter(own.values())).device).reshape(2, 3, 32, 1)
    try:
        outputs = _mapped(first, own, [0, 1], x)
        if not torch.equal(outputs.repeat(ROWS, 1, 1, 1), _mapped(first, own, [0, 1] * ROWS, x.repeat(ROWS, 1, 1, 1))):
            return False
        torch.autograd.backward(outputs.sum())
        singly = torch.stack([net(one) for net, one in zip(some, x, strict=True)])
    except Exception:  # whatever torch.vmap says of the net
        return False
    return torch.allclose(outputs, singly, rtol=1e-9, atol=1e-12, equal_nan=True)


def has_replica_axis(net: nn.Module) -> bool:
    """Whether nets like this one run as one."""
    if not isinstance(net, TimingNet):
        return False
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


def _mapped(net: nn.Module, parameters: Parameters, rows: Sequence[int], x: Tensor) -> Tensor:
    """See `Replicas.forward`; the net is one of their kind, the rows are theirs in the parameters.

    How many run in one pass depends on the shape of their inputs alone, as digits do.
    """
    each = x[0].numel()
    size = max(ROWS, _TOGETHER // each // ROWS * ROWS) if ROWS * each <= _ALONE else 1
    places, x = _rows(rows, size).to(x.device), _filled_up(x, size)
    run = torch.vmap(lambda own, inputs: functional_call(net, own, (inputs,)))
    outputs = []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="There is a performance drop")
        for first in range(0, len(places), size):
            here = slice(first, first + size)
            outputs.append(run({name: v.index_select(0, places[here]) for name, v in parameters.items()}, x[here]))
    return torch.cat(outputs)[: len(rows)]


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


def _rows(rows: Sequence[int], size: int = ROWS) -> Tensor:
    """Filled up to a multiple of `size` with the last."""
    return torch.tensor([*rows, *[rows[-1]] * (-len(rows) % size)])


def _filled_up(tensor: Tensor, size: int = ROWS) -> Tensor:
    return tensor if tensor.size(0) % size == 0 else tensor[_rows(range(tensor.size(0)), size)]
