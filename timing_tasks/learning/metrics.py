"""The measures of `tasks.verdict` as torchmetrics: over batches of streams, over time, over processes."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric


def stream_sizes(outputs: Tensor, targets: Tensor, has_target: Tensor, period: Tensor, tolerance: float) -> Tensor:
    """Periods of each stream before its first wrong prediction (`tasks.stream_size`), (..., T) each, int64 (...).

    Args:
        outputs: z.
        targets: d.
        has_target: bool; False too for the steps that pad a shorter stream.
        period: to which period, from 0, a step belongs; -1 for the steps that pad a shorter stream.
        tolerance: see `tasks.is_correct`.
    """
    wrong = has_target & ~((targets - outputs).abs() < tolerance)
    whole = period.amax(-1) + 1
    return torch.where(wrong, period, whole.unsqueeze(-1)).amin(-1)


class StreamSize(Metric):
    """The mean stream size."""

    full_state_update = False
    total: Tensor
    streams: Tensor

    def __init__(self, **arguments: object) -> None:
        super().__init__(**arguments)
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("streams", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, outputs: Tensor, targets: Tensor, has_target: Tensor, period: Tensor, tolerance: float) -> None:
        """Count a batch; see `stream_sizes`."""
        sizes = stream_sizes(outputs, targets, has_target, period, tolerance)
        self.total += sizes.sum()
        self.streams += sizes.numel()

    def compute(self) -> Tensor:
        """In periods; NaN without a stream."""
        return self.total / self.streams


class RootMeanSquareError(Metric):
    """Of the predictions at the steps that have a target (`tasks.root_mean_square_error`)."""

    full_state_update = False
    squared_error: Tensor
    targets: Tensor

    def __init__(self, **arguments: object) -> None:
        super().__init__(**arguments)
        self.add_state("squared_error", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("targets", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, outputs: Tensor, targets: Tensor, has_target: Tensor) -> None:
        """Count a batch, all of one shape."""
        self.squared_error += ((targets - outputs)[has_target] ** 2).sum()
        self.targets += has_target.sum()

    def compute(self) -> Tensor:
        """NaN without a target."""
        return (self.squared_error / self.targets).sqrt()


class SolvedFraction(Metric):
    """The fraction of nets, or of tests, that are solved."""

    full_state_update = False
    solved: Tensor
    nets: Tensor

    def __init__(self, **arguments: object) -> None:
        super().__init__(**arguments)
        self.add_state("solved", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("nets", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, solved: Tensor) -> None:
        """Count some; bool, any shape."""
        self.solved += solved.sum()
        self.nets += solved.numel()

    def compute(self) -> Tensor:
        """NaN without any."""
        return self.solved / self.nets
