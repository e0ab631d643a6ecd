"""A run, checked: conditions, how many nets of each, who trains them and where the rows go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timing_tasks
from timing_tasks.conditions.condition import Condition
from timing_tasks.results.description import describe


@dataclass(frozen=True)
class Experiment:
    """A run, checked.

    Attributes:
        name: of the experiment.
        title: of its table.
        conditions: in the order of the table.
        replicas: of each condition.
        seed: of the run.
        engine: a name of ENGINES.
        threads: of the native engine; None for all cores.
        trainer: keyword arguments of `lightning.Trainer` about devices.
        output: the folder for rows, checkpoints and TensorBoard.
        protocol: the name of the protocol.
        budget: the name of the budget.
        max_seconds: after which the run is stopped; the same run goes on from there. None for any.
    """

    name: str
    title: str
    conditions: tuple[Condition, ...]
    replicas: int
    seed: int
    engine: str
    threads: int | None
    trainer: Mapping[str, Any]
    output: Path
    protocol: str
    budget: str
    max_seconds: float | None = None

    @property
    def processes(self) -> int:
        """On all machines."""
        return int(self.trainer["devices"] * self.trainer["num_nodes"])

    @property
    def identity(self) -> dict[str, object]:
        """What decides the rows. Not how many replicas of which conditions: a folder may gain more of both."""
        return identity(self.name, self.protocol, self.seed, self.engine)

    @property
    def described_conditions(self) -> dict[str, object]:
        """The conditions in full, by what their rows say of them."""
        return describe(self.conditions)


def identity(name: str, protocol: str, seed: int, engine: str) -> dict[str, object]:
    """See `Experiment.identity`."""
    return {
        "experiment": name,
        "protocol": protocol,
        "version": timing_tasks.__version__,
        "engine": engine,
        "seed": seed,
    }
