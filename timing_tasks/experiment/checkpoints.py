"""Checkpoints: complete files of which the last two are kept, and the one to go on from."""

from __future__ import annotations

import os
import time
import warnings
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Checkpoint

from timing_tasks.errors import ResultsError
from timing_tasks.learning.population import PopulationModule


class Checkpoints(Checkpoint):
    """A checkpoint about every second (of many nets less often); the one before it is kept.

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
    """Raise unless the file is an intact checkpoint with these keys; nothing in it is executed."""
    with zipfile.ZipFile(path) as file:
        if (damaged := file.testzip()) is not None:  # torch.load does not look at the check sums
            raise ValueError(damaged)
    found = torch.load(path, weights_only=True, mmap=True)
    if not keys <= found.keys():
        raise ValueError("not a checkpoint of such a population")
