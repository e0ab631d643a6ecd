"""The nets of a condition: a layer, the state that it starts from, one output unit."""

from __future__ import annotations

import importlib

import numpy as np
import torch
from torch import Tensor, nn

from timing_tasks.conditions.condition import Condition
from timing_tasks.conditions.model import Model
from timing_tasks.errors import ConfigurationError
from timing_tasks.models.initial_state import InitialState, Learned, Zero
from timing_tasks.models.peephole_lstm import PeepholeLSTM
from timing_tasks.models.weights import flattened, set_initial_weights

_PROBE = (2, 5, 1)  # batch, time, features


class Net(nn.Module):
    """A layer, its initial state and one output unit.

    Args:
        layer: as `nn.LSTM` with `batch_first`, or, with no initial state, any module from (N, T, 1) to (N, T,
            features).
        features: of the layer's output.
        initial_state: of the layer; None if that is its own affair.
        output_activation: `sigmoid` or `identity`, of the output unit.
    """

    def __init__(
        self, layer: nn.Module, features: int, initial_state: InitialState | None, output_activation: str
    ) -> None:
        super().__init__()
        self.layer, self.initial_state, self.output_activation = layer, initial_state, output_activation
        self.output = nn.Linear(features, 1, dtype=torch.float64)

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        """The outputs z, (N, T), for inputs x, (N, T, 1).

        Args:
            x: the inputs.
            noise: added to the states before the first step, (states, N, features).
        """
        if self.initial_state is None:
            hidden = self.layer(x)
        else:
            states = self.initial_state.states(x.size(0), None)
            if noise is not None:
                states = tuple(state + n for state, n in zip(states, noise.unsqueeze(1), strict=True))
            hidden, _ = self.layer(x, states if len(states) > 1 else states[0])
        return squash(self.output(hidden).squeeze(-1), self.output_activation)

    def vector(self) -> np.ndarray:
        """All weights, float64: those of a PeepholeLSTM in the order of WEIGHT_NAMES, others as `parameters()` has them."""
        if isinstance(self.layer, PeepholeLSTM):
            return flattened(self.layer, self.initial_state, self.output)
        return torch.cat([p.detach().flatten() for p in self.parameters()]).double().numpy()


def create(condition: Condition, seed: int, replica: int) -> Net:
    """An untrained net: a function of the condition, the seed and the replica alone.

    Raises:
        ConfigurationError: a `custom` model that cannot be used.
    """
    model, cell_output = condition.model, condition.protocol.cell_output_activation
    if cell_output != "identity":  # of the recipe bptt, whose layer has no other
        raise ConfigurationError("protocol.cell_output_activation", cell_output, "identity for the recipe bptt")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed((seed << 32) | replica)
        layer, features = _layer(model, condition)
        initial = None if model.name == "custom" else (Zero if condition.initial_state == "zero" else Learned).of(layer)
        net = Net(layer, features, initial, condition.output_activation)
    if isinstance(initial, Learned):  # the states of an LSTM are y(0) and s(0), in that order
        for state, other in zip(initial.state, ("learned_cell_state", "learned_cell_output"), strict=False):
            state.requires_grad_(condition.initial_state != other)
    if isinstance(layer, PeepholeLSTM):
        protocol = condition.protocol
        set_initial_weights(
            *(layer, net.output, seed, replica, protocol.gate_biases, protocol.initial_weight_range),
            forget_gate=condition.forget_gate,
        )
    return net


def squash(z: Tensor, output_activation: str) -> Tensor:
    """Z behind the activation of the output unit."""
    return torch.sigmoid(z) if output_activation == "sigmoid" else z


def _layer(model: Model, condition: Condition) -> tuple[nn.Module, int]:
    """The layer and the features of its output."""
    size = model.hidden_size
    truncated = getattr(condition.recipe, "truncated", False)
    if model.name == "peephole_lstm":
        return (
            PeepholeLSTM(
                *(1, size),
                batch_first=True,
                peepholes=condition.peepholes,
                activation="identity",
                truncated=truncated,
                dtype=torch.float64,
            ),
            size,
        )
    if model.name in ("lstm", "gru"):
        kind = nn.LSTM if model.name == "lstm" else nn.GRU
        return kind(1, size, batch_first=True, dtype=torch.float64), size
    return _custom(model)


def _custom(model: Model) -> tuple[nn.Module, int]:
    """The module of an import path, tried out.

    Raises:
        ConfigurationError: what cannot be imported, made or run, or gives something else than (batch, time, features).
    """
    module_name, _, class_name = model.target.rpartition(".")

    def refuse(why: str) -> ConfigurationError:
        return ConfigurationError("model.target", model.target, why)

    try:
        kind = getattr(importlib.import_module(module_name), class_name)
        if not isinstance(kind, type) or not issubclass(kind, nn.Module):
            raise TypeError("not a class of torch.nn.Module")
        layer = kind(**model.arguments).double()
    except Exception as error:  # whatever the import or the class says
        raise refuse(f"cannot be imported and made ({_line(error)})") from None
    buffers = [buffer.clone() for buffer in layer.buffers()]
    probe = torch.linspace(-1.0, 1.0, 10, dtype=torch.float64).reshape(_PROBE)
    try:
        with torch.no_grad():
            whole, start = layer(probe), layer(probe[:, :3])
    except Exception as error:  # whatever the module says
        raise refuse(f"does not run on an input of shape {_PROBE} (batch, time, features): {_line(error)}") from None
    if not isinstance(whole, Tensor) or whole.dim() != 3 or whole.shape[:2] != probe.shape[:2]:
        found = f"shape {tuple(whole.shape)}" if isinstance(whole, Tensor) else f"a {type(whole).__name__}"
        raise refuse(f"gives {found} for {_PROBE}; a tensor (batch, time, features) is needed")
    if not torch.allclose(whole[:, :3], start):
        raise refuse("its outputs depend on later inputs, or on chance: a net that predicts has to be causal")
    if not all(map(torch.equal, buffers, layer.buffers())):
        raise refuse("its buffers change: of a net only the parameters are kept")
    return layer, whole.size(2)


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]
