"""The part of the time of `timing_tasks.benchmark` outside the net. `python -m timing_tasks.benchmark nets`."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from rich.console import Console
from torch import Tensor, nn

from timing_tasks.errors import UserError
from timing_tasks.learning.nets import Nets
from timing_tasks.models.timing_net import TimingNet
from timing_tasks.report import tables
from timing_tasks.suite import benchmark
from timing_tasks.tasks import Task


class PlainGRU(nn.Module):
    """A GRU as a user would write it: a loop of tensor operations over the steps.

    Args:
        hidden_size: H, units.
    """

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.of_input, self.of_state = nn.Linear(1, 3 * hidden_size), nn.Linear(hidden_size, 3 * hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        """The states (N, T, H) for inputs (N, T, 1)."""
        h, states = x.new_zeros(x.size(0), self.hidden_size), []
        for net_x in self.of_input(x).unbind(1):  # (N, 3H)
            (xr, xz, xn), (hr, hz, hn) = net_x.chunk(3, -1), self.of_state(h).chunk(3, -1)
            z = torch.sigmoid(xz + hz)
            h = (1 - z) * torch.tanh(xn + torch.sigmoid(xr + hr) * hn) + z * h
            states.append(h)
        return torch.stack(states, dim=1)


def plain_gru(task: Task, seed: int) -> nn.Module:
    """A net of `PlainGRU`."""
    return TimingNet(PlainGRU(2), output_activation=task.output_activation)


@contextmanager
def timed(owner: Any, name: str) -> Iterator[list[float]]:
    """The seconds that a method took, in a list of one number."""
    spent, method = [0.0], getattr(owner, name)

    def measured(*arguments: Any, **named: Any) -> Any:
        start = time.perf_counter()
        try:
            return method(*arguments, **named)
        finally:
            spent[0] += time.perf_counter() - start

    setattr(owner, name, measured)
    try:
        yield spent
    finally:
        setattr(owner, name, method)


def share(make_net: Callable[[Task, int], nn.Module], budget: int) -> tuple[float, float]:
    """Seconds that TIMING-20 takes, and the share of them that is not spent in the nets or their backward passes."""
    start = time.perf_counter()
    with timed(Nets, "forward") as forward, timed(Tensor, "backward") as backward:
        benchmark(make_net, budget=budget)
    seconds = time.perf_counter() - start
    return seconds, 1.0 - (forward[0] + backward[0]) / seconds


def main(arguments: list[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m timing_tasks.benchmark nets",
        description="TIMING-20 with ten nets of a user's cell in plain torch, and the share of the time outside them.",
    )
    parser.add_argument("--budget", type=int, default=200, help="training streams of each net")
    options = parser.parse_args(arguments)
    if options.budget < 1:
        raise UserError("--budget must be above 0")
    seconds, outside = share(plain_gru, options.budget)
    line = ("plain GRU, 2 units", f"{options.budget:,}", f"{seconds:.0f}", f"{100 * outside:.0f}%")
    tables.show(tables.Table("TIMING-20", ("net", "streams", "seconds", "outside the net"), (line,)), Console())
