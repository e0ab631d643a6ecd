"""Which net answers: the paper's peephole LSTM, torch's own layers, cells of a size, or any module of the user's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from timing_tasks.conditions.initial_state import ZERO, NamedInitialState
from timing_tasks.errors import ConfigurationError, check_whole
from timing_tasks.tasks.task import Task

MODELS = ("peephole_lstm", "lstm", "gru", "cell", "custom")
STATELESS_CELLS = ("transformer", "temporal_convolution")
CELL_NAMES = (
    *("peephole_lstm", "lstm", "gru", "rnn", "min_gru", "min_lstm", "lru", "slstm", "mamba2"),
    *STATELESS_CELLS,
)


@dataclass(frozen=True)
class Model:
    """A layer that maps (batch, time, 1) to (batch, time, features); the nets add one output unit.

    A model `own` is made by the user's function `make`, from a task and a seed to the whole untrained net; no config
    can name it.

    Attributes:
        name: `peephole_lstm`, the paper's layer; `lstm` or `gru`, torch's; `cell`, one of `models.cells` as its class
            draws its weights; `custom`; `own`, nets that the user's function makes.
        hidden_size: cells or units of the layer; 0 for `cell`, `custom` and `own`.
        target: the import path of a `custom` module's class; the name of a `cell`, or of the user's nets.
        arguments: the class's keyword arguments; of a `cell` its `weights`.
    """

    name: str = "peephole_lstm"
    hidden_size: int = 1
    target: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    make: Callable[[Task, int], Any] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Raise ConfigurationError for the first value that cannot be."""
        if self.name not in MODELS and self.make is None:
            raise ConfigurationError("model", self.name, f"one of {', '.join(MODELS)}")
        if self.name == "own":
            return
        if self.name == "cell":
            if self.target not in CELL_NAMES:
                raise ConfigurationError("model.cells", self.target, f"one of {', '.join(CELL_NAMES)}")
            check_whole("model.weights", self.arguments.get("weights"), 1, 10**6)
        elif self.name == "custom":
            if not isinstance(self.target, str) or not all(part.isidentifier() for part in self.target.split(".")):
                raise ConfigurationError(
                    "model.target", self.target, "the import path of a class, such as package.module.Class"
                )
            if not isinstance(self.arguments, Mapping):
                raise ConfigurationError("model.arguments", self.arguments, "a mapping, such as {width: 4}")
        else:
            check_whole("model.hidden_size", self.hidden_size, 1, 4096)

    def can_start_from(self, state: NamedInitialState) -> bool:
        """Whether the layer can have an initial state: a `custom` one none but its own, and s(0) is of cells alone."""
        if self.name == "own":  # which makes its own
            return True
        if self.name == "cell":
            return state == ZERO or (str(state) == "learned" and self.target not in STATELESS_CELLS)
        if self.name == "custom":
            return state == ZERO
        return self.has_cells or (state.cell_state and state.cell_output)

    @property
    def others(self) -> str:
        """Which initial states it can have but `zero`, for a message."""
        if self.name == "custom" or self.target in STATELESS_CELLS:
            return ""
        if self.name == "cell":
            return " or learned"
        return (
            ", learned, "
            + ("learned_cell_state, learned_cell_output, " if self.has_cells else "")
            + "constant_input or noisy"
        )

    @property
    def has_cells(self) -> bool:
        """Whether the layer has LSTM cells, whose state is not their output."""
        return self.name in ("peephole_lstm", "lstm")

    def __str__(self) -> str:
        """As rows have it: the name and the hidden size, or what is made of the class or cell."""
        if self.name == "own":
            return self.target
        if self.name in ("cell", "custom"):
            return f"{self.target}({', '.join(f'{key}={value}' for key, value in self.arguments.items())})"
        return f"{self.name} {self.hidden_size}"


PEEPHOLE_LSTM = Model()
