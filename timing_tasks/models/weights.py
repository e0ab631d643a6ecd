"""The weights of a net of H peephole cells as one vector: WEIGHT_NAMES, each with as many numbers as H cells need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from timing_tasks.models.initial_state import InitialState
from timing_tasks.models.peephole_lstm import PeepholeLSTM
from timing_tasks.models.timing_network import WEIGHT_NAMES
from timing_tasks.philox import uniform
from timing_tasks.tasks.streams import Purpose

_ALWAYS_OPEN = 1000.0  # sigma is 1 there in float64 and its derivative 0: f = 1, and nothing is learned of it


@torch.no_grad()
def set_initial_weights(
    layer: PeepholeLSTM,
    output: nn.Linear,
    seed: int,
    replica: int,
    gate_biases: Sequence[float],
    weight_range: float,
    forget_gate: bool = True,
) -> None:
    """Set the weights of a net before training; the rule and, for one cell, the numbers are those of `initial_weights`.

    Args:
        layer: of any number of cells.
        output: of the net.
        seed: of the run.
        replica: which net.
        gate_biases: b_i, b_f, b_o.
        weight_range: the weights are uniform in +- it.
        forget_gate: without one, f = 1, whatever the net learns.
    """
    entries = list(_entries(layer, None, output))
    drawn = torch.from_numpy(
        2.0 * weight_range * uniform(seed, replica, Purpose.WEIGHTS, sum(size for _, _, size in entries)) - weight_range
    )
    fixed = dict(zip(("b_i", "b_f", "b_o"), gate_biases, strict=True))
    if not forget_gate:
        fixed |= dict.fromkeys(("w_fx", "w_fh", "p_f"), 0.0) | {"b_f": _ALWAYS_OPEN}
    at = 0
    for name, weights, size in entries:
        if weights is not None:
            weights.copy_(drawn[at : at + size].reshape(weights.shape))
            if name in fixed:
                weights.fill_(fixed[name])
        at += size


def flattened(layer: PeepholeLSTM, initial_state: InitialState | None, output: nn.Linear) -> np.ndarray:
    """The weights of a net, float64; 0 for what it does not have. For one cell: in the order of WEIGHT_NAMES, shape [19]."""
    entries = _entries(layer, initial_state, output)
    parts = [torch.zeros(size) if w is None else w.detach().flatten() for _, w, size in entries]
    return torch.cat(parts).double().numpy()


def _entries(
    layer: PeepholeLSTM, initial_state: InitialState | None, output: nn.Linear
) -> Iterator[tuple[str, Tensor | None, int]]:
    """The name of each weight, its tensor, or None where the net has none, and how many numbers it has."""
    size = layer.hidden_size
    rows = {gate: slice(number * size, (number + 1) * size) for number, gate in enumerate("ifco")}
    states = dict(zip(("y_0", "s_0"), initial_state.values(), strict=True)) if initial_state is not None else {}
    sources = {"x": layer.weight_ih, "h": layer.weight_hh}
    for name in WEIGHT_NAMES:
        kind, _, of = name.partition("_")
        weights: Tensor | None
        if name in ("w_kh", "b_k"):
            weights = output.weight if name == "w_kh" else output.bias
        elif kind == "w":
            weights = sources[of[1]][rows[of[0]]]
        elif kind == "b":
            weights = None if layer.bias is None else layer.bias[rows[of]]
        elif kind == "p":
            weights = None if layer.weight_peephole is None else layer.weight_peephole["ifo".index(of)]
        else:
            weights = states.get(name)
        yield name, weights, size if weights is None else weights.numel()
