"""Where streams come from: a DataModule and a plain dataset of mini-batches, and the streams of many nets at once."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from typing import Any, NamedTuple

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from timing_tasks.errors import ConfigurationError, check_whole
from timing_tasks.philox import check_key, philox4x32
from timing_tasks.tasks import Purpose, Stream, Task, stream
from timing_tasks.tasks.streams import stream_of
from timing_tasks.tasks.task import task_class

VALIDATION, TEST = 0, 1  # numbers of the test streams that a data module shows
_SHORT = 2  # periods; random streams that are longer are too many to keep


class Batch(NamedTuple):
    """N streams of up to T steps, padded; the streams of R nets have a leading axis of R.

    Attributes:
        inputs: x, (N, T, 1).
        targets: d, (N, T, 1); 0 where there is none.
        mask: the steps that have a target, bool, (N, T).
        period: to which period, from 0, a step belongs, int64, (N, T); -1 for the padding.
        lengths: steps of each stream, int64, (N,).
        tolerance: a prediction is right if it is nearer to the target than this, (N,).
    """

    inputs: Tensor
    targets: Tensor
    mask: Tensor
    period: Tensor
    lengths: Tensor
    tolerance: Tensor

    def first(self, steps: int) -> Batch:
        """The same streams, cut after some steps."""
        inputs, targets = self.inputs[..., :steps, :], self.targets[..., :steps, :]
        mask, period = self.mask[..., :steps], self.period[..., :steps]
        return Batch(inputs, targets, mask, period, self.lengths.clamp(max=steps), self.tolerance)

    @property
    def steps(self) -> int:
        """T."""
        return self.mask.size(-1)


class TimingDataset(IterableDataset[Batch]):
    """Mini-batches of training streams, for a training loop of one's own.

    A stream is a pure function of (seed, replica, stream number) (`tasks.stream`). Batch k has the next `batch_size`
    stream numbers; several processes take turns, and so do the workers of a `DataLoader`, so that together they draw
    what one process with one large batch would, in the same order.

    Args:
        task: a `Task`, or the name of one (`nmsd`, `msd`, `gts`, `pfg`, ...), of which the other arguments say more.
        batch_size: N, streams in a batch; or `all`: every possible stream once in each batch, for tasks that have few.
        seed: of the streams.
        periods: at most, of a stream; by default as many as the paper's have (100; nmsd: 1).
        batches: how many an epoch has; None for no end.
        replica: whose streams.
        rank: which of several processes this is.
        world_size: how many there are.
        **task_arguments: see `as_task`.

    Attributes:
        position: the number of the next batch; a new iteration begins there.

    Raises:
        ConfigurationError: an argument that cannot be.

    Example:
        >>> from torch.utils.data import DataLoader
        >>> from timing_tasks import TimingDataset
        >>> batch = next(iter(DataLoader(TimingDataset("msd", batch_size=4, periods=3), batch_size=None)))
        >>> batch.inputs.shape == batch.targets.shape, batch.mask.sum(1).tolist()
        (True, [3, 3, 3, 3])
    """

    def __init__(
        self,
        task: Task | str,
        *,
        batch_size: int | str = 1,
        seed: int = 0,
        periods: int | None = None,
        batches: int | None = None,
        replica: int = 0,
        rank: int = 0,
        world_size: int = 1,
        **task_arguments: Any,
    ) -> None:
        super().__init__()
        self.task = as_task(task, **task_arguments)
        _check_batch_size(batch_size, self.task)
        check_whole("seed", seed, 0, 2**32 - 1)
        check_whole("replica", replica, 0, 2**32 - 1)
        most = self.task.training_periods
        if periods is not None:
            check_whole("periods", periods, 1, most)
        if batches is not None:
            check_whole("batches", batches, 1, 2**31)
        self.batch_size, self.seed, self.replica = batch_size, seed, replica
        self.periods, self.batches, self.rank, self.world_size = periods or most, batches, rank, world_size
        self.position = 0

    def batch(self, number: int) -> Batch:
        """Batch `number` of this process."""
        if self.batch_size == "all":
            return batch_of(every_stream(self.task, self.periods), self.task.tolerance)
        size = int(self.batch_size)
        first = (number * self.world_size + self.rank) * size
        numbers = range(first, first + size)
        return batch_of(
            [stream(self.task, self.seed, self.replica, n, periods=self.periods) for n in numbers], self.task.tolerance
        )

    def __iter__(self) -> Iterator[Batch]:
        """From `position` to the end of the epoch that it is in; a worker has every n-th batch."""
        worker = get_worker_info()
        own, workers = (worker.id, worker.num_workers) if worker is not None else (0, 1)
        for number in itertools.count(self.position + own, workers):
            if self.batches is not None and number >= (self.position // self.batches + 1) * self.batches:
                return
            yield self.batch(number)


class _TestStreams(IterableDataset[Batch]):
    """The test streams of a task, one by one where they are long, else as one batch."""

    def __init__(self, task: Task, seed: int, number: int) -> None:
        super().__init__()
        self.task, self.seed, self.number = task, seed, number

    def __iter__(self) -> Iterator[Batch]:
        task, everything = self.task, range(self.task.test_streams)
        longest = max(len(one.inputs) for one in every_stream(task, 1)) * task.test_periods
        together = task.test_streams if longest * task.test_streams <= 2**22 else 1
        for first in everything[::together]:
            tests = everything[first : first + together]
            streams = [stream(task, self.seed, 0, self.number, Purpose.TEST, test) for test in tests]
            yield batch_of(streams, task.tolerance)


class TimingDataModule(L.LightningDataModule):
    """The streams of a task.

    Training streams are drawn without end; `batches_per_epoch` of them are an epoch, so that Lightning validates now
    and then. `val_dataloader` and `test_dataloader` show the paper's test streams (PAPER.md 3): every possible input
    for `nmsd`, else ten streams of 1000 periods, or the only one there is. Those of the test are others than those of
    the validation. Every process tests on all of them.

    A resumed fit goes on with the stream after the last one that was trained on.

    Args:
        task: a `Task`, or the name of one (`nmsd`, `msd`, `gts`, `pfg`, ...), of which `task_arguments` say more.
        batch_size: of a process and step; or `all`: every possible stream in each batch, for tasks that have few.
        seed: of the streams.
        periods: at most, of a training stream; by default as many as the paper's have (100; nmsd: 1).
        num_workers: of the training's `DataLoader`.
        batches_per_epoch: batches of a process in an epoch.
        **task_arguments: those of the task's class; of the paper's `min_interval` (by default 10), `offsets` (by
            default [0, 1]), `tolerance`; for `pfg` `waveform` (by default `cos`).

    Raises:
        ConfigurationError: an argument that cannot be.

    Example:
        >>> from timing_tasks import TimingDataModule
        >>> data = TimingDataModule("gts", min_interval=10, offsets=[0, 1], batch_size=16, seed=1, periods=2)
        >>> batch = next(iter(data.train_dataloader()))
        >>> batch.inputs.shape[0], batch.lengths.min().item() >= 20
        (16, True)
    """

    def __init__(
        self,
        task: Task | str,
        *,
        batch_size: int | str = 16,
        seed: int = 0,
        periods: int | None = None,
        num_workers: int = 0,
        batches_per_epoch: int = 100,
        **task_arguments: Any,
    ) -> None:
        super().__init__()
        self.task = as_task(task, **task_arguments)
        check_whole("num_workers", num_workers, 0, 1024)
        check_whole("batches_per_epoch", batches_per_epoch, 1, 2**31)
        self._training = TimingDataset(
            self.task, batch_size=batch_size, seed=seed, periods=periods, batches=batches_per_epoch
        )
        self.num_workers = num_workers
        plain = {"batch_size": batch_size, "seed": seed, "periods": periods, "num_workers": num_workers}
        described = {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self.task).items()}
        self.save_hyperparameters(
            {**described, "task": self.task.name, **plain, "batches_per_epoch": batches_per_epoch}
        )

    def train_dataloader(self) -> DataLoader[Batch]:
        """Mini-batches of this process's training streams."""
        if self.trainer is not None:
            self._training.rank, self._training.world_size = self.trainer.global_rank, self.trainer.world_size
        return DataLoader(self._training, batch_size=None, num_workers=self.num_workers)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Test streams, the same each time."""
        return self._tests(VALIDATION)

    def test_dataloader(self) -> DataLoader[Batch]:
        """Other test streams."""
        return self._tests(TEST)

    def predict_dataloader(self) -> DataLoader[Batch]:
        """Those of the test."""
        return self._tests(TEST)

    def _tests(self, number: int) -> DataLoader[Batch]:
        return DataLoader(_TestStreams(self.task, self._training.seed, number), batch_size=None)

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Count the batches that have been trained on; those that a loader has prepared do not count."""
        if self.trainer is not None and self.trainer.training:
            self._training.position += 1
        return batch

    def state_dict(self) -> dict[str, Any]:
        """Which batch is next."""
        return {"position": self._training.position}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self._training.position = state_dict["position"]


def as_task(task: Task | str, **arguments: Any) -> Task:
    """A task by its name.

    Args:
        task: a `Task`, or its name.
        **arguments: those of its class.

    Raises:
        ConfigurationError: no such task or argument, or arguments for a `Task`, which has its own.
    """
    if isinstance(task, Task):
        if arguments:
            key, value = next(iter(arguments.items()))
            raise ConfigurationError(key, value, "nothing, for a Task has its own")
        return task
    kind = task_class(task)
    known = [one.name for one in fields(kind)]
    for key, value in arguments.items():
        if key not in known:
            raise ConfigurationError(key, value, f"no such argument; {task} has {', '.join(known)}")
    made: Task = kind(**arguments)
    return made


def _check_batch_size(batch_size: int | str, task: Task) -> None:
    if batch_size != "all":
        check_whole("batch_size", batch_size, 1, 2**20)
    elif task.is_random and task.training_periods > 1:
        raise ConfigurationError("batch_size", "all", f"a whole number, for {task}, whose streams are too many")


def every_stream(task: Task, periods: int) -> list[Stream]:
    """All streams that a task of one period, or with one choice, can have."""
    return [stream_of(task, [choice] * periods) for choice in task.choices.tolist()]


class Draw(NamedTuple):
    """A stream: of which net, with which `number` and as which `test` (see `tasks.stream`), how many periods of it."""

    net: int
    number: int
    test: int
    periods: int


class ReplicaStreams:
    """The streams of many nets, each with a task, a seed and a replica number of its own, drawn when they are needed.

    Args:
        tasks: of each net.
        seeds: of each net, int64, [nets].
        replicas: of each net, int64, [nets].
    """

    def __init__(self, tasks: Sequence[Task], seeds: np.ndarray, replicas: np.ndarray) -> None:
        check_key(seeds, replicas)
        self.seeds, self.replicas = seeds, replicas
        number = {task: place for place, task in enumerate(dict.fromkeys(tasks))}
        self._tasks, self._task = list(number), [number[task] for task in tasks]

    def draw(self, draws: Sequence[Draw], purpose: Purpose) -> list[Stream]:
        """Many streams at once, as `tasks.stream` gives each."""
        groups: dict[tuple[int, int], list[int]] = {}
        for place, one in enumerate(draws):
            groups.setdefault((self._task[one.net], one.periods), []).append(place)
        found: dict[int, Stream] = {}
        for (number_of_task, periods), places in groups.items():
            task = self._tasks[number_of_task]
            if not (task.is_random or task.single_period):
                found |= dict.fromkeys(places, _known_stream(task, (int(task.choices[0]),) * periods))
                continue
            net, number, test = np.array([draws[place][:3] for place in places]).T
            drawn = task.draw(self.seeds[net], self.replicas[net], purpose, number, test, periods).tolist()
            make = stream_of if task.is_random and periods > _SHORT else _known_stream
            alike = {some: make(task, some) for some in set(map(tuple, drawn))}
            found |= {place: alike[tuple(some)] for place, some in zip(places, drawn, strict=True)}
        return [found[place] for place in range(len(draws))]

    def initial_noise(self, nets: Sequence[int], first: np.ndarray, streams: int, states: int, size: int) -> np.ndarray:
        """Uniform noise with a standard deviation of 1, for one cell the numbers of the online recipe's engines.

        Args:
            nets: which.
            first: the number of each net's first stream, int64, (R,).
            streams: N, how many streams each net has.
            states: how many states a layer starts from: 2 with cells (their output and they themselves), or 1.
            size: H, of a state.

        Returns:
            (R, states, N, H), float64.
        """
        rows = list(nets)
        seed, replica = (key[rows].reshape(-1, 1, 1) for key in (self.seeds, self.replicas))
        number = first.reshape(-1, 1, 1) + np.arange(streams).reshape(1, -1, 1)  # (R, N, 1)
        block = np.arange(size)  # one for each cell
        zero = np.zeros(np.broadcast_shapes(number.shape, block.shape), dtype=np.int64)
        counter = (zero + number, zero + block, zero, zero + Purpose.INITIAL_STATE)
        words = philox4x32(counter, (zero + seed, zero + replica))
        uniform = [np.sqrt(3.0) * ((2.0 * word + 1.0) * 2.0**-32 - 1.0) for word in words]  # (R, N, H) each
        # The engines draw the first word for s(0), the second for y(0); layers have the output first.
        noise: np.ndarray = np.stack([uniform[1], uniform[0]][-states:], axis=1)
        return noise


_known_stream = functools.lru_cache(maxsize=1024)(stream_of)


def padded_length(streams: Sequence[Stream]) -> int:
    """Steps of a batch that has these streams: of the longest, rounded up to a power of two, and at least 16.

    A function of a net's own streams: sums over the steps are then rounded alike whatever nets are beside it.
    """
    return 1 << max(4, (max(len(stream.inputs) for stream in streams) - 1).bit_length())


def batch_of(streams: Sequence[Stream], tolerance: float) -> Batch:
    """N streams as tensors of torch's default type, T the longest one's steps."""
    steps = max(len(stream.inputs) for stream in streams)
    return Batch(*(part[0] for part in _batch([streams], steps, np.full(1, tolerance), torch.get_default_dtype())))


def replica_batch(streams: Sequence[Sequence[Stream]], steps: int, tolerances: np.ndarray) -> Batch:
    """Streams of R nets, N each, as float64 tensors of T = `steps`.

    Args:
        streams: (R, N).
        steps: at least those of the longest.
        tolerances: of each net's task, float64, (R,).
    """
    return _batch(streams, steps, tolerances, torch.float64)


def _batch(streams: Sequence[Sequence[Stream]], steps: int, tolerances: np.ndarray, dtype: torch.dtype) -> Batch:
    known = {id(s): s for row in streams for s in row}  # nets of a condition see few different streams
    places = dict(zip(known, range(len(known)), strict=True))
    shape = (len(known), steps)
    inputs, targets = np.zeros(shape), np.zeros(shape)
    mask, period = np.zeros(shape, dtype=bool), np.full(shape, -1)
    for u, s in enumerate(known.values()):
        here = u, slice(len(s.inputs))
        inputs[here], targets[here], mask[here], period[here] = s.inputs, s.targets, s.has_target, s.period
    lengths = np.array([len(s.inputs) for s in known.values()])
    of = np.array([[places[id(s)] for s in row] for row in streams])
    x, d, has_target, number, length = (torch.from_numpy(a[of]) for a in (inputs, targets, mask, period, lengths))
    near = torch.from_numpy(np.repeat(tolerances[:, None], of.shape[1], axis=1))
    return Batch(x.to(dtype).unsqueeze(-1), d.to(dtype).unsqueeze(-1), has_target, number, length, near.to(dtype))
