"""The net of a timing task: a layer, the state that it starts from, one output unit (PAPER.md 1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from timing_tasks.models.initial_state import NAMES, InitialState
from timing_tasks.models.peephole_lstm import PeepholeLSTM
from timing_tasks.models.weights import WEIGHT_NAMES

OUTPUT_ACTIVATIONS = ("sigmoid", "identity")


class TimingNet(nn.Module):
    r"""A layer, the state that it starts from, and one output unit.

    .. math:: z_t = F(w \cdot h_t + b)

    with h the layer's outputs and F a sigmoid, or the identity where targets are out of its reach (PAPER.md 1).

    Args:
        layer: any causal module from (N, T, 1) to (N, T, features), or to a pair that begins with such a tensor:
            `nn.LSTM`, `nn.GRU` and `PeepholeLSTM` with `batch_first=True`, a transformer, a module of your own.
        features: of the layer's output; by default those that the layer's `hidden_size` says.
        initial_state: what the layer is started from, with each batch: a module that makes the layer's state tensors
            from the batch size, or the name of one (`learned`, say). None leaves that to the layer.
        output_activation: F, `sigmoid` or `identity`.

    Attributes:
        output: the output unit, `nn.Linear(features, 1)`.

    Raises:
        ValueError: an unknown activation or initial state, or features that nobody says.
        TypeError: an initial state by name for a layer whose state's shapes are not known.

    Example:
        >>> import torch
        >>> from timing_tasks import PeepholeLSTM, TimingNet
        >>> net = TimingNet(PeepholeLSTM(1, 8, batch_first=True), initial_state="learned")
        >>> net(torch.zeros(16, 50, 1)).shape
        torch.Size([16, 50, 1])
    """

    def __init__(
        self,
        layer: nn.Module,
        features: int | None = None,
        initial_state: nn.Module | str | None = None,
        output_activation: str = "sigmoid",
    ) -> None:
        super().__init__()
        if output_activation not in OUTPUT_ACTIVATIONS:
            raise ValueError(f"output_activation={output_activation!r}: {' or '.join(OUTPUT_ACTIVATIONS)}")
        if isinstance(initial_state, str):
            if initial_state not in NAMES:
                raise ValueError(f"initial_state={initial_state!r}: one of {', '.join(NAMES)}, or a module")
            initial_state = NAMES[initial_state].of(layer)
        features = _features(layer) if features is None else features
        if not isinstance(features, int) or features < 1:
            raise ValueError(f"features={features!r}: how many the layer gives for each step, a whole number above 0")
        self.layer, self.initial_state, self.output_activation = layer, initial_state, output_activation
        like = next(layer.parameters(), torch.empty(0))
        self.output = nn.Linear(features, 1, device=like.device, dtype=like.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """The outputs z, (N, T, 1), for inputs x, (N, T, 1)."""
        hidden = self.layer(x) if self.initial_state is None else self.layer(x, self.initial_state(x.size(0)))
        if isinstance(hidden, tuple):
            hidden = hidden[0]  # (N, T, features)
        return squash(self.output(hidden), self.output_activation)

    def vector(self) -> np.ndarray:
        """All weights, float64: of a `PeepholeLSTM` in the order of WEIGHT_NAMES, else as `parameters()` has them.

        Each name of WEIGHT_NAMES stands for as many numbers as the layer's cells need, 0 for what the net does not
        have: [19] for one cell.
        """
        if not isinstance(self.layer, PeepholeLSTM):
            return parameter_vector(self)
        parts = [torch.zeros(size) if w is None else w.detach().flatten().cpu() for _, w, size in named_weights(self)]
        return torch.cat(parts).double().numpy()

    @torch.no_grad()
    def load_vector(self, weights: Sequence[float] | np.ndarray) -> None:
        """Set all weights from a vector such as `vector` gives.

        Raises:
            ValueError: a vector of another length, or one with numbers for what this net does not have.
        """
        values = torch.as_tensor(np.asarray(weights, dtype=np.float64))
        if isinstance(self.layer, PeepholeLSTM):
            places = [(w, size) for _, w, size in named_weights(self)]
        else:
            places = [(p, p.numel()) for p in self.parameters()]
        if len(values) != sum(size for _, size in places):
            expected = sum(size for _, size in places)
            raise ValueError(f"a vector of {len(values)} weights: this net has {expected}")
        at = 0
        for weight, size in places:
            mine = values[at : at + size]
            if weight is not None:
                weight.copy_(mine.reshape(weight.shape))
            elif mine.any():
                raise ValueError(f"weights {at} to {at + size - 1} are not 0: this net does not have them")
            at += size


def named_weights(net: TimingNet) -> Iterator[tuple[str, Tensor | None, int]]:
    """The weights of a net of peephole cells by name: each of WEIGHT_NAMES, its tensor, how many numbers it has.

    The tensor is None where the net has none; those of the initial state are 0 unless it is learned. A tensor is a view
    of its parameter.

    Raises:
        TypeError: the net's layer is none.
        ValueError: its initial state is none that two vectors can say.
    """
    layer, initial = net.layer, net.initial_state
    if not isinstance(layer, PeepholeLSTM):
        raise TypeError(f"{type(layer).__name__}: only the weights of a PeepholeLSTM have these names")
    initial = layer.initial_state if initial is None else initial
    if not isinstance(initial, InitialState) or isinstance(initial, NAMES["constant_input"]):
        raise ValueError(f"a net with the initial state {type(initial).__name__} is no vector of WEIGHT_NAMES")
    size = layer.hidden_size
    rows = {gate: slice(number * size, (number + 1) * size) for number, gate in enumerate("ifco")}
    states = dict(zip(("y_0", "s_0"), getattr(initial, "state", ()), strict=False))
    sources = {"x": layer.weight_ih, "h": layer.weight_hh}
    for name in WEIGHT_NAMES:
        kind, _, of = name.partition("_")
        weights: Tensor | None
        if name in ("w_kh", "b_k"):
            weights = net.output.weight if name == "w_kh" else net.output.bias
        elif kind == "w":
            weights = sources[of[1]][rows[of[0]]]
        elif kind == "b":
            weights = None if layer.bias is None else layer.bias[rows[of]]
        elif kind == "p":
            weights = None if layer.weight_peephole is None else layer.weight_peephole["ifo".index(of)]
        else:
            weights = states.get(name)
        yield name, weights, size if weights is None else weights.numel()


def parameter_vector(net: nn.Module) -> np.ndarray:
    """All parameters one after the other, as `parameters()` has them; float64."""
    return torch.cat([p.detach().flatten() for p in net.parameters()] or [torch.zeros(0)]).double().cpu().numpy()


def squash(z: Tensor, output_activation: str) -> Tensor:
    """The output unit's activation of its net input z; any shape."""
    return torch.sigmoid(z) if output_activation == "sigmoid" else z


def _features(layer: nn.Module) -> int:
    """What a recurrent layer gives for each step.

    Raises:
        ValueError: the layer does not say.
    """
    size = getattr(layer, "proj_size", 0) or getattr(layer, "hidden_size", None) or getattr(layer, "features", None)
    if not isinstance(size, int):
        raise ValueError(f"features=None: {type(layer).__name__} does not say how many it gives; give features")
    return size * (2 if getattr(layer, "bidirectional", False) else 1)
