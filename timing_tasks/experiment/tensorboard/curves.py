"""Curves: how the nets of each condition learn, against training streams."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import lightning as L
import numpy as np

from timing_tasks.experiment.experiment import Experiment
from timing_tasks.experiment.standing import Finished, Standing, not_in, standings
from timing_tasks.experiment.tensorboard.boards import Boards, add_session
from timing_tasks.experiment.tensorboard.hyperparameters import hyperparameters, metrics
from timing_tasks.learning.online.population import Verdict
from timing_tasks.learning.population import PopulationModule
from timing_tasks.tasks import Purpose, Stream, stream

_NETS = 3  # of each condition, whose error is looked at
_PERIODS = 2  # of the stream for that
_SHARE = 200  # one part of the time in so many may be spent on errors, and one on the other curves


class TensorBoardCurves(L.Callback):
    """Solved fraction, stream sizes and error of each condition; its hyperparameters once all its nets are finished.

    The tag of a curve names the task; the nets are TensorBoard's runs. `test error` is the root mean square of d - z
    over the targets of one test stream that stays the same, of two periods, the median over the first three nets:
    unlike the error in training it needs nothing of the recipe and is not cut short by the first wrong prediction.

    Args:
        boards: where to.
        experiment: for the hyperparameters.
        before: nets that were finished before this fit.
        seconds: at most, between two points of a curve; less at the beginning, where more happens. Points are
            farther apart where it takes that for them to cost no more than a hundredth of the time.
    """

    def __init__(
        self, boards: Boards, experiment: Experiment, before: Sequence[Finished] = (), seconds: float = 3.0
    ) -> None:
        self.boards, self.experiment, self.before, self.seconds = boards, experiment, before, seconds
        self.start = self.due = time.monotonic()
        self._error_due = self.due
        self._errors: dict[int, float] = {}  # of finished nets, which stay as they are
        self._streams: dict[int, Stream] = {}
        self._entered: set[int] = set()

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Look which nets were finished before."""
        assert isinstance(module, PopulationModule)
        self.before = not_in(module, self.before)

    def on_train_batch_end(self, trainer: L.Trainer, module: L.LightningModule, *_: Any) -> None:
        """A point, if it is time."""
        assert isinstance(module, PopulationModule)
        now = time.monotonic()
        if trainer.is_global_zero and now >= self.due:
            with_error = now >= self._error_due
            self._points(module, with_error)
            ended = time.monotonic()
            self.due = ended + min(self.seconds, (now - self.start) / 20)
            if with_error:
                self._error_due = ended + _SHARE * (ended - now)
            else:
                self.due = max(self.due, ended + _SHARE * (ended - now))

    def on_train_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """The last points."""
        assert isinstance(module, PopulationModule)
        if trainer.is_global_zero:
            self._points(module, with_error=True)

    def teardown(self, trainer: L.Trainer, module: L.LightningModule, stage: str) -> None:
        """Write what is not written yet."""
        self.boards.close()

    def on_exception(self, trainer: L.Trainer, module: L.LightningModule, exception: BaseException) -> None:
        """Write what can be written."""
        with suppress(OSError):  # it may be the disk that is full
            self.boards.close()

    def _points(self, module: PopulationModule, with_error: bool) -> None:
        for position, standing in standings(module, self.before).items():
            self._point(module, position, standing, with_error)
            if standing.is_finished and position not in self._entered:
                self._enter(position, standing)

    def _point(self, module: PopulationModule, position: int, standing: Standing, with_error: bool) -> None:
        state, mine = module.state, np.flatnonzero(module.population.condition == position)
        writer, task, streams = self.boards.writer(position), self.boards.tasks[position], int(standing.streams.max())
        values = {
            "solved": standing.solved / standing.nets,
            "stream size in training": float(np.median(state.training_size.numpy()[mine])),
            "stream size in tests": float(np.median(state.test_size.numpy()[mine])),
        }
        if with_error:
            values["test error"] = float(np.median([self._error(module, index) for index in mine[:_NETS].tolist()]))
        for kind, value in values.items():
            writer.add_scalar(f"{kind}/{task}", value, streams)

    def _enter(self, position: int, standing: Standing) -> None:
        """The hyperparameters and what came of them."""
        with self.boards.entry(position) as writer:
            condition = self.experiment.conditions[position]
            add_session(writer, hyperparameters(condition, self.experiment), metrics(standing))
        self._entered.add(position)

    def _error(self, module: PopulationModule, index: int) -> float:
        if index not in self._errors:
            if index not in self._streams:
                population = module.population
                who = int(population.seed[index]), int(population.replica[index])
                periods = min(_PERIODS, population.condition_of(index).task.test_periods)
                self._streams[index] = stream(
                    population.condition_of(index).task, *who, 0, Purpose.TEST, periods=periods
                )
            shown = self._streams[index]
            error = (shown.targets - module.outputs(index, shown))[shown.has_target]
            with np.errstate(all="ignore"):  # of a net that diverges
                value = float(np.sqrt(np.mean(error**2)))
            if int(module.state.verdict[index]) == Verdict.RUNNING:
                return value
            self._errors[index] = value
        return self._errors[index]
