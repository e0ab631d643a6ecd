"""The measures as torchmetrics, on one process and reduced over two, against the plain functions."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torchmetrics import Metric

from timing_tasks.learning.metrics import RootMeanSquareError, SolvedFraction, StreamSize
from timing_tasks.tasks import Task, root_mean_square_error, stream, stream_size

TASK = Task("gts", 5, (0, 1))
RNG = np.random.default_rng(1)
STREAMS = [stream(TASK, 1, 0, number, periods=4) for number in range(7)]
OUTPUTS = [s.targets + RNG.normal(0, 0.25, len(s.targets)) for s in STREAMS]
SIZES = torch.tensor([stream_size(s, z, 0.49) for s, z in zip(STREAMS, OUTPUTS, strict=True)])
ERRORS = torch.tensor([((s.targets - z) ** 2).sum() for s, z in zip(STREAMS, OUTPUTS, strict=True)])
TARGETS = torch.tensor([len(s.targets) for s in STREAMS])


def expected_error() -> float:
    """Of all streams end to end, as one."""
    whole = stream(TASK, 1, 0, 0, periods=1)
    joined = type(whole)(*(np.concatenate([getattr(s, name) for s in STREAMS]) for name in whole.__dataclass_fields__))
    return root_mean_square_error(joined, np.concatenate(OUTPUTS))


CASES: list[tuple[type[Metric], tuple[Tensor, ...], Callable[[], float]]] = [
    (StreamSize, (SIZES,), lambda: float(SIZES.double().mean())),
    (RootMeanSquareError, (ERRORS, TARGETS), expected_error),
    (SolvedFraction, (SIZES == 4,), lambda: float((SIZES == 4).double().mean())),
]


@pytest.mark.parametrize(("kind", "values", "expected"), CASES, ids=lambda v: getattr(v, "__name__", ""))
def test_a_metric_gathers_batches_and_processes(
    kind: type[Metric], values: tuple[Tensor, ...], expected: Callable[[], float]
):
    metric = kind()
    for part in (slice(0, 3), slice(3, 7)):
        metric.update(*(value[part] for value in values))
    assert float(metric.compute()) == pytest.approx(expected(), rel=1e-6)
    metric.reset()
    assert torch.isnan(metric.compute())

    other = kind()  # on another process, with fewer streams: a mean of means would be wrong
    other.update(*(value[:2] for value in values))
    names = iter(other._reductions)

    def gather(tensor: Tensor, group: object) -> list[Tensor]:
        return [tensor, getattr(other, next(names))]

    mine = kind(dist_sync_fn=gather, distributed_available_fn=lambda: True)
    mine.update(*(value[2:] for value in values))
    assert float(mine.compute()) == pytest.approx(expected(), rel=1e-6)
