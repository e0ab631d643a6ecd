"""The state that a condition's nets start from, and its arguments: plain data, made by `models.initial_state`."""

from __future__ import annotations

from dataclasses import dataclass

from timing_tasks.errors import ConfigurationError, check_number

INITIAL_STATES = ("zero", "learned", "constant_input", "noisy", "fixed")
# What rows, configs and the command line call them. `noisy` and `fixed` have their deviation behind them.
INITIAL_STATE_NAMES = (
    *("zero", "learned", "learned_cell_state", "learned_cell_output", "constant_input", "noisy", "fixed"),
)
_DRAWN = ("noisy", "fixed")


@dataclass(frozen=True)
class NamedInitialState:
    """The state before the first step, s(0) and y(0), as a condition names it.

    Attributes:
        name: `zero`; `learned`, trained with the weights; `constant_input`, a constant input of 1 times learned
            weights, which can express the same as `learned`; `noisy`, learned, with noise added in training and none
            in a test; `fixed`, drawn once for each net and not trained.
        cell_state: whether s(0) is learned, if anything is; else it is 0.
        cell_output: whether y(0) is learned.
        deviation: the standard deviation of the noise of `noisy`, or of the numbers of `fixed`, which are uniform; 0
            for the others.
    """

    name: str = "zero"
    cell_state: bool = True
    cell_output: bool = True
    deviation: float = 0.0

    def __post_init__(self) -> None:
        """Raise ConfigurationError for the first value that cannot be."""
        if self.name not in INITIAL_STATES:
            raise ConfigurationError("initial_state", self.name, f"one of {', '.join(INITIAL_STATE_NAMES)}")
        for key in ("cell_state", "cell_output"):
            if not isinstance(getattr(self, key), bool):
                raise ConfigurationError(f"initial_state.{key}", getattr(self, key), "true or false")
        if not (self.cell_state or self.cell_output):
            raise ConfigurationError(
                "initial_state.cell_output", False, "true where s(0) is not learned; or the name zero"
            )
        if self.name != "learned" and not (self.cell_state and self.cell_output):
            raise ConfigurationError("initial_state", self.name, "learned, where one of s(0) and y(0) alone is learned")
        is_drawn = self.name in _DRAWN
        allowed = f"above 0 for {self.name}" if is_drawn else "0 unless the initial state is noisy or fixed"
        check_number("initial_state.deviation", self.deviation, allowed, lambda v: v > 0 if is_drawn else v == 0)

    @property
    def noise(self) -> float:
        """The standard deviation of the noise that is added in training."""
        return self.deviation if self.name == "noisy" else 0.0

    @property
    def is_learned(self) -> bool:
        """Whether any of it is trained."""
        return self.name not in ("zero", "fixed")

    @property
    def learns_cell_state(self) -> bool:
        """Whether s(0) is trained."""
        return self.is_learned and self.cell_state

    @property
    def learns_cell_output(self) -> bool:
        """Whether y(0) is trained."""
        return self.is_learned and self.cell_output

    def __str__(self) -> str:
        """As rows have it: `learned_cell_state`, `noisy 0.1`."""
        if self.name == "learned" and not (self.cell_state and self.cell_output):
            return "learned_cell_state" if self.cell_state else "learned_cell_output"
        return f"{self.name} {self.deviation}" if self.deviation else self.name

    @classmethod
    def of_text(cls, text: str) -> NamedInitialState:
        """The inverse of `str`.

        Raises:
            ConfigurationError: no such state.
        """
        name, _, deviation = text.partition(" ")
        if name in ("learned_cell_state", "learned_cell_output"):
            return cls("learned", name == "learned_cell_state", name == "learned_cell_output")
        try:
            return cls(name, deviation=float(deviation or 0.0))
        except ValueError:
            raise ConfigurationError("initial_state", text, f"one of {', '.join(INITIAL_STATE_NAMES)}") from None


ZERO = NamedInitialState()
