"""The measures as torchmetrics, on one process and reduced over two, against the plain functions."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torchmetrics import Metric

from timing_tasks.data import Batch, batch_of
from timing_tasks.learning.judgement import Judgement, judge
from timing_tasks.learning.metrics import RootMeanSquareError, Solved, StreamSize, stream_metrics
from timing_tasks.tasks import Stream, Task, is_correct, stream, stream_size

TASK = Task("gts", 5, (0, 1))
RNG = np.random.default_rng(1)
STREAMS = [stream(TASK, 1, 0, number, periods=4) for number in range(7)]
OUTPUTS = [s.targets + RNG.normal(0, 0.2, len(s.targets)) for s in STREAMS]


def judged(part: slice) -> Judgement:
    """Of some streams, whose padding has outputs of any value."""
    streams, outputs = STREAMS[part], OUTPUTS[part]
    batch = batch_of(streams, TASK.tolerance)
    z = torch.full_like(batch.targets, np.nan)
    for n, output in enumerate(outputs):
        z[n, : len(output), 0] = torch.from_numpy(output)
    return judge(batch, z)


def steps_of(s: Stream, z: np.ndarray) -> int:
    right = is_correct(s.targets, z, TASK.tolerance)
    return len(z) if right.all() else int(np.argmin(right)) + 1


PAIRS = list(zip(STREAMS, OUTPUTS, strict=True))
ERRORS = np.concatenate([(s.targets - z)[: steps_of(s, z)] for s, z in PAIRS])
CASES: list[tuple[type[Metric], float]] = [
    (Solved, np.mean([steps_of(s, z) == len(z) and is_correct(s.targets, z, 0.49).all() for s, z in PAIRS])),
    (StreamSize, np.mean([stream_size(s, z, TASK.tolerance) for s, z in PAIRS])),
    (RootMeanSquareError, np.sqrt(np.mean(ERRORS**2))),
]


@pytest.mark.parametrize(("kind", "expected"), CASES, ids=lambda v: getattr(v, "__name__", ""))
def test_a_metric_gathers_batches_and_processes(kind: type[Metric], expected: float):
    assert 0 < float(expected) < 4
    metric = kind()
    for part in (slice(0, 3), slice(3, 7)):
        metric.update(judged(part))
    assert float(metric.compute()) == pytest.approx(expected, rel=1e-6)
    metric.reset()
    assert torch.isnan(metric.compute())

    other = kind()  # on another process, with fewer streams: a mean of means would be wrong
    other.update(judged(slice(0, 2)))
    names = iter(other._reductions)

    def gather(tensor: Tensor, group: object) -> list[Tensor]:
        return [tensor, getattr(other, next(names))]

    mine = kind(dist_sync_fn=gather, distributed_available_fn=lambda: True)
    mine.update(judged(slice(2, 7)))
    assert float(mine.compute()) == pytest.approx(expected, rel=1e-6)


def test_a_batch_without_streams_changes_nothing():
    whole = batch_of(STREAMS, TASK.tolerance)
    empty = Batch(*(part[:0] for part in whole))
    metrics = stream_metrics("val/")
    metrics.update(judged(slice(0, 7)))
    before = metrics.compute()
    metrics.update(judge(empty, empty.targets))
    assert metrics.compute() == before
    assert sorted(before) == ["val/rmse", "val/solved", "val/stream_size"]


def test_a_prediction_that_is_no_number_is_wrong():
    batch = batch_of(STREAMS[:1], TASK.tolerance)
    outputs: Callable[[float], Tensor] = lambda value: torch.full_like(batch.targets, value)  # noqa: E731
    assert judge(batch, outputs(float("nan"))).steps.tolist() == [1]
    assert judge(batch, batch.targets).is_whole.all()
