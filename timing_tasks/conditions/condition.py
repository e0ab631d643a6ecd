"""Conditions and the protocol: everything that decides which rows a run gives."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any

from timing_tasks.conditions.initial_state import ZERO, NamedInitialState
from timing_tasks.conditions.model import PEEPHOLE_LSTM, Model
from timing_tasks.conditions.recipe import BPTT, ONLINE, Recipe
from timing_tasks.errors import ConfigurationError, check_number, check_whole
from timing_tasks.tasks.paper import INPUTS_SHOWN, TASKS
from timing_tasks.tasks.task import LONGEST_INTERVAL, Task

OUTPUT_ACTIVATIONS = ("sigmoid", "identity")
UPDATES = ("step", "stream")
CELL_OUTPUT_ACTIVATIONS = ("identity", "centred_logistic")
GRADIENTS = ("truncated", "full")
CONDITION_COLUMNS = (
    *("task", "interval", "offsets", "waveform", "peepholes", "initial_state", "recipe", "protocol"),
    *("forget_gate", "output_activation", "tolerance", "model", "readings"),
)


@dataclass(frozen=True)
class Protocol:
    """One reading of the paper, as it applies to one task.

    Attributes:
        name: of the protocol, and what was changed in it.
        learning_rate: alpha.
        momentum: eta.
        input_gate_bias: the initial b_i.
        forget_gate_bias: the initial b_f.
        output_gate_bias: the initial b_o.
        error_factor: the factor in E(t) = error_factor (d(t) - z(t))^2, of target d and output z.
        update: the weights change at every `step` of a training stream, or once, at the end of the `stream`.
        update_without_target: whether momentum goes on moving the weights at steps that have no target.
        update_when_wrong: whether the wrong prediction that ends a stream is learned from.
        momentum_carried_over: whether the momentum of a training stream's end acts in the next one.
        training_between_tests: where a solution takes several test streams in a row, whether a training stream comes
            between every two of them; otherwise the weights stay until a test fails.
        first_spike_later: how many steps the first period is longer than F + I(0); 1 if steps are numbered from 0.
        first_phase: a periodic function begins with f(first_phase).
        gts_input: whether the net sees I(n) `throughout` period n, or only in its `first_step`.
        cell_output_activation: h in y = o h(s): the `identity`, or `centred_logistic`, h(s) = 2 sigma(s) - 1.
        initial_weight_range: the initial weights are uniform in ± this value.
        state_carried_over: whether a training stream begins with the s and y of the last training stream's end; the
            traces start at 0 all the same, and test streams begin with the initial state, as does the first training
            stream.
        gradient: `truncated`, as in the paper, or `full`, with no error cut off (real-time recurrent learning).
    """

    name: str
    learning_rate: float
    momentum: float
    input_gate_bias: float
    forget_gate_bias: float
    output_gate_bias: float
    error_factor: float = 0.5
    update: str = "step"
    update_without_target: bool = True
    update_when_wrong: bool = True
    momentum_carried_over: bool = True
    training_between_tests: bool = False
    first_spike_later: int = 0
    first_phase: int = 0
    gts_input: str = "throughout"
    cell_output_activation: str = "identity"
    initial_weight_range: float = 0.1
    state_carried_over: bool = False
    gradient: str = "truncated"

    def __post_init__(self) -> None:
        """Raise ConfigurationError for the first value that cannot be."""
        check_number("protocol.learning_rate", self.learning_rate, "a number above 0", lambda v: v > 0)
        check_number(
            "protocol.momentum", self.momentum, "a number from 0 up to, but not including, 1", lambda v: 0 <= v < 1
        )
        for gate in ("input", "forget", "output"):
            check_number(f"protocol.{gate}_gate_bias", getattr(self, f"{gate}_gate_bias"), "a number", lambda v: True)
        check_number("protocol.error_factor", self.error_factor, "a number above 0", lambda v: v > 0)
        check_number("protocol.initial_weight_range", self.initial_weight_range, "a number above 0", lambda v: v > 0)
        for key, options in (
            ("update", UPDATES),
            ("gts_input", INPUTS_SHOWN),
            ("cell_output_activation", CELL_OUTPUT_ACTIVATIONS),
            ("gradient", GRADIENTS),
        ):
            if getattr(self, key) not in options:
                raise ConfigurationError(f"protocol.{key}", getattr(self, key), " or ".join(options))
        for key in (
            *("update_without_target", "update_when_wrong", "momentum_carried_over", "training_between_tests"),
            "state_carried_over",
        ):
            if not isinstance(getattr(self, key), bool):
                raise ConfigurationError(f"protocol.{key}", getattr(self, key), "true or false")
        check_whole("protocol.first_spike_later", self.first_spike_later, 0, 1)
        check_whole("protocol.first_phase", self.first_phase, 0, LONGEST_INTERVAL - 1)

    @property
    def gate_biases(self) -> tuple[float, float, float]:
        """The initial b_i, b_f, b_o."""
        return self.input_gate_bias, self.forget_gate_bias, self.output_gate_bias


@dataclass(frozen=True)
class Budget:
    """When a net is given up. Both limits are looked at after a failed test.

    Attributes:
        training_streams: training streams, at most 2^31.
        net_steps: training and test steps together.
    """

    training_streams: int
    net_steps: int

    def __post_init__(self) -> None:
        """Raise ConfigurationError for the first value that cannot be."""
        for key, most in (("training_streams", 2**31), ("net_steps", 2**62)):
            check_whole(f"budget.{key}", getattr(self, key), 1, most)


@dataclass(frozen=True)
class Condition:
    """What a row of a table reports: a task, a net and a way of learning.

    Attributes:
        task: the task.
        peepholes: whether the net has them.
        forget_gate: whether the net has one; without, f = 1.
        output_activation: `sigmoid` or `identity`.
        initial_state: which state it starts from; its text, such as `learned`, will do.
        recipe: how it learns.
        protocol: the reading of the paper.
        budget: when a net is given up.
        model: the net; the online recipe knows the paper's alone.
    """

    task: Task
    protocol: Protocol
    budget: Budget
    peepholes: bool = True
    forget_gate: bool = True
    output_activation: str = "sigmoid"
    initial_state: NamedInitialState = ZERO
    recipe: Recipe = ONLINE
    model: Model = PEEPHOLE_LSTM
    frozen_weights: bool = field(
        default=False, repr=False
    )  # sum up gradients, for tests and studies; never from a config

    def __post_init__(self) -> None:
        """Raise ConfigurationError for the first value that cannot be."""
        if isinstance(self.initial_state, str):
            object.__setattr__(self, "initial_state", NamedInitialState.of_text(self.initial_state))
        if self.output_activation not in OUTPUT_ACTIVATIONS:
            raise ConfigurationError("output_activation", self.output_activation, " or ".join(OUTPUT_ACTIVATIONS))
        for key in ("peepholes", "forget_gate"):
            if not isinstance(getattr(self, key), bool):
                raise ConfigurationError(key, getattr(self, key), "true or false")
        if self.protocol.state_carried_over and self.initial_state != ZERO:
            why = f"false for the initial state {self.initial_state}, where only the first training stream would begin"
            raise ConfigurationError("protocol.state_carried_over", True, why)
        if not isinstance(self.recipe, BPTT) and self.task.name not in TASKS:
            raise ConfigurationError("task", self.task.name, f"one of {', '.join(TASKS)} for the online recipe")
        if not isinstance(self.recipe, BPTT) and self.initial_state.name == "fixed" and not self.task.has_dense_targets:
            why = f"another for {self.task} with the online recipe; fixed is for tasks with a target at every step"
            raise ConfigurationError("initial_state", str(self.initial_state), why)
        if not isinstance(self.recipe, BPTT) and self.model != PEEPHOLE_LSTM:
            raise ConfigurationError(
                "model",
                str(self.model),
                f"{PEEPHOLE_LSTM}, the paper's net, for the online recipe; add recipe=bptt for others",
            )
        if self.model.name != "peephole_lstm" and (self.peepholes or not self.forget_gate):
            raise ConfigurationError(
                "peepholes", self.peepholes, f"false, and forget_gate=true, for the model {self.model}"
            )
        if not self.model.can_start_from(self.initial_state):
            what = str(self.model)
            raise ConfigurationError(
                "initial_state", str(self.initial_state), f"zero{self.model.others} for the model {what}"
            )
        task = self.task
        if (
            isinstance(self.recipe, BPTT)
            and self.recipe.streams == "all"
            and task.is_random
            and task.training_periods > 1
        ):
            raise ConfigurationError("recipe.streams", "all", f"a whole number, for {task}, whose streams are too many")
        if isinstance(self.recipe, BPTT) and self.recipe.truncated and not self.model.has_cells:
            raise ConfigurationError("recipe.truncated", True, f"false for the model {self.model}, which has no cells")

    @functools.cached_property
    def columns(self) -> dict[str, Any]:
        """What a row of results says of the condition, by column."""
        return {
            "task": self.task.name,
            "interval": self.task.min_interval,
            "offsets": tuple(self.task.offsets),
            "waveform": self.task.waveform,
            "peepholes": self.peepholes,
            "initial_state": str(self.initial_state),
            "recipe": self.recipe.name,
            "protocol": self.protocol.name,
            "forget_gate": self.forget_gate,
            "output_activation": self.output_activation,
            "tolerance": float(self.task.tolerance),
            "model": str(self.model),
            "readings": self._readings,
        }

    @property
    def _readings(self) -> str:
        """The readings of streams and equations that differ from PAPER.md's; with the weights they restore the net."""
        h = self.protocol.cell_output_activation
        return " ".join(filter(None, (self.task.readings, "" if h == "identity" else f"cell_output_activation={h}")))

    def __str__(self) -> str:
        """Short, for messages and TensorBoard."""
        net = ("peephole LSTM" if self.peepholes else "LSTM") if self.model == PEEPHOLE_LSTM else str(self.model)
        recipe = "" if self.recipe == ONLINE else f", {self.recipe.name}"
        state = "" if self.initial_state == ZERO else f", {self.columns['initial_state'].replace('_', ' ')}"
        return f"{self.task}, {net}" + ("" if self.forget_gate else " without forget gate") + state + recipe
