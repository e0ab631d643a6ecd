"""The measures of `tasks.verdict` as torchmetrics: over batches of streams, over time, over processes."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric


class StreamSize(Metric):
    """The mean stream size (`tasks.stream_size`)."""

    full_state_update = False
    periods: Tensor
    streams: Tensor

    def __init__(self, **arguments: object) -> None:
        super().__init__(**arguments)
        self.add_state("periods", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("streams", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, sizes: Tensor) -> None:
        """Count streams of some sizes, in periods; any shape."""
        self.periods += sizes.sum()
        self.streams += sizes.numel()

    def compute(self) -> Tensor:
        """In periods; NaN without a stream."""
        return self.periods / self.streams


class RootMeanSquareError(Metric):
    """Of predictions (`tasks.root_mean_square_error`): not the mean over streams, but over all their targets."""

    full_state_update = False
    squared_error: Tensor
    targets: Tensor

    def __init__(self, **arguments: object) -> None:
        super().__init__(**arguments)
        self.add_state("squared_error", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("targets", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, squared_error: Tensor, targets: Tensor) -> None:
        """Count streams by their sums of squared errors and their numbers of targets; any shape."""
        self.squared_error += squared_error.sum()
        self.targets += targets.sum()

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
        self.solved += solved.sum().long()
        self.nets += solved.numel()

    def compute(self) -> Tensor:
        """NaN without any."""
        return self.solved / self.nets
