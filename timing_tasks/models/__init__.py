"""What answers: the peephole LSTM as a layer, initial states for any recurrent layer, and the paper's net."""

from timing_tasks.models.initial_state import ConstantInput, Contextual, InitialState, Learned, Noisy, Zero
from timing_tasks.models.peephole_lstm import PeepholeLSTM
from timing_tasks.models.stacked_peephole_lstm import StackedPeepholeLSTM
from timing_tasks.models.timing_network import TimingNetwork

__all__ = [
    "ConstantInput",
    "Contextual",
    "InitialState",
    "Learned",
    "Noisy",
    "PeepholeLSTM",
    "StackedPeepholeLSTM",
    "TimingNetwork",
    "Zero",
]
