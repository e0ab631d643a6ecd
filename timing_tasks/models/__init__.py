"""What answers: the peephole LSTM as a layer, initial states for any recurrent layer, the net of a timing task."""

from __future__ import annotations

import importlib
from typing import Any

# Loaded when they are used: `models.weights` and `models.trajectory` need no torch.
_PLACES = {
    **dict.fromkeys(
        ("ConstantInput", "Contextual", "InitialState", "Learned", "Noisy", "Zero"), "timing_tasks.models.initial_state"
    ),
    "PeepholeLSTM": "timing_tasks.models.peephole_lstm",
    "StackedPeepholeLSTM": "timing_tasks.models.stacked_peephole_lstm",
    "TimingNet": "timing_tasks.models.timing_net",
}
__all__ = [*_PLACES]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)
