"""Layers over a `PackedSequence`: sequences of several lengths, longest first, step by step without padding."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence


class Run(Protocol):
    """Runs some steps of the rows that go on: x (T, N, I), h and c (1, N, H) each."""

    def __call__(self, x: Tensor, h: Tensor, c: Tensor, *, continued: bool) -> tuple[Tensor, Tensor, Tensor]:
        """H of every step (T, N, H), and the last h and c."""


def run_packed(run: Run, packed: PackedSequence, h: Tensor, c: Tensor) -> tuple[PackedSequence, Tensor, Tensor]:
    """Run a layer over a packed sequence, whose steps with the same number of rows run at once.

    Args:
        run: the layer; `continued` for all steps but the first ones.
        packed: the sequences, S steps of I features in all.
        h: output before the first step, (1, N, H), in the order of the batch before it was packed.
        c: cell state before the first step, (1, N, H), in that order.

    Returns:
        h of every step, packed, and h and c after the last step of each sequence, in the order of the batch.
    """
    data, batch_sizes, to_sorted, to_batch = packed
    if to_sorted is not None:
        h, c = h.index_select(-2, to_sorted), c.index_select(-2, to_sorted)
    rows, steps = torch.unique_consecutive(batch_sizes, return_counts=True)
    outputs: list[Tensor] = []
    ended: list[tuple[Tensor, Tensor]] = []  # the states of the rows that end, shortest sequences first
    for count, part in zip(rows.tolist(), torch.split(data, (rows * steps).tolist()), strict=True):
        ended.append((h[:, count:], c[:, count:]))
        x = torch.unflatten(part, 0, (-1, count))
        output, h, c = run(x, h[:, :count], c[:, :count], continued=bool(outputs))
        outputs.append(output.flatten(0, 1))
    ended.append((h, c))
    h, c = (torch.cat(states, dim=-2) for states in zip(*reversed(ended), strict=True))
    if to_batch is not None:
        h, c = h.index_select(-2, to_batch), c.index_select(-2, to_batch)
    return PackedSequence(torch.cat(outputs), batch_sizes, to_sorted, to_batch), h, c


def reverse_packed(packed: PackedSequence) -> PackedSequence:
    """Each sequence from its own last step to its first."""
    batch_sizes = packed.batch_sizes  # (T,), of a CPU tensor
    before = batch_sizes.cumsum(0) - batch_sizes  # (T,): where each step begins in the data
    step = torch.arange(len(batch_sizes)).repeat_interleave(batch_sizes)  # (S,)
    row = torch.arange(len(step)) - before[step]  # (S,)
    lengths = (batch_sizes.unsqueeze(1) > torch.arange(int(batch_sizes[0]))).sum(0)  # (N,)
    index = before[lengths[row] - 1 - step] + row
    return PackedSequence(packed.data.index_select(0, index.to(packed.data.device)), *packed[1:])
