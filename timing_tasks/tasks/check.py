"""Whether a task keeps its contract: a test that anyone can call on a task of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from timing_tasks.errors import UserError
from timing_tasks.tasks.streams import Purpose, Stream, offsets, stream, stream_of
from timing_tasks.tasks.task import Task, read_readings
from timing_tasks.tasks.verdict import stream_size

OUTPUT_RANGES = {"sigmoid": (0.0, 1.0), "identity": (-np.inf, np.inf)}
_PERIODS = 20  # of a stream that are looked at; fewer, but at least two, where they are long
_STEPS = 100_000  # of a stream, about
_TESTS = 200  # test streams of a net that are looked at
_TRAINING = 16  # training streams that are checked


class TaskError(UserError):
    """A task that breaks the contract; the message names the task and what is broken."""

    def __init__(self, task: object, broken: str) -> None:
        super().__init__(f"task {task}: {broken}")
        self.task, self.broken = task, broken

    def __reduce__(self) -> tuple[type, tuple[object, str]]:
        return type(self), (self.task, self.broken)


def score(task: Task, answer: Callable[[Stream], np.ndarray], seed: int = 0, replicas: int = 3) -> float:
    """The share of test streams without a wrong prediction, of their first 20 periods.

    Args:
        task: which.
        answer: from a stream to the outputs z(t), shape [T]; `lambda stream: stream.targets` is the oracle.
        seed: of the streams.
        replicas: how many nets' test streams, those of the replicas from 0.
    """
    tests = [one for replica in range(replicas) for one in _test_streams(task, seed, replica)]
    return _share(task, tests, answer)


def check_task(task: Task, seed: int = 0) -> None:
    """Raise TaskError unless a task keeps the contract.

    1. Name and parameters give the same task again, as a row of results has to.
    2. A stream is well formed: arrays of one length, finite, the periods that were asked for, a target in each.
    3. It is a pure function of (seed, replica, number). Tasks with several choices have streams that differ by each of
       these. The streams of an array of numbers are those of the numbers, and fewer periods are the beginning of more.
    4. Targets lie in the output's range, and the oracle, which answers with the targets, scores 1.
    5. The inputs up to a step determine the answer there: two streams that begin alike never ask for different answers.
    6. No constant answer is right in more than half of the test streams.

    The first 20 periods of training and test streams of a few nets are looked at.

    Args:
        task: which.
        seed: of the streams.

    Raises:
        TaskError: the first thing that is broken.
    """
    if not isinstance(task, Task):
        raise TaskError(repr(task), "no instance of timing_tasks.tasks.Task")
    try:
        _check_parameters(task)
        _check_pure(task, seed)
        tests = [one for replica in range(3) for one in _test_streams(task, seed, replica)]
        others = [stream(task, seed, 0, k, periods=_periods(task, Purpose.TRAINING)) for k in range(_TRAINING)]
    except TaskError:
        raise
    except Exception as error:  # whatever the task's own code says
        line = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise TaskError(task, f"its streams cannot be made ({line})") from error
    for one in tests:
        _check_stream(task, one, _periods(task, Purpose.TEST))
    if (share := _share(task, tests, lambda one: one.targets)) < 1:
        raise TaskError(task, f"the oracle, which answers with the targets, scores {share:.2f} rather than 1")
    _check_answerable(task, [*tests, *others])
    constant, share = _best_constant(task, tests)
    if share > 0.5:
        raise TaskError(task, f"the constant answer {constant:.3g} is right in {share:.0%} of the test streams")


def _periods(task: Task, purpose: Purpose) -> int:
    periods = task.training_periods if purpose == Purpose.TRAINING else task.test_periods
    return min(periods, _PERIODS, max(2, _STEPS // task.min_interval))


def _test_streams(task: Task, seed: int, replica: int) -> Iterator[Stream]:
    for test in range(min(task.test_streams, _TESTS)):
        yield stream(task, seed, replica, 0, Purpose.TEST, test, _periods(task, Purpose.TEST))


def _share(task: Task, streams: Sequence[Stream], answer: Callable[[Stream], np.ndarray]) -> float:
    passed = [stream_size(one, answer(one), task.tolerance) == int(one.period[-1]) + 1 for one in streams]
    return sum(passed) / len(passed)


def _check_parameters(task: Task) -> None:
    try:
        again = Task(**task.parameters)
        hash(task)
    except Exception as error:  # whatever the class says
        raise TaskError(task, f"is not made again by its parameters {task.parameters} ({error})") from error
    if again != task:
        raise TaskError(task, f"its parameters {task.parameters} make another task, {again!r}")
    columns = (task.min_interval, task.offsets, task.waveform, task.tolerance)
    if Task(task.name, *columns, **read_readings(task.readings)) != task:
        raise TaskError(
            task, f"a row of results cannot have its parameters {task.readings!r}: numbers, or single words"
        )
    if task.output_activation not in OUTPUT_RANGES:
        raise TaskError(task, f"output_activation={task.output_activation!r}: {' or '.join(OUTPUT_RANGES)}")
    for key in ("training_periods", "test_periods", "test_streams", "default_budget"):
        value = getattr(task, key)
        if not isinstance(value, int) or value < 1:
            raise TaskError(task, f"{key}={value!r}: a whole number from 1")


def _check_pure(task: Task, seed: int) -> None:
    for purpose in (Purpose.TRAINING, Purpose.TEST):
        periods = _periods(task, purpose)
        streams = {
            (s, r, n): stream(task, s, r, n, purpose, periods=periods)
            for s in (seed, seed + 1)
            for r in (0, 1)
            for n in range(_TRAINING)
        }
        for one in streams.values():
            _check_stream(task, one, periods)
        for key, before in streams.items():
            if not _equal(before, stream(task, *key, purpose, periods=periods)):
                raise TaskError(
                    task, f"the stream (seed, replica, number) = {key} is another when it is asked for again"
                )
        keys = np.array(list(streams)).T
        drawn = offsets(task, keys[0], keys[1], purpose, keys[2], periods=periods)
        if drawn.shape != (len(streams), periods) or drawn.dtype != np.int64:
            raise TaskError(task, f"draws {drawn.dtype} of shape {drawn.shape} for {len(streams)} streams, not int64")
        for row, one in zip(drawn, streams.values(), strict=True):
            if not _equal(stream_of(task, row), one):
                raise TaskError(task, "many streams at once differ from the same streams one by one")
        if periods > 1:
            for row, one in zip(drawn, streams.values(), strict=True):
                start, steps = stream_of(task, row[: periods // 2]), (one.period < periods // 2).sum()
                if not _equal(
                    start, Stream(one.inputs[:steps], one.targets[:steps], one.has_target[:steps], one.period[:steps])
                ):
                    raise TaskError(task, "a stream of fewer periods is not the beginning of one of more")
        if task.is_random and purpose == Purpose.TRAINING:
            _check_differ(task, keys, drawn)


def _check_differ(task: Task, keys: np.ndarray, drawn: np.ndarray) -> None:
    for place, name in enumerate(("seed", "replica", "number")):
        others = np.delete(keys, place, axis=0)
        alike = [drawn[(others == column[:, None]).all(0)] for column in np.unique(others, axis=1).T]
        if all((rows == rows[0]).all() for rows in alike):
            raise TaskError(task, f"its streams do not depend on the {name}")


def _check_stream(task: Task, one: Stream, periods: int) -> None:
    arrays = {name: getattr(one, name) for name in ("inputs", "targets", "has_target", "period")}
    for (name, array), kind in zip(arrays.items(), (np.float64, np.float64, np.bool_, np.int64), strict=True):
        if not isinstance(array, np.ndarray) or array.dtype != kind or array.shape != (len(one.inputs),):
            found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
            raise TaskError(task, f"{name} is {found}, not {kind.__name__} ({len(one.inputs)},)")
        if not np.isfinite(array).all():
            raise TaskError(task, f"{name} has values that are not finite")
    if len(one.period) == 0 or one.period[0] != 0 or not np.isin(np.diff(one.period), (0, 1)).all():
        raise TaskError(task, "period does not count the periods from 0 in steps of 1")
    if one.period[-1] != periods - 1:
        raise TaskError(task, f"a stream of {periods} periods has {one.period[-1] + 1}")
    if set(one.period[one.has_target]) != set(one.period):
        raise TaskError(task, "a period has no step with a target")
    if one.targets[~one.has_target].any():
        raise TaskError(task, "targets are not 0 at steps that have none")
    low, high = OUTPUT_RANGES[task.output_activation]
    outside = (one.targets < low) | (one.targets > high)
    if outside.any():
        range_of = f"the range [{low:g}, {high:g}] of a {task.output_activation} output"
        raise TaskError(task, f"a target {one.targets[outside][0]:g} lies outside {range_of}")


def _check_answerable(task: Task, streams: Sequence[Stream]) -> None:
    """Streams that begin alike stand side by side once they are sorted; runs of them are compared step by step."""
    shape = (len(streams), max(len(one.inputs) for one in streams))
    inputs, highest = np.full(shape, np.nan), np.full(shape, -np.inf)
    for row, one in enumerate(sorted(streams, key=lambda one: one.inputs.tobytes())):
        inputs[row, : len(one.inputs)] = one.inputs
        highest[row, : len(one.inputs)] = np.where(one.has_target, one.targets, -np.inf)
    lowest = np.where(np.isneginf(highest), np.inf, highest)
    begins = np.ones(shape, dtype=bool)  # a run, at each step
    begins[1:] = ~np.logical_and.accumulate(inputs[1:] == inputs[:-1], axis=1)
    runs = np.flatnonzero(begins.T)
    spread = np.maximum.reduceat(highest.T.ravel(), runs) - np.minimum.reduceat(lowest.T.ravel(), runs)
    if (spread >= 2 * task.tolerance).any():
        step = runs[np.argmax(spread)] // len(streams) + 1
        raise TaskError(task, f"two streams have the same inputs up to step {step} and different targets there")


def _best_constant(task: Task, streams: Sequence[Stream]) -> tuple[float, float]:
    """The constant answer that is right in most streams, and its share."""
    asked = [one.targets[one.has_target] for one in streams]
    bounds = np.array([(d.max() - task.tolerance, d.min() + task.tolerance) for d in asked])
    ends = np.unique(bounds[bounds[:, 0] < bounds[:, 1]])
    middles = (ends[1:] + ends[:-1]) / 2
    if len(middles) == 0:
        return 0.0, 0.0
    right = (bounds[:, :1] < middles) & (middles < bounds[:, 1:])
    best = float(middles[np.argmax(right.sum(0))])
    return best, _share(task, streams, lambda one: np.full(len(one.targets), best))


def _equal(one: Stream, other: Stream) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in vars(one))
