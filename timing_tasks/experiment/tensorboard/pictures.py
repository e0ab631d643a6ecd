"""Pictures for TensorBoard: outputs and targets of a net that is learning, and the gates of a solved one."""

from __future__ import annotations

import time
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import lightning as L
import numpy as np

from timing_tasks.conditions.model import PEEPHOLE_LSTM
from timing_tasks.experiment.tensorboard.boards import Boards
from timing_tasks.learning.online.population import Verdict
from timing_tasks.learning.population import PopulationModule
from timing_tasks.models.trajectory import Trajectory, trajectory
from timing_tasks.tasks import Purpose, Stream, Task, stream

if TYPE_CHECKING:
    from timing_tasks.experiment.tensorboard.drawing import Drawing

_PERIODS = 4  # in a picture
_SHARE = 0.01  # of the time may be spent on pictures,
_FREE = 2.0  # or so many seconds on nets with a verdict
_OUTPUT, _GATES = "view of output", "view of gates"


class TensorBoardPictures(L.Callback):
    """For each condition the output of its first net in a test stream, and the gates of the first net that is solved.

    The output is drawn at the net's verdict, and before that after some seconds and each time the training has lasted
    twice as long. Pictures take no more than a hundredth of the run's time, or two seconds for those of nets with a
    verdict. Gates are those of the paper's net.

    Args:
        boards: where to.
        seconds: until the first picture.
    """

    def __init__(self, boards: Boards, seconds: float = 10.0) -> None:
        self.boards = boards
        self.start, self.next, self.spent = time.monotonic(), seconds, 0.0
        self._shown = np.zeros(0, dtype=np.int64)  # where the first net of each condition is
        self._finished: set[int] = set()  # those of them that have been drawn with their verdict, or are due
        self._solved: set[int] = set()  # conditions whose gates have been drawn, or are due
        self._due: dict[tuple[str, int], None] = {}  # kind of picture, and of which net, in this order
        self._drawings: dict[str, Drawing] = {}

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Find the nets."""
        assert isinstance(module, PopulationModule)
        self._shown = np.unique(module.population.condition, return_index=True)[1]

    def on_train_batch_end(self, trainer: L.Trainer, module: L.LightningModule, *_: Any) -> None:
        """Draw what is due."""
        assert isinstance(module, PopulationModule)
        if not trainer.is_global_zero:
            return
        elapsed, verdict = time.monotonic() - self.start, module.state.verdict.numpy()
        self._collect(module, elapsed)
        while self._due:
            kind, index = min(self._due, key=lambda due: verdict[due[1]] == Verdict.RUNNING)
            is_running = verdict[index] == Verdict.RUNNING
            if self.spent >= max(0.0 if is_running else _FREE, _SHARE * elapsed):
                break
            from timing_tasks.experiment.tensorboard.drawing import Drawing  # matplotlib takes a while to import

            del self._due[kind, index]
            began = time.thread_time()
            if kind not in self._drawings:
                self._drawings[kind] = Drawing(panels=2 if kind == _GATES else 1)
            self._draw(self._drawings[kind], module, kind, index)
            self.spent += time.thread_time() - began

    def _collect(self, module: PopulationModule, elapsed: float) -> None:
        """What has become due."""
        verdict, condition = module.state.verdict.numpy(), module.population.condition
        running = verdict[self._shown] == Verdict.RUNNING
        if elapsed >= self.next:
            self.next = 2 * elapsed
            self._due |= {(_OUTPUT, index): None for index in self._shown[running].tolist()}
        finished = set(self._shown[~running].tolist()) - self._finished
        self._finished |= finished
        self._due |= {(_OUTPUT, index): None for index in sorted(finished)}
        for index in np.flatnonzero(verdict == Verdict.SOLVED).tolist():
            if condition[index] not in self._solved:
                self._solved.add(int(condition[index]))
                if module.population.condition_of(index).model == PEEPHOLE_LSTM:
                    self._due[_GATES, index] = None

    def _draw(self, drawing: Drawing, module: PopulationModule, kind: str, index: int) -> None:
        population, streams = module.population, int(module.state.training_streams[index])
        condition, position = population.condition_of(index), int(population.condition[index])
        seed, replica = int(population.seed[index]), int(population.replica[index])
        several = _test_streams(condition.task, seed, replica, streams)
        shown = _joined(several)
        title = f"net {replica}, {Verdict(int(module.state.verdict[index])).name.lower()}, {streams:,} streams"
        if kind == _GATES:
            weights = module.weights(index)
            units = [
                trajectory(weights, one.inputs, condition.output_activation, condition.forget_gate) for one in several
            ]
            image = drawing.gates(
                shown, Trajectory(*map(np.concatenate, zip(*map(_arrays, units), strict=True))), title
            )
        else:
            output = np.concatenate([module.outputs(index, one) for one in several])
            image = drawing.output(condition.task, shown, output, title)
        tag = f"{kind}/{self.boards.tasks[position]}"
        self.boards.writer(position).add_image(tag, image, streams, dataformats="HWC")


def _test_streams(task: Task, seed: int, replica: int, number: int) -> list[Stream]:
    """Test streams with four periods in all; for a task with one period a stream, those of different offsets."""
    if task.test_periods >= _PERIODS:
        return [stream(task, seed, replica, number, Purpose.TEST, periods=_PERIODS)]
    tests = np.unique(np.linspace(0, task.test_streams - 1, _PERIODS).round().astype(int)).tolist()
    return [stream(task, seed, replica, number, Purpose.TEST, test) for test in tests]


def _joined(streams: list[Stream]) -> Stream:
    """Streams one after the other, as a picture shows them."""
    first = np.cumsum([0, *(int(one.period[-1]) + 1 for one in streams[:-1])]).tolist()
    return Stream(
        np.concatenate([one.inputs for one in streams]),
        np.concatenate([one.targets for one in streams]),
        np.concatenate([one.has_target for one in streams]),
        np.concatenate([one.period + before for one, before in zip(streams, first, strict=True)]),
    )


def _arrays(units: Trajectory) -> list[np.ndarray]:
    return [getattr(units, field.name) for field in fields(units)]
