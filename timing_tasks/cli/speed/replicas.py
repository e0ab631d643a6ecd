"""The torch engine against the native one, over the number of nets. `python -m timing_tasks.benchmark replicas`."""

from __future__ import annotations

import argparse
import functools
import math
import time

import torch
from rich.console import Console

from timing_tasks.cli.speed.engines import CASES
from timing_tasks.errors import UserError
from timing_tasks.learning.online.engine import Engine, create
from timing_tasks.learning.online.population import Population, State
from timing_tasks.learning.online.torch_engine import TorchEngine
from timing_tasks.report import tables

_CASE = "gts F=10 {0}, dense"
_SHORT = 32  # net-steps of a first run, in which torch.compile compiles


def main(arguments: list[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m timing_tasks.benchmark replicas",
        description="Net-steps a second of the compiled torch engine and the native engine, over the number of nets.",
    )
    has_gpu = torch.cuda.is_available()
    parser.add_argument("--device", default="cuda" if has_gpu else "cpu", help="of the torch engine")
    parser.add_argument("--most", type=int, default=10**6 if has_gpu else 10**4, help="nets")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement, about")
    options = parser.parse_args(arguments)
    if options.most < 100 or not 0 < options.seconds < math.inf:
        raise UserError("--most must be at least 100, --seconds above 0")
    try:
        compiled = TorchEngine(options.device, block=4)
        torch.zeros(1, device=options.device)
    except (RuntimeError, AssertionError) as error:  # the latter where torch knows no such device
        raise UserError(f"--device {options.device}: {str(error).partition(chr(10))[0]}") from None
    lines, crossing = [], None
    count = 100
    while count <= options.most:
        native, other = (speed(engine, count, options.seconds) for engine in (create("native"), compiled))
        crossing = count if crossing is None and other > native else crossing
        lines.append((f"{count:,}", f"{native / 1e6:,.1f}M", f"{other / 1e6:,.1f}M", f"{other / native:.3f}x"))
        count *= 10
    notes = (
        f"{_CASE}. The torch engine on {options.device}, in blocks of {compiled.block} compiled steps.",
        f"From {crossing:,} nets on the torch engine is faster."
        if crossing
        else "The native engine is faster throughout.",
    )
    tables.show(
        tables.Table("Nets side by side", ("nets", "native", "torch", "torch / native"), tuple(lines), notes), Console()
    )


def speed(engine: Engine, replicas: int, seconds: float) -> float:
    """Net-steps a second of some nets, from their first stream on."""
    people = _people(replicas)
    state = State.initial(people)
    engine.run(people, state, _SHORT)
    start = time.perf_counter()
    engine.run(people, state, _SHORT)
    steps = max(1, int(seconds * _SHORT / (time.perf_counter() - start)) // engine.block) * engine.block
    before, start = int(state.net_steps.sum()), time.perf_counter()
    engine.run(people, state, steps)
    return (int(state.net_steps.sum()) - before) / (time.perf_counter() - start)


@functools.cache
def _people(replicas: int) -> Population:
    return Population.of([CASES[_CASE]], [(0, r) for r in range(replicas)], seed=1)
