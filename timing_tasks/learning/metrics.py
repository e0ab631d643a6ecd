"""The measures of `tasks.verdict` as torchmetrics: over batches of streams, over time, over processes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection

from timing_tasks.learning.judgement import Judgement


class _Ratio(Metric):
    """The sum of something over the sum of something else; NaN before the first update."""

    full_state_update = False
    is_differentiable = False
    counts = torch.int64  # what stands above
    above: Tensor
    below: Tensor

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        for name, dtype in (("above", self.counts), ("below", torch.int64)):
            self.add_state(name, torch.zeros((), dtype=dtype), dist_reduce_fx="sum")

    def compute(self) -> Tensor:
        """The ratio so far, over all processes."""
        return self.above / self.below


class Solved(_Ratio):
    """The share of streams on which every prediction is right.

    Example:
        >>> import torch
        >>> from timing_tasks import TimingDataset
        >>> from timing_tasks.learning.judgement import judge
        >>> batch = next(iter(TimingDataset("gts", batch_size=4, periods=3)))
        >>> metric = Solved()
        >>> metric.update(judge(batch, batch.targets))
        >>> metric.compute()
        tensor(1.)
    """

    higher_is_better = True

    def update(self, judgement: Judgement) -> None:
        """Count streams."""
        self.above += judgement.is_whole.sum()
        self.below += judgement.is_whole.numel()


class StreamSize(_Ratio):
    """The mean number of periods before the first wrong prediction of a stream (`tasks.stream_size`)."""

    higher_is_better = True

    def update(self, judgement: Judgement) -> None:
        """Count streams."""
        self.above += judgement.size.sum()
        self.below += judgement.size.numel()


class RootMeanSquareError(_Ratio):
    """Of all predictions up to the first wrong one of each stream (`tasks.root_mean_square_error` of whole streams).

    Not the mean over streams, but over all their targets.
    """

    higher_is_better = False
    counts = torch.get_default_dtype()  # some devices have no float64

    def update(self, judgement: Judgement) -> None:
        """Count streams."""
        self.above += judgement.squared_error.sum()
        self.below += judgement.targets.sum()

    def compute(self) -> Tensor:
        """Over all processes."""
        return super().compute().sqrt()


def stream_metrics(prefix: str) -> MetricCollection:
    """`solved`, `stream_size` and `rmse`, with a prefix such as `val/`."""
    metrics = {"solved": Solved(), "stream_size": StreamSize(), "rmse": RootMeanSquareError()}
    return MetricCollection(dict(metrics), prefix=prefix, compute_groups=False)
