"""What an engine is given: the replicas of all conditions of a run side by side, and the state of each.

The records have their other half in `native/population.hpp`; both sides name the same fields in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor

from timing_tasks.conditions.condition import Condition
from timing_tasks.learning.online.cell import STATE_WEIGHTS
from timing_tasks.models.weights import WEIGHT_NAMES, initial_weights
from timing_tasks.tasks.paper import PFG, TASKS

WEIGHTS = len(WEIGHT_NAMES)
GATE_TRACES = WEIGHT_NAMES.index("s_0")  # ds/dw of the weights into input gate, forget gate and cell come first
TRACES = 2 * STATE_WEIGHTS  # ds/dw of all weights that the state depends on, then dy/dw of them


class Verdict(IntEnum):
    """What has become of a replica."""

    RUNNING = 0
    SOLVED = 1
    UNSOLVED = 2
    DIVERGED = 3


_INTEGERS = (
    *("task", "min_interval", "first_offset", "offsets", "first_target"),
    *("peepholes", "forget_gate", "sigmoid_output", "learn_cell_state", "learn_cell_output", "frozen_weights"),
    *(
        "update_per_stream",
        "update_without_target",
        "update_when_wrong",
        "momentum_carried_over",
        "training_between_tests",
    ),
    *("state_carried_over", "first_spike_later", "input_at_start", "centred_logistic", "full_gradient"),
    *("training_periods", "test_periods", "test_streams", "budget_training_streams", "budget_net_steps"),
)
_REALS = ("learning_rate", "momentum", "tolerance", "initial_noise")
CONDITION_RECORD = np.dtype([(name, np.int64) for name in _INTEGERS] + [(name, np.float64) for name in _REALS])


@dataclass(frozen=True)
class Population:
    """Replicas of one or more conditions.

    Attributes:
        conditions: of the replicas.
        records: the conditions as the engines read them, of CONDITION_RECORD, shape [conditions].
        offsets: the offsets of all conditions one after the other, int64.
        targets: one period of each waveform, end to end, last step first, float64.
        condition: which condition a replica has, int64, shape [replicas].
        replica: its number within the condition, int64, [replicas].
        seed: int64, [replicas].
    """

    conditions: tuple[Condition, ...]
    records: np.ndarray
    offsets: np.ndarray
    targets: np.ndarray
    condition: np.ndarray
    replica: np.ndarray
    seed: np.ndarray

    @classmethod
    def of(cls, conditions: Sequence[Condition], replicas: Sequence[tuple[int, int]], seed: int) -> Population:
        """The population of `replicas`, each a position in `conditions` and a number within the condition."""
        records = np.zeros(len(conditions), dtype=CONDITION_RECORD)
        offsets: list[int] = []
        targets: list[float] = []
        for record, condition in zip(records, conditions, strict=True):
            task, protocol = condition.task, condition.protocol
            values = {
                "task": TASKS.index(task.name) if task.name in TASKS else -1,  # which the online recipe refuses
                "min_interval": task.min_interval,
                "first_offset": len(offsets),
                "offsets": len(task.offsets or (0,)),
                "first_target": len(targets),
                "peepholes": condition.peepholes,
                "forget_gate": condition.forget_gate,
                "sigmoid_output": condition.output_activation == "sigmoid",
                "learn_cell_state": condition.initial_state.learns_cell_state,
                "learn_cell_output": condition.initial_state.learns_cell_output,
                "frozen_weights": condition.frozen_weights,
                "update_per_stream": protocol.update == "stream",
                # The native engine reads s(0) and y(0) of a net that does not learn them where a reading is unusual.
                # This one changes nothing: the tasks that can have a fixed state have a target at every step.
                "update_without_target": protocol.update_without_target and condition.initial_state.name != "fixed",
                "update_when_wrong": protocol.update_when_wrong,
                "momentum_carried_over": protocol.momentum_carried_over,
                "training_between_tests": protocol.training_between_tests
                and task.name != "nmsd",  # whose tests are one
                "state_carried_over": protocol.state_carried_over,
                "first_spike_later": getattr(task, "first_spike_later", 0),
                "input_at_start": getattr(task, "gts_input", "") == "first_step",
                "centred_logistic": protocol.cell_output_activation == "centred_logistic",
                "full_gradient": protocol.gradient == "full",
                "training_periods": task.training_periods,
                "test_periods": task.test_periods,
                "test_streams": task.test_streams,
                "budget_training_streams": condition.budget.training_streams,
                "budget_net_steps": condition.budget.net_steps,
                "learning_rate": protocol.learning_rate * (2.0 * protocol.error_factor),
                "momentum": protocol.momentum,
                "tolerance": task.tolerance,
                "initial_noise": condition.initial_state.noise
                * math.sqrt(3.0),  # of a uniform distribution with that deviation
            }
            for name, value in values.items():
                record[name] = value
            offsets += task.offsets or (0,)
            if isinstance(task, PFG):
                targets += task.waveform_targets()[::-1].tolist()
        condition_of, number = np.array(replicas, dtype=np.int64).reshape(-1, 2).T
        return cls(
            tuple(conditions),
            records,
            np.array(offsets, dtype=np.int64),
            np.array(targets, dtype=np.float64),
            condition_of.copy(),
            number.copy(),
            np.full(len(number), seed, dtype=np.int64),
        )

    def __len__(self) -> int:
        """How many replicas."""
        return len(self.replica)

    def at(self, indices: Sequence[int]) -> Population:
        """The population of the replicas at some positions."""
        rows = list(indices)
        return replace(self, condition=self.condition[rows], replica=self.replica[rows], seed=self.seed[rows])

    def condition_of(self, index: int) -> Condition:
        """The condition of the replica at an index."""
        return self.conditions[int(self.condition[index])]


@dataclass
class State:
    """Everything that changes, one row a replica; float64 and int64 tensors on one device.

    Attributes:
        weights: in the order of WEIGHT_NAMES, shape [replicas, 19].
        deltas: the last changes of the weights, [replicas, 19].
        traces: ds/dw and dy/dw within a training stream, else 0, [replicas, 34]; the truncated gradient needs the first
            13.
        cell_output: y(t), [replicas], like all that follow.
        cell_state: s(t).
        carried_output: y after the last training stream's last step, where the next one begins there; else 0.
        carried_state: s at the same step, or 0.
        squared_error: summed over the targets of the test streams since the last training stream.
        verdict: a Verdict.
        phase: 0 in a training stream, 1 in a test stream.
        training_streams: finished ones.
        test_stream: test streams finished since the last training stream.
        period: periods finished in the present stream.
        step: steps finished in the present period.
        targets: met in the periods finished since the last training stream.
        training_size: periods without a wrong prediction in the last finished training stream.
        test_size: the same for the last finished test stream.
        net_steps: steps of training and test streams.
    """

    weights: Tensor
    deltas: Tensor
    traces: Tensor
    cell_output: Tensor
    cell_state: Tensor
    carried_output: Tensor
    carried_state: Tensor
    squared_error: Tensor
    verdict: Tensor
    phase: Tensor
    training_streams: Tensor
    test_stream: Tensor
    period: Tensor
    step: Tensor
    targets: Tensor
    training_size: Tensor
    test_size: Tensor
    net_steps: Tensor

    @classmethod
    def blank(cls, count: int) -> State:
        """All zeros, for a number of replicas."""
        shapes = {"weights": (count, WEIGHTS), "deltas": (count, WEIGHTS), "traces": (count, TRACES)}
        reals = {*shapes, "cell_output", "cell_state", "carried_output", "carried_state", "squared_error"}
        names = [field.name for field in fields(cls)]
        return cls(
            *(torch.zeros(shapes.get(n, (count,)), dtype=torch.float64 if n in reals else torch.int64) for n in names)
        )

    @classmethod
    def initial(cls, population: Population) -> State:
        """Before the first step."""
        state = cls.blank(len(population))
        for position, condition in enumerate(population.conditions):
            rows = np.flatnonzero(population.condition == position)
            state.weights.numpy()[rows] = initial_weights(
                population.seed[rows],
                population.replica[rows],
                condition.protocol.gate_biases,
                condition.peepholes,
                condition.protocol.initial_weight_range,
                condition.initial_state.deviation if condition.initial_state.name == "fixed" else 0.0,
            )
        return state

    def tensors(self) -> dict[str, Tensor]:
        """The fields by name; the tensors are those of the state."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def clone(self) -> State:
        """A copy that shares nothing."""
        return State(**{name: tensor.clone() for name, tensor in self.tensors().items()})

    def to(self, device: torch.device | str) -> State:
        """On another device; the same tensors where it is the same."""
        return State(**{name: tensor.to(device) for name, tensor in self.tensors().items()})

    def at(self, rows: Sequence[int]) -> State:
        """A copy of some rows."""
        index = torch.as_tensor(rows, dtype=torch.int64)
        return State(**{name: tensor[index] for name, tensor in self.tensors().items()})

    def put(self, rows: Sequence[int], other: State, other_rows: Sequence[int]) -> None:
        """Copy rows of another state into rows of this one."""
        index, other_index = (torch.as_tensor(r, dtype=torch.int64) for r in (rows, other_rows))
        for name, tensor in self.tensors().items():
            tensor[index] = getattr(other, name)[other_index].to(tensor.device)

    def go_on(self, population: Population) -> None:
        """Let the replicas that a smaller budget gave up run on: what engines do after a failed test that ends none."""
        for position, condition in enumerate(population.conditions):
            budget, protocol = condition.budget, condition.protocol
            rows = torch.as_tensor(population.condition) == position
            rows &= (self.verdict == Verdict.UNSOLVED) & (self.training_streams < budget.training_streams)
            rows &= self.net_steps < budget.net_steps
            self.verdict[rows] = int(Verdict.RUNNING)
            for counter in (self.phase, self.period, self.step):
                counter[rows] = 0
            carried = protocol.momentum if protocol.update == "stream" else 1.0
            self.deltas[rows] *= carried * protocol.momentum_carried_over

    def root_mean_square_error(self, row: int) -> float:
        """Of a solved replica: over the targets of the test streams that solved it."""
        return float((self.squared_error[row] / self.targets[row]).sqrt())
