"""Layers of other kinds than the paper's, to be compared at equal numbers of weights.

All are called as `nn.LSTM` with `batch_first`: `output, state = layer(x, state)`, x (N, T, I), output (N, T, H). Those
with a state have `state_shapes`, so that every initial state of `models.initial_state` serves them. `make_cell(name,
weights)` gives one at about a number of weights; the names are:

- `peephole_lstm`: the paper's, whose gates see the cell state.
- `lstm`, `gru`, `rnn`: torch's own.
- `min_gru`, `min_lstm`: gates that see the input alone; a state that is a real linear recurrence.
- `lru`: a diagonal complex linear recurrence, whose modes oscillate and decay.
- `slstm`: an LSTM with an exponential input gate and a normaliser.
- `mamba2`: a matrix state, whose decay and input depend on the last four inputs.
- `transformer`: causal attention with rotary positions; no state.
- `temporal_convolution`: dilated causal convolutions that see the last 63 inputs; no state.
"""

from timing_tasks.models.cells.lru import LRU
from timing_tasks.models.cells.mamba2 import Mamba2
from timing_tasks.models.cells.min_gru import MinGRU
from timing_tasks.models.cells.min_lstm import MinLSTM
from timing_tasks.models.cells.sized import CELLS, make_cell, weight_count
from timing_tasks.models.cells.slstm import SLSTM
from timing_tasks.models.cells.temporal_convolution import TemporalConvolution
from timing_tasks.models.cells.transformer import CausalTransformer

__all__ = [
    "CELLS",
    "LRU",
    "SLSTM",
    "CausalTransformer",
    "Mamba2",
    "MinGRU",
    "MinLSTM",
    "TemporalConvolution",
    "make_cell",
    "weight_count",
]
