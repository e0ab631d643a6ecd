"""What happens around the training of a population: rows, checkpoints, the progress bar, TensorBoard."""

from __future__ import annotations

import os
import re
import time
import warnings
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Checkpoint, ProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from timing_tasks.errors import ResultsError
from timing_tasks.experiment.experiment import Experiment
from timing_tasks.learning.online.population import Verdict
from timing_tasks.learning.population import PopulationModule
from timing_tasks.results.folder import ResultsFolder
from timing_tasks.results.row import Row
from timing_tasks.results.seconds import append_seconds

_KINDS = ("solved fraction", "median training stream size", "median test stream size")


class RowWriter(L.Callback):
    """Appends the row of every replica as soon as it is finished.

    Args:
        folder: where to.
        row: the row of a position in the population.
    """

    def __init__(self, folder: ResultsFolder, row: Callable[[PopulationModule, int], Row]) -> None:
        self.folder, self.row = folder, row
        self.written: set[int] = set()

    def write(self, module: PopulationModule) -> None:
        """Append the rows that are due."""
        due = [index for index in module.finished() if index not in self.written]
        rows = [self.row(module, index) for index in due]
        append_seconds(
            self.folder.path, {row: float(module.seconds[index]) for row, index in zip(rows, due, strict=True)}
        )
        self.folder.append(rows)
        self.written.update(due)

    def on_fit_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Those that a checkpoint knew as finished, but whose rows are gone; if all are, nothing is going to be trained."""
        self.on_train_batch_end(trainer, module)

    def on_train_batch_end(self, trainer: L.Trainer, module: L.LightningModule, *_: Any) -> None:
        """After each chunk."""
        assert isinstance(module, PopulationModule)
        if trainer.is_global_zero:
            self.write(module)


class Checkpoints(Checkpoint):
    """A checkpoint about every second, of many nets less often: a kill loses no more than that. The one before it is kept.

    Args:
        folder: where to.
        keys: what checkpoints of the module have.
        seconds: from one to the next, or longer, so that no more than a fiftieth of the time is spent on them.
    """

    def __init__(self, folder: Path, keys: Iterable[str], seconds: float = 0.5) -> None:
        self.last, self.previous = folder / "last.ckpt", folder / "previous.ckpt"
        self.keys = {"pytorch-lightning_version", *keys}
        self.seconds, self.due = seconds, 0.0

    def on_train_batch_end(self, trainer: L.Trainer, module: L.LightningModule, *_: Any) -> None:
        """After a chunk, if it is time and the nets of all processes are equally far, and after the last one."""
        start = time.monotonic()
        assert isinstance(module, PopulationModule)
        if trainer.is_global_zero and module.is_level and (start >= self.due or trainer.should_stop):
            self._save(trainer)
            end = time.monotonic()
            self.due = end + max(self.seconds, 50 * (end - start))

    def _save(self, trainer: L.Trainer) -> None:
        """The file is complete before it takes its name."""
        self.last.parent.mkdir(parents=True, exist_ok=True)
        new = self.last.with_suffix(".new")
        try:
            new.touch()  # Lightning would say of a folder that cannot be written that there is no such file
            trainer.save_checkpoint(new, weights_only=False)
            with new.open("rb") as file:
                os.fsync(file.fileno())
            if self.last.exists():
                self.last.replace(self.previous)
            new.replace(self.last)
        except OSError as error:
            new.unlink(missing_ok=True)
            raise ResultsError.of(self.last, error) from None

    def latest(self) -> str | None:
        """The checkpoint to go on from, if there is one; one that is damaged is passed over with a warning.

        Raises:
            ResultsError: there is one that cannot be read.
        """
        for path in (self.last, self.previous):
            try:
                _check(path, self.keys)
            except FileNotFoundError:
                continue
            except PermissionError as error:
                raise ResultsError.of(path, error) from None
            except Exception as error:  # whatever a damaged file makes the loader say
                warnings.warn(
                    f"{path} is damaged ({type(error).__name__}): going on from what was before it", stacklevel=2
                )
            else:
                return str(path)
        return None


def _check(path: Path, keys: set[str]) -> None:
    """Raise something unless the file is a checkpoint with these keys, every bit as it was written; nothing in it is executed."""
    with zipfile.ZipFile(path) as file:
        if (damaged := file.testzip()) is not None:  # torch.load does not look at the check sums
            raise ValueError(damaged)
    found = torch.load(path, weights_only=True, mmap=True)
    if not keys <= found.keys():
        raise ValueError("not a checkpoint of such a population")


class PopulationProgress(ProgressBar):
    """A line that says how many replicas are finished, how fast it goes, and how long it takes at most.

    Args:
        finished_before: replicas of the experiment that had their rows already.
    """

    def __init__(self, finished_before: int) -> None:
        super().__init__()
        self.finished_before = finished_before
        self.is_enabled = True
        self.bar: Progress | None = None

    def disable(self) -> None:
        """Lightning calls this in all processes but rank 0."""
        self.is_enabled = False

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Show the line."""
        if not self.is_enabled:
            return
        self.bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[left]}")
        )
        self.bar.start()
        self.task = self.bar.add_task("", total=1.0, left="")

    def on_train_batch_end(self, trainer: L.Trainer, module: L.LightningModule, *_: Any) -> None:
        """Bring it up to date."""
        assert isinstance(module, PopulationModule)
        if self.bar is None:
            return
        counts = np.bincount(module.state.verdict.numpy(), minlength=4)
        spent, left = work(module)
        seconds = left.sum() / max(module.net_steps_per_second, 1.0)
        text = (
            f"{counts[Verdict.SOLVED]} solved, {counts[Verdict.RUNNING]} running, {counts[Verdict.UNSOLVED]} out of budget"
            + (f", {counts[Verdict.DIVERGED]} diverged" if counts[Verdict.DIVERGED] else "")
            + (f", {self.finished_before} before" if self.finished_before else "")
            + f"  {module.net_steps_per_second / 1e6:.1f}M net-steps/s"
        )
        done = float(spent.sum() / max(spent.sum() + left.sum(), 1.0))
        self.bar.update(self.task, completed=done, description=text, left=f"at most {_duration(seconds)} left")

    def on_train_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Leave it as it is."""
        if self.bar is not None:
            self.bar.stop()

    def on_exception(self, trainer: L.Trainer, module: L.LightningModule, exception: BaseException) -> None:
        """Give the terminal back."""
        if self.bar is not None:
            self.bar.stop()


def work(module: PopulationModule) -> tuple[np.ndarray, np.ndarray]:
    """Net-steps spent by each replica, and an estimate of those left at most, both [replicas], float64."""
    state, population = module.state, module.population
    kinds = "budget_training_streams", "budget_net_steps"
    most_streams, most_steps = (population.records[kind][population.condition] for kind in kinds)
    spent = state.net_steps.numpy().astype(float)
    streams = state.training_streams.numpy()
    per_stream = spent / np.maximum(streams, 1)
    left = np.minimum((most_streams - streams) * per_stream, most_steps - spent)
    return spent, np.where(state.verdict.numpy() == Verdict.RUNNING, np.maximum(left, 0.0), 0.0)


class TensorBoardCurves(L.Callback):
    """Solved fraction and median stream size of each condition against training streams; one hparams entry at the end.

    Args:
        experiment: for the hparams.
        before: condition and status of the replicas that were finished before this fit; they count in the fractions.
        seconds: at most, between two points of a curve; less at the beginning, where more happens.
    """

    def __init__(self, experiment: Experiment, before: Sequence[tuple[int, str]] = (), seconds: float = 3.0) -> None:
        self.experiment, self.before, self.seconds = experiment, before, seconds
        self.start = self.last = time.monotonic()

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Lay the curves out as the table is, one chart for each task with all its nets, in the tab for custom scalars."""
        layout: dict[str, dict[str, list[Any]]] = {}
        for kind in _KINDS:
            charts = layout.setdefault(f"{self.experiment.title}: {kind}", {})
            for condition in self.experiment.conditions:
                tag = f"^{re.escape(f'{kind}/{condition}')}$"  # a layout's tags are patterns
                charts.setdefault(str(condition.task), ["Multiline", []])[1].append(tag)
        for logger in boards(trainer):
            logger.experiment.add_custom_scalars(layout)

    def on_train_batch_end(self, trainer: L.Trainer, module: L.LightningModule, *_: Any) -> None:
        """A point, if it is time."""
        assert isinstance(module, PopulationModule)
        now = time.monotonic()
        if module.is_finished or now - self.last >= min(self.seconds, (now - self.start) / 20):
            self.last = now
            for logger in boards(trainer):
                self._point(logger, module)

    def on_train_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """The hparams entry, once all replicas are finished."""
        assert isinstance(module, PopulationModule)
        if not module.is_finished:
            return
        parameters = {
            "experiment": self.experiment.name,
            "protocol": self.experiment.protocol,
            "budget": self.experiment.budget,
            "engine": self.experiment.engine,
            "seed": self.experiment.seed,
            "replicas": self.experiment.replicas,
        }
        for logger in boards(trainer):
            logger.log_hyperparams(parameters, {"solved fraction": self._solved_fraction(module)})

    def _point(self, logger: TensorBoardLogger, module: PopulationModule) -> None:
        state, population = module.state, module.population
        for position, condition in enumerate(population.conditions):
            rows = np.flatnonzero(population.condition == position)
            if len(rows) == 0:
                continue
            streams = int(state.training_streams.numpy()[rows].max())
            values = (
                self._solved_fraction(module, position),
                float(np.median(state.training_size.numpy()[rows])),
                float(np.median(state.test_size.numpy()[rows])),
            )
            for name, value in zip(_KINDS, values, strict=True):
                logger.experiment.add_scalar(f"{name}/{condition}", value, streams)

    def _solved_fraction(self, module: PopulationModule, position: int | None = None) -> float:
        """Of the replicas of a condition, or of all."""
        state, population = module.state, module.population
        mine = np.ones(len(population), dtype=bool) if position is None else population.condition == position
        others = [status for condition, status in self.before if position in (None, condition)]
        solved = np.count_nonzero(state.verdict.numpy()[mine] == Verdict.SOLVED) + others.count("solved")
        return float(solved / (np.count_nonzero(mine) + len(others)))


def boards(trainer: L.Trainer) -> Sequence[TensorBoardLogger]:
    """Where to write for TensorBoard: nowhere but in rank 0."""
    return [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger) and trainer.is_global_zero]


def _duration(seconds: float) -> str:
    if seconds >= 36000:
        return f"{seconds / 3600:.0f} h"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"
