"""How fast the layer is beside what else there is, forward and backward. `python -m timing_tasks.benchmark layer`.

All take the same input, float32 and as wide as the layer, and give the gradients of all parameters and of the input.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import platform
import time
from collections.abc import Callable

import torch
from rich.console import Console
from torch import Tensor, nn

from timing_tasks.errors import UserError
from timing_tasks.models import PeepholeLSTM, instruction_set, native_recurrence, recurrence
from timing_tasks.models.recurrence import Weights
from timing_tasks.report import tables

# Cells, rows of the batch, steps.
SIZES = ((1, 32, 100), (8, 32, 150), (32, 32, 200), (64, 64, 200), (128, 64, 200))
# Replicas before.
REPLICAS = ((10, 1, 8, 60), (10, 1, 8, 600), (1000, 1, 2, 30))
THREADS = (1, 2)
TURN = 0.02  # seconds

Run = Callable[[], object]


def main(arguments: list[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m timing_tasks.benchmark layer", description="Speed of the layer, in one run."
    )
    parser.add_argument(
        "--seconds", type=float, default=4.0, help="for each size and number of threads; at least 5 rounds are run"
    )
    parser.add_argument(
        "--compile", action="store_true", help="also torch.compile of the whole loop: minutes for each size"
    )
    options = parser.parse_args(arguments)
    if not options.seconds > 0:
        raise UserError("--seconds must be above 0")
    if not native_recurrence.IS_BUILT:
        raise UserError("the native layer is not installed: there is nothing to compare")
    console = Console(width=max(Console().width, 132))
    machine = f"{platform.processor() or platform.machine()}, {instruction_set.chosen()}, torch {torch.__version__}"
    notes = (
        f"{machine}; the fastest run of each, all taking turns.",
        "In brackets: how many times as fast as nn.LSTM. The loop is the layer's own in plain tensor operations.",
    )
    single = [(f"{h}, {b}, {t}", rivals(h, b, t, options.compile)) for h, b, t in SIZES]
    show("Forward and backward, ms: cells, batch, steps", single, options.seconds, notes, console)
    many = [(f"{r}, {h}, {b}, {t}", replicated(r, h, b, t)) for r, h, b, t in REPLICAS]
    show("With replicas: replicas, cells, batch, steps", many, options.seconds, notes[-1:], console)


def show(
    title: str, cases: list[tuple[str, dict[str, Run]]], seconds: float, notes: tuple[str, ...], console: Console
) -> None:
    """Measure the rivals of each case, the first being the measure of the others."""
    lines = []
    for (name, runs), threads in itertools.product(cases, THREADS):
        best = fastest(runs, threads, seconds)
        first = next(iter(best.values()))
        cells = [
            f"{1e3 * value:.3g} ({first / value:.2g}x)" if value != first else f"{1e3 * value:.3g}"
            for value in best.values()
        ]
        lines.append((name if threads == THREADS[0] else "", str(threads), *cells))
    tables.show(tables.Table(title, ("size", "threads", *cases[0][1]), tuple(lines), notes), console)


def fastest(runs: dict[str, Run], threads: int, seconds: float) -> dict[str, float]:
    """Seconds of the fastest of several runs of each, since whatever else the machine does only ever slows one down."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for run in runs.values():
            run()  # allocates, compiles
        best = dict.fromkeys(runs, float("inf"))
        start, rounds = time.perf_counter(), 0
        while rounds < 5 or time.perf_counter() - start < seconds:
            rounds += 1
            for name, run in runs.items():
                turn = time.perf_counter()
                while (begin := time.perf_counter()) - turn < TURN:  # in a row, since the others leave the caches cold
                    run()
                    best[name] = min(best[name], time.perf_counter() - begin)
        return best
    finally:
        torch.set_num_threads(before)


def rivals(hidden: int, batch: int, steps: int, compile_loop: bool) -> dict[str, Run]:
    """What a user may run, by name: forward and backward over a sequence."""
    x = torch.randn(steps, batch, hidden)
    layer = PeepholeLSTM(hidden, hidden)
    lstm = nn.LSTM(hidden, hidden)
    runs = {
        "nn.LSTM": both_ways(lambda x: lstm(x)[0], x, lstm),
        "PeepholeLSTM": both_ways(lambda x: layer(x)[0], x, layer),
        "its loop": both_ways(loop(layer), x, layer),
    }
    if compile_loop:
        runs["loop, compiled"] = both_ways(torch.compile(loop(layer), dynamic=False), x, layer)
    if importlib.util.find_spec("torchrecurrent") is not None:
        import torchrecurrent

        other = torchrecurrent.PeepholeLSTM(hidden, hidden)
        runs["torchrecurrent"] = both_ways(lambda x: other(x)[0], x, other)
    return runs


def replicated(replicas: int, hidden: int, batch: int, steps: int) -> dict[str, Run]:
    """What a user may run for independent nets, by name."""
    x = torch.randn(replicas, steps, batch, hidden)
    layer = PeepholeLSTM(hidden, hidden, replicas=replicas)
    lstms = nn.ModuleList(nn.LSTM(hidden, hidden) for _ in range(replicas))
    return {
        "nn.LSTM, one by one": both_ways(
            lambda x: torch.stack([lstm(part)[0] for lstm, part in zip(lstms, x, strict=True)]), x, lstms
        ),
        "PeepholeLSTM": both_ways(lambda x: layer(x)[0], x, layer),
        "its loop": both_ways(loop(layer), x, layer),
    }


def loop(layer: PeepholeLSTM) -> Callable[[Tensor], Tensor]:
    """The layer by way of its loop."""

    def run(x: Tensor) -> Tensor:
        weights = Weights(layer.weight_ih, layer.weight_hh, layer.bias, layer.weight_peephole)
        zero = x.new_zeros(*x.shape[:-3], 1, x.size(-2), layer.hidden_size)
        return recurrence.run(x, zero, zero, weights, layer.activation, layer.truncated, batch_first=False)[0]

    return run


def both_ways(forward: Callable[[Tensor], Tensor], x: Tensor, module: nn.Module) -> Run:
    """A run of `forward`, and of the way back to x and the module's parameters."""
    x = x.clone().requires_grad_()
    wanted, error = [x, *module.parameters()], torch.randn_like(forward(x))
    return lambda: torch.autograd.grad(forward(x), wanted, error)
