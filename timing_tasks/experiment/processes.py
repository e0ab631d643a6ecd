"""Several processes: each trains its own replicas, and the first one, rank 0, hears of all of them.

Nets never share anything, so no gradient is averaged and nothing is wrapped: all that is taken from Lightning's
data-parallel strategy is that it starts processes, on one machine by itself, on several under torchrun or SLURM, and
joins them in a group. Every process has the whole population. It trains every n-th replica, so that each condition is
spread over all processes, and after each chunk rank 0 puts what the others send into its own state. There rows,
checkpoints, progress bar and TensorBoard are those of a run in one process.
"""

from __future__ import annotations

import logging
import math
import multiprocessing
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, Literal, TypeVar

import lightning as L
import numpy as np
import torch
import torch.distributed as dist
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities import rank_zero_only
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from timing_tasks import errors
from timing_tasks.errors import LostProcessError, StoppedError, UserError
from timing_tasks.experiment.started import started
from timing_tasks.learning.population import PopulationModule

T = TypeVar("T")
_SECONDS = (
    0.5  # from one exchange to the next, or longer, so that rank 0 spends no more than a tenth of its time on them
)
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def environment() -> ClusterEnvironment:
    """Lightning's name for what started this process; by itself it takes any script in a SLURM job for one of many."""
    who = started()
    if who is None:
        rank_zero_only.rank = 0  # type: ignore[attr-defined]  # else from the environment
        return LightningEnvironment()
    if who.by == "torchrun":
        return TorchElasticEnvironment()
    # Lightning's port is a function of the job alone; several runs may be steps of it.
    job, step = (int(os.environ.get(name, 0)) for name in ("SLURM_JOB_ID", "SLURM_STEP_ID"))
    os.environ.setdefault("MASTER_PORT", str(15000 + (job + 37 * step) % 10000))
    return SLURMEnvironment(auto_requeue=False)


class SeparateNets(DDPStrategy):
    """Processes that train different nets, joined by gloo on any device: they exchange only states and counters.

    On one machine the processes are spawned when training starts and end with it. (Lightning's other way, to run the
    script again in each, would compose the config and open the output folder several times.)
    """

    def __init__(self) -> None:
        start: Literal["popen", "spawn"] = "spawn" if started() is None else "popen"  # nothing is started then
        super().__init__(process_group_backend="gloo", start_method=start)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """In a process that is spawned: before Lightning looks whether it should have been srun that has started it."""
        quiet()
        self.__dict__.update(state)

    def setup_environment(self) -> None:
        """Join the group."""
        if started() is None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent passes it on
        super().setup_environment()

    def setup_distributed(self) -> None:
        """Join the group as Lightning does, but without binding it to a GPU: no tensor of a GPU goes through it."""
        self.set_world_ranks()
        cluster = self.cluster_environment
        assert cluster is not None
        os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"] = cluster.main_address, str(cluster.main_port)
        if not dist.is_initialized():
            dist.init_process_group(
                self.process_group_backend, rank=cluster.global_rank(), world_size=cluster.world_size()
            )

    def configure_ddp(self) -> None:
        """Nothing: no gradient is exchanged."""

    def teardown(self) -> None:
        """Leave the group when the process ends with the fit: gloo's threads should not outlive it."""
        super().teardown()
        if started() is None and dist.is_initialized():
            dist.destroy_process_group()

    def barrier(self, *arguments: Any, **named: Any) -> None:
        """Wait for all, but not where a checkpoint is saved, for rank 0 alone does that."""
        if "Trainer.save_checkpoint" not in arguments:
            super().barrier(*arguments, **named)


def quiet() -> None:
    """Keep Lightning from telling what it does."""
    for name in ("lightning.pytorch", "lightning.fabric", "torch.multiprocessing.spawn"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    warnings.filterwarnings(
        "ignore", message="The ``compute`` method of metric"
    )  # of a process whose nets are all finished


def as_rank_0_says(trainer: L.Trainer, value: T) -> T:
    """Rank 0's value, in all processes that torchrun or SLURM has started; those that we start get it anyway."""
    if started() is None or not isinstance(trainer.strategy, SeparateNets):
        return value
    trainer.strategy.setup_environment()
    said: T = trainer.strategy.broadcast(value)
    return said


class Exchange(L.Callback):
    """Rank 0 regularly gets the replicas that the others have trained; after each chunk all agree whether to go on.

    The first of a fit's callbacks: those after it see the whole population, in rank 0. SIGINT and SIGTERM, in whichever
    process they arrive, end the fit of all processes after the chunk; a second one ends that of a single process at
    once.

    Args:
        deadline: by the monotonic clock; then the fit ends as if SIGTERM had come.

    Attributes:
        stopped: the signal that has ended the fit, or 0.
    """

    def __init__(self, deadline: float = math.inf) -> None:
        self.deadline = deadline
        self.stopped = self._received = 0
        self._running: Sequence[int] = ()  # of this process, at the last exchange
        self._due = 0.0
        self._speed_of_others = 0.0
        self._handlers: dict[int, Any] = {}
        self._is_alone = False

    def setup(self, trainer: L.Trainer, module: L.LightningModule, stage: str) -> None:
        """Share the replicas out."""
        assert isinstance(module, PopulationModule)
        module.own = np.arange(trainer.global_rank, len(module.population), trainer.world_size)

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Listen to signals, instead of Lightning, whose answer would break into the exchange."""
        assert isinstance(module, PopulationModule)
        self._running = module.running()
        self._is_alone = trainer.world_size == 1
        self._handlers = _handled(self._receive)

    def _receive(self, number: int, _: FrameType | None) -> None:
        if self._received and self._is_alone:
            raise KeyboardInterrupt  # a second Ctrl-C does not wait for the chunk
        self._received = number

    def on_train_batch_end(self, trainer: L.Trainer, module: L.LightningModule, *_: Any) -> None:
        """Exchange, if rank 0 says that it is time, or the fit ends."""
        assert isinstance(module, PopulationModule)
        is_due = trainer.is_global_zero and time.monotonic() >= self._due
        if time.monotonic() >= self.deadline:
            self._received = self._received or signal.SIGTERM
        going_on, self.stopped, is_level = _highest(trainer, bool(module.running()), self._received, is_due)
        trainer.should_stop = not going_on or self.stopped > 0
        module.is_level = bool(is_level) or trainer.should_stop
        if module.is_level:
            cost = self._exchange(trainer, module) if trainer.world_size > 1 else 0.0
            self._due = time.monotonic() + max(_SECONDS, 10 * cost)
        module.net_steps_per_second += self._speed_of_others

    def _exchange(self, trainer: L.Trainer, module: PopulationModule) -> float:
        """How many seconds it took, not counting those that others let this process wait."""
        start = time.monotonic()
        trained, self._running = self._running, module.running()
        mine = [] if trainer.is_global_zero else [trained, module.part(trained), module.net_steps_per_second]
        ready = time.monotonic()
        found = _gathered(trainer, mine)
        waited = time.monotonic() - ready
        self._speed_of_others = sum(speed for *_, speed in found)
        for rows, part, _ in found:
            module.put_part(rows, part)
        return time.monotonic() - start - waited

    def teardown(self, trainer: L.Trainer, module: L.LightningModule, stage: str) -> None:
        """Leave the signals as they were."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}


def _handled(handler: Callable[[int, FrameType | None], None]) -> dict[int, Any]:
    """Have signals handled; gives the handlers before. In a thread of a program they are the program's to handle."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.signal(number, handler) for number in _SIGNALS}


def _highest(trainer: L.Trainer, *numbers: int) -> list[int]:
    """Each number where it is highest."""
    if trainer.world_size == 1:
        return list(numbers)
    tensor = torch.tensor(numbers)
    together(lambda: dist.all_reduce(tensor, dist.ReduceOp.MAX))
    return [int(number) for number in tensor]


def _gathered(trainer: L.Trainer, value: T) -> list[T]:
    """In rank 0, what all others have; elsewhere nothing."""
    values: list[Any] | None = [None] * trainer.world_size if trainer.is_global_zero else None
    together(lambda: dist.gather_object(value if not trainer.is_global_zero else None, values))
    return (values or [])[1:]


def together(act: Callable[[], T]) -> T:
    """What all processes do at the same time.

    Raises:
        LostProcessError: one of them is gone.
    """
    try:
        return act()
    except RuntimeError as error:
        time.sleep(2)  # the process that is the cause, if it can still say why, ends first and is heard
        raise LostProcessError from error


@contextmanager
def fitting(trainer: L.Trainer, exchange: Exchange) -> Iterator[None]:
    """While processes of ours may train: what happens to them is reported as if it had happened here.

    Raises:
        StoppedError: a signal has ended the fit.
        UserError: that of a process, or a process has ended without a word.
    """
    received: list[int] = []

    def forward(number: int, _: FrameType | None) -> None:
        received.append(number)
        for child in multiprocessing.active_children():
            if child.pid is not None:
                os.kill(child.pid, signal.SIGTERM)

    before = _handled(forward) if trainer.world_size > 1 and started() is None else {}
    try:
        yield
    except (ProcessRaisedException, ProcessExitedException) as error:
        if not received:
            raise _as_told(error) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if number := max([*received, exchange.stopped]):
        raise StoppedError(number)


def _as_told(error: ProcessRaisedException | ProcessExitedException) -> Exception:
    """The error of a process, which comes as its traceback: that of a user is the last line of it."""
    if isinstance(error, ProcessExitedException):
        cause = error.signal_name or f"exit status {error.exit_code}"
        return LostProcessError(f"process {error.error_index} of this run has ended ({cause})")
    kind, _, message = str(error).strip().rpartition("\n")[2].partition(": ")
    if kind == "OSError":
        return OSError(message)
    return UserError(message) if kind.startswith(errors.__name__) else error
