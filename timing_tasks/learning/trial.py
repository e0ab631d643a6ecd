"""Runs of nets along streams in growing prefixes, so that nets that soon go wrong cost little."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from timing_tasks.data import Batch
from timing_tasks.tasks import Stream, Task, is_correct, stream_size

_GROWTH = 2


def prefixes(periods: int) -> Iterator[int]:
    """Numbers of periods, each twice the one before, up to `periods`."""
    some = 1
    while some < periods:
        yield some
        some *= _GROWTH
    yield periods


def steps_until_wrong(stream: Stream, outputs: np.ndarray, tolerance: float) -> int:
    """Steps of a stream up to and including the first wrong prediction; all of them if there is none."""
    wrong = stream.has_target & ~is_correct(stream.targets, outputs, tolerance)
    return int(np.argmax(wrong)) + 1 if wrong.any() else len(wrong)


@dataclass
class Outcome:
    """What a net did in a test (PAPER.md 3), which ends with the first wrong prediction.

    Attributes:
        solved: every prediction of every test stream was right.
        size: periods without a wrong prediction in the last test stream.
        steps: of all test streams.
        targets: met in the test streams.
        squared_error: summed over them.
    """

    solved: bool = True
    size: int = 0
    steps: int = 0
    targets: int = 0
    squared_error: float = 0.0


def examine(
    task: Task, nets: Sequence[int], batch: Callable[[list[int], int, int], Batch], run: Callable[[list[int], Tensor], Tensor]
) -> dict[int, Outcome]:
    """Test nets with frozen weights.

    Args:
        task: what is asked.
        nets: the numbers of those to test.
        batch: the test streams of some of the nets, from (nets, which test stream, periods).
        run: their outputs (R, N, T) for inputs (R, N, T, 1).

    Returns:
        What each did.
    """
    outcomes = {net: Outcome() for net in nets}
    right = list(nets)
    for number in range(task.test_streams):
        for periods in prefixes(task.test_periods):
            if not right:
                return outcomes
            asked = batch(right, number, periods)
            with torch.no_grad():
                outputs = run(right, asked.inputs)[:, 0].numpy()
            still_right = []
            for net, (stream,), z in zip(right, asked.streams, outputs, strict=True):
                outcome, z = outcomes[net], z[: len(stream.targets)]
                size = stream_size(stream, z, task.tolerance)
                if size == periods and periods < task.test_periods:
                    still_right.append(net)
                    continue
                steps = steps_until_wrong(stream, z, task.tolerance)
                outcome.size, outcome.solved = size, size == periods
                outcome.steps += steps
                outcome.targets += int(stream.has_target[:steps].sum())
                outcome.squared_error += float(np.sum((stream.targets - z)[:steps][stream.has_target[:steps]] ** 2))
                if outcome.solved:
                    still_right.append(net)
            right = still_right
    return outcomes


def loss_of_streams(batch: Batch, outputs: Tensor, tolerance: float) -> tuple[Tensor, Tensor]:
    """The losses of R nets over N streams each, and whether a net has a stream without a wrong prediction.

    The loss of a stream is ½(d - z)², averaged over its targets up to and including the first wrong prediction, with which the
    stream ends (PAPER.md 3); that of a net is the mean over its streams.

    Args:
        batch: the streams.
        outputs: z, (R, N, T).
        tolerance: see `is_correct`.

    Returns:
        Losses (R,) and bools (R,).
    """
    d, mask = batch.targets, batch.has_target
    wrong = mask & ~((d - outputs.detach()).abs() < tolerance)
    counted = mask & (wrong.cumsum(-1) - wrong.long() == 0)
    loss = (0.5 * (d - outputs) ** 2 * counted).sum(-1) / counted.sum(-1)  # (R, N)
    return loss.mean(-1), ~wrong.any(-1).all(-1)
