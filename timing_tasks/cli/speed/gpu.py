"""A GPU beside the CPU: speed, digits and the layer, within five minutes. `python -m timing_tasks.benchmark gpu`."""

from __future__ import annotations

import argparse
import functools
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from timing_tasks.cli.speed.engines import CASES
from timing_tasks.errors import UserError
from timing_tasks.learning.online.engine import Engine, create
from timing_tasks.learning.online.population import Population, State
from timing_tasks.models import PeepholeLSTM
from timing_tasks.report import tables

_CASE = "gts F=10 {0}, dense"
_SHORT = 256  # net-steps of a first run, in which the kernel is compiled or loaded
_DIGITS = (1000, 20_000)  # nets and net-steps of the comparison of states
LAYERS = ((8, 32, 150), (64, 64, 200))  # cells, rows of the batch, steps


def main(arguments: list[str]) -> None:
    """Measure, print, and write a Markdown table and a JSON file."""
    parser = argparse.ArgumentParser(
        prog="python -m timing_tasks.benchmark gpu",
        description="Net-steps a second of the cuda and the native engine over the number of nets; the layer.",
    )
    parser.add_argument("--most", type=int, default=10**6, help="nets")
    parser.add_argument("--threads", type=int, default=2, help="of the native engine")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement, about")
    parser.add_argument("--output", type=Path, default=Path("gpu"), help="the files without their endings")
    options = parser.parse_args(arguments)
    if options.most < 100 or not 0 < options.seconds < math.inf:
        raise UserError("--most must be at least 100, --seconds above 0")
    found = measured(
        create("cuda"), create("native", options.threads), options.most, options.seconds, torch.device("cuda")
    )
    found["device"] = torch.cuda.get_device_name()
    table = _table(found)
    tables.show(table, Console())
    try:
        options.output.with_suffix(".md").write_text(tables.markdown(table))
        options.output.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
    except OSError as error:
        raise UserError(f"--output {options.output}: {error.strerror}") from None


def measured(cuda: Engine, native: Engine, most: int, seconds: float, device: torch.device) -> dict[str, Any]:
    """What is measured, as JSON has it.

    Args:
        cuda: the engine on the device.
        native: the one beside it.
        most: nets; from 100 on every power of ten up to it.
        seconds: of each measurement, about.
        device: of the layers.
    """
    speeds = []
    for exponent in range(2, int(math.log10(most) + 1e-9) + 1):
        count = 10**exponent
        speeds.append({"nets": count, **{e.name: speed(e, count, seconds) for e in (native, cuda)}})
    crossing = next((line["nets"] for line in speeds if line["cuda"] > line["native"]), None)
    people = _people(min(most, _DIGITS[0]))
    states = [State.initial(people) for _ in range(2)]
    for engine, state in zip((cuda, native), states, strict=True):
        engine.run(people, state, _DIGITS[1])
    same = all(
        torch.equal(tensor.view(torch.int64), getattr(states[1], name).view(torch.int64))
        for name, tensor in states[0].tensors().items()
    )
    return {
        "case": _CASE,
        "net_steps_per_second": speeds,
        "crossing": crossing,
        "same_digits": same,
        "layers": [layer(*size, seconds, device) for size in LAYERS],
    }


def speed(engine: Engine, replicas: int, seconds: float) -> float:
    """Net-steps a second of some nets, from their first stream on."""
    people = _people(replicas)
    state = State.initial(people).to(engine.device)
    engine.run(people, state, _SHORT)
    start = time.perf_counter()
    engine.run(people, state, _SHORT)
    steps = max(1, int(seconds * _SHORT / (time.perf_counter() - start)))
    before, start = int(state.net_steps.sum()), time.perf_counter()
    engine.run(people, state, steps)
    return (int(state.net_steps.sum()) - before) / (time.perf_counter() - start)


def layer(cells: int, batch: int, steps: int, seconds: float, device: torch.device) -> dict[str, Any]:
    """Milliseconds of a forward and backward pass of the layer and of torch's LSTM, float32."""
    x = torch.randn(batch, steps, cells, device=device, requires_grad=True)
    size = {"cells": cells, "batch": batch, "steps": steps}
    for name, make in (("peephole_lstm", PeepholeLSTM), ("nn_lstm", torch.nn.LSTM)):
        module = make(cells, cells, batch_first=True).to(device)
        size[name] = _milliseconds(functools.partial(_both_ways, module, x), seconds / 4, device)
    return size


def _both_ways(module: torch.nn.Module, x: torch.Tensor) -> None:
    module(x)[0].sum().backward()


def _milliseconds(run: Callable[[], object], seconds: float, device: torch.device) -> Any:
    best, end = math.inf, time.perf_counter() + seconds
    run()
    while best == math.inf or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, 1e3 * (time.perf_counter() - start))
    return best


def _table(found: dict[str, Any]) -> tables.Table:
    lines = [
        (f"{s['nets']:,}", f"{s['native'] / 1e6:,.0f}M", f"{s['cuda'] / 1e6:,.0f}M", f"{s['cuda'] / s['native']:.2f}x")
        for s in found["net_steps_per_second"]
    ]
    crossing = f"from {found['crossing']:,} nets on" if found["crossing"] else "nowhere"
    notes = (
        f"{found['case']}; {found['device']}. The cuda engine is faster {crossing}.",
        f"The states of both engines are {'the same' if found['same_digits'] else 'NOT THE SAME'}, bit for bit.",
        *(
            f"Forward and backward, {s['cells']} cells, batch {s['batch']}, {s['steps']} steps: the layer "
            f"{s['peephole_lstm']:.2f} ms, nn.LSTM {s['nn_lstm']:.2f} ms."
            for s in found["layers"]
        ),
    )
    return tables.Table("Net-steps a second", ("nets", "native", "cuda", "cuda / native"), tuple(lines), notes)


@functools.lru_cache(maxsize=1)
def _people(replicas: int) -> Population:
    return Population.of([CASES[_CASE]], [(0, r) for r in range(replicas)], seed=1)
