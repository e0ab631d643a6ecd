"""Pictures for TensorBoard: what a net that is learning puts out, against what it should."""

from __future__ import annotations

import time
from typing import Any

import lightning as L
import numpy as np

from timing_tasks.experiment.callbacks import boards
from timing_tasks.learning.online.population import Verdict
from timing_tasks.learning.population import PopulationModule
from timing_tasks.tasks import Purpose, Stream, stream

_PERIODS = 4


class TensorBoardPictures(L.Callback):
    """For each condition with a target at every step, the first replica's output in a test stream.

    Drawn after some seconds, then each time the training has lasted twice as long, or longer, so that no more than a
    fiftieth of the time is spent on it, and at the replica's verdict.

    Args:
        seconds: until the first picture.
    """

    def __init__(self, seconds: float = 2.0) -> None:
        self.start, self.next = time.monotonic(), seconds
        self.done: set[int] = set()
        self._canvas: _Canvas | None = None
        self._shown: list[int] = []  # where these replicas are

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Find the replicas."""
        assert isinstance(module, PopulationModule)
        first = np.unique(module.population.condition, return_index=True)[1].tolist()
        self._shown = [index for index in first if module.population.condition_of(index).task.has_dense_targets]

    def on_train_batch_end(self, trainer: L.Trainer, module: L.LightningModule, *_: Any) -> None:
        """Draw what is due."""
        assert isinstance(module, PopulationModule)
        if not trainer.is_global_zero:
            return
        began = time.monotonic() - self.start
        is_due = began >= self.next
        population, state = module.population, module.state
        for index in self._shown:
            condition = population.condition_of(index)
            has_verdict = int(state.verdict[index]) != Verdict.RUNNING
            if index not in self.done and (is_due or has_verdict):
                streams = int(state.training_streams[index])
                seen = (int(population.seed[index]), int(population.replica[index]), streams)
                if self._canvas is None:
                    self._canvas = _Canvas()
                asked = stream(condition.task, *seen, Purpose.TEST, periods=_PERIODS)
                image = self._canvas.draw(asked, module.outputs(index, asked), f"replica {seen[1]} after {streams}")
                for board in boards(trainer):
                    board.experiment.add_image(f"output against target/{condition}", image, streams, dataformats="HWC")
                if has_verdict:
                    self.done.add(index)
        if is_due:
            ended = time.monotonic() - self.start
            self.next = max(2 * self.next, ended + 50 * (ended - began))


class _Canvas:
    """One figure that is used again and again: making it anew costs more than all the rest."""

    def __init__(self) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6, 2.8), dpi=100)
        self.canvas, self.axes = FigureCanvasAgg(figure), figure.subplots()
        figure.subplots_adjust(left=0.08, right=0.98, top=0.9, bottom=0.17)
        (self.target,) = self.axes.plot([], [], color="0.72", linewidth=4, label="target d")
        (self.output,) = self.axes.plot([], [], color="black", linewidth=1.2, label="output z")
        self.axes.set_ylim(-0.6, 1.7)  # the same in every picture, so that they can be leafed through
        self.axes.set_xlabel("time step t")
        self.axes.legend(loc="upper right", ncols=2, fontsize=8)

    def draw(self, asked: Stream, output: np.ndarray, who: str) -> np.ndarray:
        """The picture, uint8, shape [height, width, 3]."""
        t = np.arange(1, len(asked.targets) + 1)
        self.target.set_data(t, asked.targets)
        self.output.set_data(t, output)
        self.axes.set_xlim(0, len(t) + 1)
        self.axes.set_title(f"{who} training streams", fontsize=9)
        self.canvas.draw()  # type: ignore[no-untyped-call]
        return np.asarray(self.canvas.buffer_rgba())[:, :, :3].copy()  # type: ignore[no-untyped-call]
