"""Rows, written as the replicas finish."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import lightning as L

from timing_tasks.experiment.standing import Finished, known_places
from timing_tasks.learning.population import PopulationModule
from timing_tasks.results.folder import ResultsFolder
from timing_tasks.results.row import Row
from timing_tasks.results.seconds import append_seconds


class RowWriter(L.Callback):
    """Appends the row of every replica as soon as it is finished.

    Args:
        folder: where to.
        row: the row of a position in the population.
        before: nets that have their rows already.
    """

    def __init__(
        self, folder: ResultsFolder, row: Callable[[PopulationModule, int], Row], before: Sequence[Finished] = ()
    ) -> None:
        self.folder, self.row, self.before = folder, row, before
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
        """Those that the checkpoint has as finished but whose rows are missing; if all are, nothing is trained."""
        assert isinstance(module, PopulationModule)
        places = known_places(module)
        there = [(position, row.replica) for position, row in self.before]
        self.written.update(places[place] for place in there if place in places)
        self.on_train_batch_end(trainer, module)

    def on_train_batch_end(self, trainer: L.Trainer, module: L.LightningModule, *_: Any) -> None:
        """After each chunk."""
        assert isinstance(module, PopulationModule)
        if trainer.is_global_zero:
            self.write(module)
