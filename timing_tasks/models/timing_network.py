"""The paper's net: one memory cell, one output unit, 17 weights with peepholes and 14 without (PAPER.md 1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from timing_tasks.models.initial_state import Learned, Zero
from timing_tasks.models.peephole_lstm import PeepholeLSTM
from timing_tasks.philox import uniform
from timing_tasks.tasks.streams import Purpose

# The weights of a net as one vector, in the order of the engines (`native/population.hpp`): into the input gate, the
# forget gate and the cell (from x, from y, bias, peephole), the initial state, into the output gate, into the output
# unit.
WEIGHT_NAMES = (
    *("w_ix", "w_ih", "b_i", "p_i"),
    *("w_fx", "w_fh", "b_f", "p_f"),
    *("w_cx", "w_ch", "b_c"),
    *("s_0", "y_0"),
    *("w_ox", "w_oh", "b_o", "p_o"),
    *("w_kh", "b_k"),
)
PEEPHOLES = ("p_i", "p_f", "p_o")
INITIAL_STATE = ("s_0", "y_0")


def initial_weights(
    seed: int | np.ndarray,
    replica: int | np.ndarray,
    gate_biases: Sequence[float],
    peepholes: bool = True,
    weight_range: float = 0.1,
) -> np.ndarray:
    """The weights of nets before training, in the order of WEIGHT_NAMES, float64, shape [..., 19]; [19] for a single net.

    The biases of the gates are as given, the initial state is 0, and so are peepholes that are absent; every other
    weight is uniform in [-0.1, 0.1] and a function of (seed, replica) alone (PAPER.md 1): nets with and without
    peepholes share the rest.

    Args:
        seed: of the run; a number, or an array of int64, shape [...].
        replica: which net; likewise.
        gate_biases: b_i, b_f, b_o.
        peepholes: whether the nets have them.
        weight_range: the weights are uniform in +- it, 0.1 in the paper.
    """
    weights = 2.0 * weight_range * uniform(seed, replica, Purpose.WEIGHTS, len(WEIGHT_NAMES)) - weight_range
    fixed = dict(zip(("b_i", "b_f", "b_o"), gate_biases, strict=True)) | dict.fromkeys(INITIAL_STATE, 0.0)
    if not peepholes:
        fixed |= dict.fromkeys(PEEPHOLES, 0.0)
    for name, value in fixed.items():
        weights[..., WEIGHT_NAMES.index(name)] = value
    return weights


class TimingNetwork(nn.Module):
    """A PeepholeLSTM of one cell with identity squashing, and one output unit.

    Args:
        peepholes: whether the gates see the cell state.
        output_activation: `sigmoid` or `identity`, of the output unit.
        truncated: cut the gradient as the paper does, see `PeepholeLSTM`.
        initial_state: see `PeepholeLSTM`; h is y(0) and c is s(0).
        dtype: of the parameters.

    Raises:
        ValueError: an unknown output activation.
    """

    def __init__(
        self,
        peepholes: bool = True,
        output_activation: str = "sigmoid",
        truncated: bool = False,
        initial_state: str | nn.Module = "zero",
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        if output_activation not in ("sigmoid", "identity"):
            raise ValueError(f"output_activation={output_activation!r}: sigmoid or identity")
        self.output_activation = output_activation
        self.lstm = PeepholeLSTM(
            *(1, 1),
            batch_first=True,
            peepholes=peepholes,
            activation="identity",
            truncated=truncated,
            initial_state=initial_state,
            dtype=dtype,
        )
        self.output = nn.Linear(1, 1, dtype=dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """The outputs z for a batch of streams: (N, T, 1) in, (N, T, 1) out. `hx` as in `PeepholeLSTM`."""
        hidden, _ = self.lstm(input, hx)
        output: Tensor = self.output(hidden)
        return torch.sigmoid(output) if self.output_activation == "sigmoid" else output

    @torch.no_grad()
    def load_vector(self, weights: Sequence[float] | np.ndarray) -> None:
        """Set the weights from a vector in the order of WEIGHT_NAMES; s_0 and y_0 are part of the net if it learns them."""
        for name, parameter_entry in self._entries().items():
            parameter_entry.fill_(float(weights[WEIGHT_NAMES.index(name)]))

    def gradient_vector(self) -> np.ndarray:
        """The gradients in the order of WEIGHT_NAMES, shape [19]; 0 for what the net does not have."""
        result = np.zeros(len(WEIGHT_NAMES))
        for name, entry in self._entries(gradient=True).items():
            result[WEIGHT_NAMES.index(name)] = float(entry)
        return result

    def _entries(self, gradient: bool = False) -> dict[str, Tensor]:
        def data(parameter: Tensor) -> Tensor:
            if not gradient:
                return parameter
            return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad

        lstm = self.lstm
        assert lstm.bias is not None
        entries = {}
        for row, gate in enumerate("ifco"):
            entries[f"w_{gate}x"] = data(lstm.weight_ih)[row, 0]
            entries[f"w_{gate}h"] = data(lstm.weight_hh)[row, 0]
            entries[f"b_{gate}"] = data(lstm.bias)[row]
        if lstm.weight_peephole is not None:
            for row, name in enumerate(PEEPHOLES):
                entries[name] = data(lstm.weight_peephole)[row, 0]
        if not isinstance(lstm.initial_state, (Zero, Learned)):
            raise ValueError(
                f"a net with the initial state {type(lstm.initial_state).__name__} is no vector of WEIGHT_NAMES"
            )
        if isinstance(lstm.initial_state, Learned):
            for name, state in zip(("y_0", "s_0"), lstm.initial_state.state, strict=True):
                entries[name] = data(state)[0, 0]
        entries["w_kh"], entries["b_k"] = data(self.output.weight)[0, 0], data(self.output.bias)[0]
        return entries
