"""What nets' outputs along streams are worth: where they go wrong, what of them counts, the loss of a stream."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from timing_tasks.data import Batch


class Judgement(NamedTuple):
    """Of N streams; tensors of the shape (N,), with a leading axis of R for R nets.

    The rule is that of `tasks.verdict` (PAPER.md 3): a stream ends with its first wrong prediction.

    Attributes:
        is_whole: whether every prediction is right, bool.
        steps: up to and including the first wrong prediction, int64.
        size: periods completed before it, int64.
        targets: within these steps, int64.
        squared_error: (d - z)², summed over them.
    """

    is_whole: Tensor
    steps: Tensor
    size: Tensor
    targets: Tensor
    squared_error: Tensor


def judge(batch: Batch, outputs: Tensor) -> Judgement:
    """The judgement of outputs z, (N, T, 1), with or without a leading axis of R; a NaN is never right."""
    error = (batch.targets - outputs.detach()).squeeze(-1)  # (..., N, T)
    wrong = batch.mask & ~(error.abs() < batch.tolerance.unsqueeze(-1))
    is_whole = ~wrong.any(-1)
    first = wrong.byte().argmax(-1)  # the first of several
    size = torch.where(is_whole, batch.period.amax(-1) + 1, batch.period.gather(-1, first.unsqueeze(-1)).squeeze(-1))
    steps = torch.where(is_whole, batch.lengths, first + 1)
    counts = counted(batch, steps)
    return Judgement(is_whole, steps, size, counts.sum(-1), torch.where(counts, error.square(), 0.0).sum(-1))


def counted(batch: Batch, steps: Tensor) -> Tensor:
    """The targets within the first `steps`, (..., N), of each stream; bool, (..., N, T)."""
    return batch.mask & (torch.arange(batch.steps, device=steps.device) < steps.unsqueeze(-1))


def mean_loss(batch: Batch, outputs: Tensor, steps: Tensor) -> Tensor:
    """The mean over N streams of ½(d - z)², averaged over a stream's targets within its first `steps`, (N,); shape ().

    With a leading axis of R nets one loss each, (R,). Measured on the paper's conditions: with all targets of its
    periods instead of those up to the first wrong prediction, no net learned to generate spikes, and of the functions
    hardly any.
    """
    counts = counted(batch, steps)
    error = torch.where(counts, (batch.targets - outputs).squeeze(-1), 0.0)  # padding may hold anything
    weight = counts / counts.sum(-1, keepdim=True).clamp(min=1).to(error.dtype) / counts.size(-2)
    return (0.5 * error.square() * weight).sum((-2, -1))
