"""The native engine: C++, one net a SIMD lane, on the CPU. Its code is in `timing_tasks/native`."""

from __future__ import annotations

from typing import Any

import _timing_tasks_native as native
import numpy as np
import torch

from timing_tasks.learning.online.population import CONDITION_RECORD, TRACES, WEIGHTS, Population, State
from timing_tasks.models import instruction_set


def check_record(fields: list[tuple[str, str, int]], size: int) -> None:
    """Compare the native engine's record of a condition with CONDITION_RECORD, field by field.

    Args:
        fields: name, type and offset in bytes of each.
        size: of the record, in bytes.

    Raises:
        ImportError: they differ.
    """
    ours = [(name, str(dtype), offset) for name, (dtype, offset, *_) in (CONDITION_RECORD.fields or {}).items()]
    if (WEIGHTS, TRACES, ours, CONDITION_RECORD.itemsize) != (native.WEIGHTS, native.TRACES, fields, size):
        raise ImportError(_OTHER_VERSION)


_OTHER_VERSION = (
    "the installed native engine belongs to another version of timing-tasks: reinstall with `pip install .`"
)
check_record(native.CONDITION_FIELDS, native.CONDITION_BYTES)


class NativeEngine:
    """See `Engine`. The result does not depend on the number of threads or the instruction set.

    Args:
        threads: how many to use at most.

    Raises:
        UserError: the environment asks for an instruction set that is not there.
    """

    name = "native"
    block = 1

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.instruction_set = instruction_set.chosen()

    def on(self, device: torch.device) -> NativeEngine:
        """See `Engine.on`."""
        return self

    def run(self, population: Population, state: State, net_steps: int) -> None:
        """See `Engine.run`; the state must be on the CPU."""
        native.run(*arguments(population, state), net_steps, self.threads, self.instruction_set)


def run_scalar(population: Population, state: State, net_steps: int) -> None:
    """The benchmark's yardstick: the same rule in plain scalar code, from the first stream on.

    Each replica runs until it is finished or, at the end of a test, has done `net_steps` net-steps. Of the state only
    the weights are read, and only weights, verdicts and the counts of streams and steps are written.
    """
    native.run_scalar(*arguments(population, state), net_steps)


def throughput(instruction_set: str) -> tuple[float, float, float]:
    """Nanoseconds for each double of a fused multiply-add, a store and a division, at best, on one core."""
    fused, store, division = native.throughput(instruction_set)
    return fused, store, division


def arguments(population: Population, state: State) -> tuple[Any, ...]:
    """A population and its state as the native functions take them."""
    keys = np.stack([population.condition, population.seed, population.replica], axis=1)
    return (
        np.frombuffer(population.records.tobytes(), dtype=np.uint8),
        population.offsets,
        population.targets,
        np.ascontiguousarray(keys).reshape(-1),
        {name: tensor.numpy() for name, tensor in state.tensors().items()},
    )
