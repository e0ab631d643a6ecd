"""Whether torchrun or SLURM's srun has started this process as one of several that train for one run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from timing_tasks.errors import ConfigurationError

# From these Lightning and torch take which one of several processes this is, and where the others are.
_PLACES = (
    *("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK"),
    *("WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"),
)


@dataclass(frozen=True)
class Started:
    """One of the processes of a run.

    Attributes:
        by: `torchrun` or `srun`.
        rank: which one it is, from 0 on.
        processes: on all machines.
        machines: that they are on.
    """

    by: str
    rank: int
    processes: int
    machines: int


def started() -> Started | None:
    """What this process is, if torchrun or srun has started it.

    None within a job of SLURM whose one task it is, or whose script has called it without srun: such a run, like one
    outside of any job, starts its processes itself.
    """
    values = os.environ
    if "TORCHELASTIC_RUN_ID" in values:
        processes = int(values["WORLD_SIZE"])
        return Started("torchrun", int(values["RANK"]), processes, processes // int(values["LOCAL_WORLD_SIZE"]))
    if (processes := int(values.get("SLURM_STEP_NUM_TASKS", 1))) > 1:
        return Started("srun", int(values["SLURM_PROCID"]), processes, int(values["SLURM_STEP_NUM_NODES"]))
    return None


@contextmanager
def by_itself() -> Iterator[None]:
    """Within: a run that starts its processes itself goes by nothing that others have left in the environment."""
    left = {} if started() else {name: os.environ.pop(name) for name in _PLACES if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(left)


def check_started(devices: int, machines: int) -> None:
    """Raise ConfigurationError unless the processes are those that have been started, or can be started from here."""
    who = started()
    if who is None and machines > 1:
        raise ConfigurationError(
            "trainer.num_nodes", machines, "torchrun or srun must start the processes, see the README"
        )
    if who is not None and (who.processes, who.machines) != (devices * machines, machines):
        there = f"{who.processes} processes on {who.machines} machine{'s' if who.machines > 1 else ''}"
        raise ConfigurationError("trainer.devices", devices, f"{who.by} has started {there}, see the README")
    if who is not None and who.by == "srun" and os.environ.get("SLURM_NTASKS_PER_NODE") != str(devices):
        raise ConfigurationError(
            "trainer.devices", devices, f"srun needs --ntasks-per-node={devices}"
        )  # Lightning asks for it
