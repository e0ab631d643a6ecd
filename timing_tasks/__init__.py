"""Peephole LSTMs on precise timing tasks: a re-run of Gers, Schraudolph and Schmidhuber (JMLR 2002).

Importing this package is cheap: torch, lightning and matplotlib are imported when a name below is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from timing_tasks.data import Batch, TimingDataModule, TimingDataset
    from timing_tasks.experiment.nets import load_net
    from timing_tasks.learning.module import TimingModule
    from timing_tasks.models.initial_state import ConstantInput, Contextual, InitialState, Learned, Noisy, Zero
    from timing_tasks.models.peephole_lstm import PeepholeLSTM
    from timing_tasks.models.stacked_peephole_lstm import StackedPeepholeLSTM
    from timing_tasks.models.timing_net import TimingNet
    from timing_tasks.suite import Rows, benchmark, usual_recipe
    from timing_tasks.tasks import Task

__version__ = "0.3.0"
__all__ = [
    "Batch",
    "ConstantInput",
    "Contextual",
    "InitialState",
    "Learned",
    "Noisy",
    "PeepholeLSTM",
    "Rows",
    "StackedPeepholeLSTM",
    "Task",
    "TimingDataModule",
    "TimingDataset",
    "TimingModule",
    "TimingNet",
    "Zero",
    "benchmark",
    "load_net",
    "usual_recipe",
]
_PLACES = {
    **dict.fromkeys(("Batch", "TimingDataModule", "TimingDataset"), "data"),
    **dict.fromkeys(
        ("ConstantInput", "Contextual", "InitialState", "Learned", "Noisy", "Zero"), "models.initial_state"
    ),
    "PeepholeLSTM": "models.peephole_lstm",
    "StackedPeepholeLSTM": "models.stacked_peephole_lstm",
    **dict.fromkeys(("Rows", "benchmark", "usual_recipe"), "suite"),
    "Task": "tasks",
    "TimingModule": "learning.module",
    "TimingNet": "models.timing_net",
    "load_net": "experiment.nets",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
