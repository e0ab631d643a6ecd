"""Which net answers: the paper's peephole LSTM, torch's own layers, or any module by its import path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from timing_tasks.conditions.initial_state import ZERO, NamedInitialState
from timing_tasks.errors import ConfigurationError, check_whole

MODELS = ("peephole_lstm", "lstm", "gru", "custom")


@dataclass(frozen=True)
class Model:
    """A layer that maps (batch, time, 1) to (batch, time, features); the nets add one output unit.

    Attributes:
        name: `peephole_lstm`, the paper's layer; `lstm` or `gru`, torch's; `custom`.
        hidden_size: cells or units of the layer; 0 for `custom`.
        target: the import path of a `custom` module's class; empty for the others.
        arguments: the class's keyword arguments.
    """

    name: str = "peephole_lstm"
    hidden_size: int = 1
    target: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise ConfigurationError for the first value that cannot be."""
        if self.name not in MODELS:
            raise ConfigurationError("model", self.name, f"one of {', '.join(MODELS)}")
        if self.name == "custom":
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
        if self.name == "custom":
            return state == ZERO
        return self.has_cells or (state.cell_state and state.cell_output)

    @property
    def others(self) -> str:
        """Which initial states it can have but `zero`, for a message."""
        if self.name == "custom":
            return ""
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
        """As rows have it: the name and the hidden size, or what is made of the class."""
        if self.name == "custom":
            return f"{self.target}({', '.join(f'{key}={value}' for key, value in self.arguments.items())})"
        return f"{self.name} {self.hidden_size}"


PEEPHOLE_LSTM = Model()
