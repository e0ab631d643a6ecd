"""Judging what nets put out along streams, and tests in growing prefixes, so that nets that soon go wrong cost little."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from timing_tasks.data import Batch
from timing_tasks.tasks import Stream, Task, is_correct

GROWTH = 2  # of the periods that nets run along at a time
Run = Callable[[Mapping[int, tuple[Stream, ...]]], Iterator[tuple[list[int], Batch, Tensor, float]]]


@dataclass(frozen=True)
class Judged:
    """Of R nets on N streams each; shapes (R, N).

    Attributes:
        is_whole: whether every prediction is right.
        steps: up to and including the first wrong prediction, with which a stream ends (PAPER.md 3).
        size: periods completed before it.
    """

    is_whole: np.ndarray
    steps: np.ndarray
    size: np.ndarray


def judged(batch: Batch, outputs: Tensor, tolerance: float) -> Judged:
    """Hold outputs (R, N, T) against a batch; the same numbers as `tasks.stream_size` stream by stream."""
    period = batch.period.numpy()
    wrong = batch.has_target.numpy() & ~is_correct(batch.targets.numpy(), outputs.detach().numpy(), tolerance)
    is_whole, first = ~wrong.any(-1), wrong.argmax(-1)
    at_first = np.take_along_axis(period, first[..., None], axis=-1)[..., 0]
    return Judged(
        is_whole,
        np.where(is_whole, (period >= 0).sum(-1), first + 1),
        np.where(is_whole, period.max(-1) + 1, at_first),
    )


def losses_of(batch: Batch, outputs: Tensor, steps: np.ndarray) -> Tensor:
    """The losses of R nets, shape (R,).

    That of a stream is ½(d - z)², averaged over its targets up to and including the first wrong prediction, with which
    it ends as in the paper; that of a net is the mean over its streams. Measured on the paper's conditions: with all
    targets of its periods instead, no net learned to generate spikes, and of the functions hardly any.

    Args:
        batch: the streams.
        outputs: z, (R, N, T).
        steps: of each stream, up to where it ends, (R, N).
    """
    counted = batch.has_target.numpy() & (np.arange(outputs.size(-1)) < steps[..., None])
    weight = outputs.new_tensor(counted / np.maximum(counted.sum(-1, keepdims=True), 1) / outputs.size(1))
    return (0.5 * (batch.targets - outputs) ** 2 * weight).sum((-2, -1))


@dataclass
class Outcome:
    """What a net did in a test (PAPER.md 3), which ends with the first wrong prediction.

    Attributes:
        solved: every prediction of every test stream was right.
        size: periods without a wrong prediction in the last test stream.
        steps: of all test streams.
        targets: in those without a wrong prediction.
        squared_error: summed over them.
    """

    solved: bool = False
    size: int = 0
    steps: int = 0
    targets: int = 0
    squared_error: float = 0.0


def examine(
    tasks: Mapping[int, Task], streams: Callable[[Mapping[int, tuple[int, int]]], Sequence[Stream]], run: Run
) -> dict[int, Outcome]:
    """Test nets with frozen weights.

    Args:
        tasks: what is asked of each net.
        streams: test streams of nets, from which test stream of each and how many periods of it.
        run: gives, for streams of nets, groups of nets with their batch, outputs (R, N, T) and tolerance.

    Returns:
        What each did.
    """
    outcomes = {net: Outcome() for net in tasks}
    places = {net: (0, 1) for net in tasks}  # which test stream, and how many periods of it
    while places:
        wanted = {net: (number, min(periods, tasks[net].test_periods)) for net, (number, periods) in places.items()}
        asked = {net: (one,) for net, one in zip(wanted, streams(wanted), strict=True)}
        for nets, batch, outputs, tolerance in run(asked):
            result = judged(batch, outputs, tolerance)
            errors = (batch.targets - outputs).numpy()[:, 0]
            for r, net in enumerate(nets):
                (number, periods), outcome, task = places[net], outcomes[net], tasks[net]
                if result.is_whole[r, 0] and periods < task.test_periods:
                    places[net] = number, periods * GROWTH
                    continue
                outcome.size = int(result.size[r, 0])
                outcome.steps += int(result.steps[r, 0])
                if not result.is_whole[r, 0]:
                    del places[net]
                    continue
                of_targets = errors[r][batch.has_target.numpy()[r, 0]]
                outcome.targets += len(of_targets)
                outcome.squared_error += float(np.sum(of_targets**2))
                places[net] = number + 1, 1
                if number + 1 == task.test_streams:
                    outcome.solved = True
                    del places[net]
    return outcomes
