"""How fast the engines are, and how near to what the processor could do. `python -m timing_tasks.benchmark`.

Every figure is of whole runs of the online recipe: streams, training, testing and control flow included. The yardstick
is the same rule and control flow as a plain scalar C++ loop with the standard library's exp, compiled with the same
options.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from timing_tasks.conditions.condition import Budget, Condition, Protocol
from timing_tasks.errors import UserError
from timing_tasks.learning.online.engine import create
from timing_tasks.learning.online.population import GATE_TRACES, WEIGHTS, Population, State
from timing_tasks.report import tables
from timing_tasks.tasks import Task

# What one net-step in a training stream computes, with peepholes and sigmoid output, to be compared with the limits of
# the processor: divisions and exps as in `native/step.hpp`, and fused multiply-adds (so counts a lone multiplication).
DIVISIONS = 3  # the input and the forget gate share one
EXPS = 4
FUSED_PER_EXP = 10
FUSED_BESIDE_EXPS = 98
STORED = 2 * (WEIGHTS - 2) + GATE_TRACES + 6  # weights, deltas, traces, and the net's state: doubles written back

_BIASES = (0.0, 2.0, -2.0)
_MOST = Budget(2**31, 2**62)
CASES = {
    "nmsd F=10 {0,1}, sparse": Condition(Task("nmsd", 10, (0, 1)), Protocol("benchmark", 2e-4, 0.99, *_BIASES), _MOST),
    "msd F=10 {0,1}, sparse": Condition(Task("msd", 10, (0, 1)), Protocol("benchmark", 1e-5, 0.999, *_BIASES), _MOST),
    "gts F=10 {0}, dense": Condition(Task("gts", 10, (0,)), Protocol("benchmark", 1e-5, 0.999, *_BIASES), _MOST),
    "pfg F=10 cos, dense": Condition(
        Task("pfg", 10, (), "cos", 0.3),
        Protocol("benchmark", 1e-5, 0.99, *_BIASES),
        _MOST,
        output_activation="identity",
    ),
}


@dataclass(frozen=True)
class Timing:
    """Of one run: the fastest of several, since whatever else the machine does only ever slows it down."""

    replicas: int
    seconds: float
    net_steps: int

    @property
    def nanoseconds(self) -> float:
        """For each net-step."""
        return 1e9 * self.seconds / self.net_steps


def measure(condition: Condition, replicas: int, run: Callable[[Population, State], None], repeats: int) -> Timing:
    """Time `run` on fresh nets."""
    people = Population.of([condition], [(0, r) for r in range(replicas)], seed=1)
    timings = []
    for _ in range(repeats):
        state = State.initial(people)
        start = time.perf_counter()
        run(people, state)
        timings.append(Timing(replicas, time.perf_counter() - start, int(state.net_steps.sum())))
    return min(timings, key=lambda timing: timing.seconds)


def main(arguments: list[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m timing_tasks.benchmark",
        description="Speed of the engines; `layer` as first word: of the layer; `replicas`: over the number of nets.",
    )
    parser.add_argument("--net-steps", type=int, default=300_000, help="of each replica of the native engine")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args(arguments)
    if options.net_steps < 1000 or options.repeats < 1:
        raise UserError("--net-steps must be at least 1000, --repeats at least 1")
    console = Console(width=max(Console().width, 112))
    try:
        from timing_tasks.learning.online.native import NativeEngine, run_scalar
    except ImportError:
        raise UserError("the native engine is not installed: there is nothing to compare") from None
    one, every = NativeEngine(1), create("native")
    assert isinstance(every, NativeEngine)
    torch_engine = create("torch")
    steps = options.net_steps
    lines, fastest = [], []
    for name, condition in CASES.items():
        scalar = measure(condition, 16, lambda p, s: run_scalar(p, s, steps // 8), options.repeats)
        slow = measure(condition, 10, lambda p, s: torch_engine.run(p, s, 150), 2)
        runs = [
            ("scalar C++", scalar),
            (
                f"native, {one.instruction_set}, 1 thread",
                measure(condition, 64, lambda p, s: one.run(p, s, steps), options.repeats),
            ),
            (
                f"native, {every.threads} threads",
                measure(condition, 128, lambda p, s: every.run(p, s, steps), options.repeats),
            ),
            ("native, 1 thread", measure(condition, 10, lambda p, s: one.run(p, s, steps), options.repeats)),
            ("torch", slow),
        ]
        fastest.append(runs[1][1])
        lines += [
            (
                name if label == "scalar C++" else "",
                label,
                str(timing.replicas),
                f"{timing.nanoseconds:,.1f}",
                f"{1e3 / timing.nanoseconds:,.2f}M",
                f"{scalar.nanoseconds / timing.nanoseconds:.2f}x",
                f"{slow.nanoseconds / timing.nanoseconds:,.0f}x",
            )
            for label, timing in runs
        ]
    header = ("task", "engine", "nets", "ns/net-step", "net-steps/s", "vs scalar", "vs torch")
    fused = EXPS * FUSED_PER_EXP + FUSED_BESIDE_EXPS
    notes = (
        f"{platform.processor() or platform.machine()}, {every.instruction_set}; fastest of {options.repeats}.",
        f"A training net-step has {fused} fused multiply-adds or multiplications, {EXPS} exps among them, {DIVISIONS} "
        f"divisions, and writes {STORED} doubles.",
        *floor(one.instruction_set, fused, min(timing.nanoseconds for timing in fastest)),
        f"Memory of a replica: {memory()} bytes.",
        f"Lightning's share of the time of a fit, checkpoints included: {100 * lightning_share():.1f}%.",
    )
    tables.show(tables.Table("Speed of the online recipe", header, tuple(lines), notes), console)


def floor(instruction_set: str, fused: int, reached: float) -> list[str]:
    """The floor of a training net-step, from this processor's throughput, and how near `reached` ns come."""
    from timing_tasks.learning.online.native import throughput

    nanoseconds_fused, nanoseconds_store, nanoseconds_division = throughput(instruction_set)
    parts = {
        "multiply-adds": fused * nanoseconds_fused,
        "stores": STORED * nanoseconds_store,
        "divisions": DIVISIONS * nanoseconds_division,
    }
    text = ", ".join(f"{name} {value:.1f} ns" for name, value in parts.items())
    binding = max(parts.values())
    return [
        f"Floor of a training net-step on one core, were a unit always busy: {text}; the largest binds.",
        f"The fastest of the tasks takes {reached / binding:.1f} times that on one thread.",
    ]


def memory() -> int:
    """Bytes that a replica takes, in the state and in the population."""
    people = Population.of([next(iter(CASES.values()))], [(0, r) for r in range(1000)], seed=1)
    arrays = [tensor.numpy() for tensor in State.initial(people).tensors().values()]
    arrays += [people.condition, people.replica, people.seed]
    return int(np.ceil(sum(array.nbytes for array in arrays) / 1000))


def lightning_share(seconds: float = 8.0) -> float:
    """The part of a fit of about so many seconds that is not spent in the engine, once chunks have their size."""
    import tempfile

    import lightning as L

    from timing_tasks.experiment import processes
    from timing_tasks.experiment.checkpoints import Checkpoints
    from timing_tasks.learning.online.module import OnlinePopulationModule

    processes.quiet()

    class Clock(L.Callback):
        """Counts from the fifth chunk on, and stops the fit."""

        def on_train_batch_end(
            self, trainer: L.Trainer, module: L.LightningModule, outputs: object, batch: object, batch_idx: int
        ) -> None:
            assert isinstance(module, OnlinePopulationModule)
            if batch_idx == 4:
                self.start, self.engine_before = time.perf_counter(), module.engine_seconds
            if batch_idx >= 4:
                self.passed, self.engine = time.perf_counter() - self.start, module.engine_seconds - self.engine_before
                trainer.should_stop |= self.passed >= seconds

    people = Population.of(list(CASES.values()), [(c, r) for c in range(len(CASES)) for r in range(47)], seed=1)
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        trainer = L.Trainer(
            accelerator="cpu",
            devices=1,
            max_epochs=1,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=True,
            callbacks=[Checkpoints(Path(folder), OnlinePopulationModule.checkpoint_keys), clock],
        )
        trainer.fit(OnlinePopulationModule(people, create("native")))
    return 1 - clock.engine / clock.passed
