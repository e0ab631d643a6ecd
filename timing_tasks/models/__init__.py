"""What answers: the peephole LSTM as a layer, and the paper's net."""

from timing_tasks.models.peephole_lstm import PeepholeLSTM
from timing_tasks.models.timing_network import TimingNetwork

__all__ = ["PeepholeLSTM", "TimingNetwork"]
