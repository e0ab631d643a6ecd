"""Where TensorBoard's curves, pictures and tables are written: one folder a net, and within it one a condition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from timing_tasks.experiment.experiment import Experiment
from timing_tasks.experiment.tensorboard.names import folder_name, run_names, task_name

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

_SECONDS = 10  # until what is written can be seen


class Boards:
    """The writers of a run.

    Args:
        folder: that TensorBoard is to be pointed at.
        experiment: the run.
    """

    def __init__(self, folder: Path, experiment: Experiment) -> None:
        self.folder, self.experiment = folder, experiment
        self.runs = run_names(experiment.conditions, experiment.seed)
        self.tasks = [task_name(condition.task) for condition in experiment.conditions]
        self._writers: dict[str, SummaryWriter] = {}

    def writer(self, position: int) -> SummaryWriter:
        """For curves and pictures of the condition at a position: all conditions of its net share one."""
        name = self.runs[position]
        if name not in self._writers:
            self._writers[name] = _writer(self.folder / name)
        return self._writers[name]

    @contextmanager
    def entry(self, position: int) -> Iterator[SummaryWriter]:
        """The entry of a condition in the table of hyperparameters: a run of its own, written once."""
        writer = _writer(self.folder / self.runs[position] / folder_name(self.tasks[position]))
        yield writer
        writer.close()

    def close(self) -> None:
        """Write what is not written yet."""
        writers, self._writers = self._writers, {}
        for writer in writers.values():
            writer.close()


def add_session(writer: SummaryWriter, parameters: Mapping[str, object], metrics: Mapping[str, float]) -> None:
    """One line of the table of hyperparameters.

    (`SummaryWriter.add_hparams` would make a folder of its own, and a list of columns of which TensorBoard believes the
    first that it finds, in whichever run.)
    """
    from torch.utils.tensorboard.summary import hparams

    _, start, end = hparams(dict(parameters), {})  # type: ignore[no-untyped-call]
    for summary in (start, end):
        writer._get_file_writer().add_summary(summary)  # type: ignore[no-untyped-call]
    for name, value in metrics.items():
        writer.add_scalar(name, value, 0)


def _writer(folder: Path) -> SummaryWriter:
    from torch.utils.tensorboard import SummaryWriter  # which takes a while to import

    return SummaryWriter(str(folder), flush_secs=_SECONDS)
