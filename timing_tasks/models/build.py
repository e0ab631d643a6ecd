"""From a condition to its untrained net."""

from __future__ import annotations

import importlib
import math

import torch
from torch import Tensor, nn

from timing_tasks.conditions.condition import Condition
from timing_tasks.conditions.model import STATELESS_CELLS, Model
from timing_tasks.conditions.recipe import BPTT
from timing_tasks.errors import ConfigurationError
from timing_tasks.models.cells.sized import make_cell
from timing_tasks.models.initial_state import NAMES
from timing_tasks.models.peephole_lstm import PeepholeLSTM
from timing_tasks.models.timing_net import TimingNet, named_weights
from timing_tasks.models.weights import GATE_BIASES, fixed_state
from timing_tasks.philox import uniform
from timing_tasks.tasks.streams import Purpose

_ALWAYS_OPEN = 1000.0  # sigma is 1 there in float64 and its derivative 0: f = 1, and nothing is learned of it
_PROBE = (2, 5, 1)  # batch, time, features


def build_net(condition: Condition, seed: int, replica: int) -> nn.Module:
    """An untrained net in float64: a function of the condition, the seed and the replica alone.

    All but those that the user's function makes are a `TimingNet`.

    Peephole cells begin as PAPER.md 1 says, other layers as their classes draw them. The biases of the gates are the
    protocol's, or those that the recipe makes of F.

    Raises:
        ConfigurationError: a `custom` model that cannot be used.
    """
    model = condition.model
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(key := (seed << 32) | replica)
        if model.make is not None:
            made: nn.Module = model.make(condition.task, key)
            return made.double()
        layer, features = _layer(model, condition)
        is_stateless = model.name == "custom" or (model.name == "cell" and model.target in STATELESS_CELLS)
        initial = None if is_stateless else _initial_state(condition, layer)
        net = TimingNet(layer.double(), features, initial, condition.output_activation).double()
    if model.name == "peephole_lstm":
        _draw_weights(net, condition, seed, replica)
    elif model.name in ("lstm", "gru"):
        _set_biases(layer, condition)
    if condition.initial_state.name == "fixed":
        _fix_state(net, condition, seed, replica)
    return net


def gate_biases(condition: Condition) -> tuple[float, float, float]:
    """The initial b_i, b_f, b_o: of the recipe where it says them, else of the protocol."""
    recipe = condition.recipe
    if isinstance(recipe, BPTT) and recipe.gate_biases == "interval":
        long = math.log(condition.task.min_interval)  # σ(ln F) keeps a state for about F steps
        return -long, long, condition.protocol.output_gate_bias
    return condition.protocol.gate_biases


def _initial_state(condition: Condition, layer: nn.Module) -> nn.Module:
    state = condition.initial_state
    arguments: dict[str, object] = {"deviation": state.deviation} if state.name == "noisy" else {}
    if state.name == "learned" and condition.model.has_cells:  # the states of an LSTM are y(0) and s(0), in that order
        arguments["learn"] = state.cell_output, state.cell_state
    return NAMES["learned" if state.name == "fixed" else state.name].of(layer, **arguments)


@torch.no_grad()
def _fix_state(net: TimingNet, condition: Condition, seed: int, replica: int) -> None:
    """Draw the initial state, which is not learned; for one cell the numbers are those of the online recipe."""
    states = list(net.initial_state.parameters())[::-1]  # type: ignore[union-attr]  # s(0), if any, then y(0)
    deviation = condition.initial_state.deviation
    drawn = torch.from_numpy(fixed_state(seed, replica, deviation, sum(state.numel() for state in states)))
    for state, numbers in zip(states, torch.split(drawn, [state.numel() for state in states]), strict=True):
        state.copy_(numbers.reshape(state.shape)).requires_grad_(False)


@torch.no_grad()
def _draw_weights(net: TimingNet, condition: Condition, seed: int, replica: int) -> None:
    """Set the weights of peephole cells; for one cell the numbers are those of `weights.initial_weights`."""
    entries = list(named_weights(net)) if condition.initial_state.name != "constant_input" else []
    if not entries:  # its states are no weights of WEIGHT_NAMES: those of the same net with the zero state
        zero = TimingNet(net.layer, net.output.in_features, NAMES["zero"].of(net.layer), net.output_activation)
        zero.output = net.output
        entries = list(named_weights(zero))
    width = condition.protocol.initial_weight_range
    numbers = uniform(seed, replica, Purpose.WEIGHTS, sum(size for _, _, size in entries))
    drawn = torch.from_numpy(2.0 * width * numbers - width)
    fixed = dict(zip(GATE_BIASES, gate_biases(condition), strict=True)) | dict.fromkeys(("s_0", "y_0"), 0.0)
    if not condition.forget_gate:
        fixed |= dict.fromkeys(("w_fx", "w_fh", "p_f"), 0.0) | {"b_f": _ALWAYS_OPEN}
    at = 0
    for name, weights, size in entries:
        if weights is not None:
            weights.copy_(drawn[at : at + size].reshape(weights.shape))
            if name in fixed:
                weights.fill_(fixed[name])
        at += size


@torch.no_grad()
def _set_biases(layer: nn.Module, condition: Condition) -> None:
    """Of torch's layers only where the recipe makes them of F: an LSTM's gates, a GRU's update gate."""
    recipe, size = condition.recipe, condition.model.hidden_size
    if not isinstance(recipe, BPTT) or recipe.gate_biases != "interval":
        return
    b_i, b_f, b_o = gate_biases(condition)
    parameters = dict(layer.named_parameters())
    parameters["bias_hh_l0"].zero_()
    bias = parameters["bias_ih_l0"]
    if condition.model.name == "lstm":  # rows i, f, g, o
        for row, value in ((0, b_i), (1, b_f), (3, b_o)):
            bias[row * size : (row + 1) * size] = value
    else:  # rows r, z, n: h = (1 - z) n + z h
        bias[size : 2 * size] = b_f


def _layer(model: Model, condition: Condition) -> tuple[nn.Module, int]:
    """The layer and the features of its output."""
    size = model.hidden_size
    if model.name == "peephole_lstm":
        truncated = getattr(condition.recipe, "truncated", False)
        cells = PeepholeLSTM(
            *(1, size),
            batch_first=True,
            peepholes=condition.peepholes,
            activation="identity",
            cell_output_activation=condition.protocol.cell_output_activation,
            truncated=truncated,
            dtype=torch.float64,
        )
        return cells, size
    if model.name in ("lstm", "gru"):
        kind = nn.LSTM if model.name == "lstm" else nn.GRU
        return kind(1, size, batch_first=True, dtype=torch.float64), size
    if model.name == "cell":
        cell = make_cell(model.target, model.arguments["weights"])
        assert isinstance(cell.hidden_size, int)
        return cell, cell.hidden_size
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
