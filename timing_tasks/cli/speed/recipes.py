"""Net-updates a second of the recipe `bptt`: small nets side by side, one core, tests and Lightning included."""

from __future__ import annotations

import argparse
import math
import time

import lightning as L
import torch
from rich.console import Console

from timing_tasks.conditions.condition import Budget, Condition, Protocol
from timing_tasks.conditions.initial_state import NamedInitialState
from timing_tasks.conditions.model import Model
from timing_tasks.conditions.recipe import BPTT
from timing_tasks.errors import UserError
from timing_tasks.experiment.processes import quiet
from timing_tasks.learning.online.population import Population
from timing_tasks.learning.replicas import ReplicasModule
from timing_tasks.report import tables
from timing_tasks.tasks import Task

MODELS = (Model(), Model("lstm", 1), Model("gru", 1))
REPLICAS = 10
_OPTIMIZERS = {
    "nmsd": ({"lr": 100.0, "momentum": 0.95}, 2, 1e-5),
    "msd": ({"lr": 3.0, "momentum": 0.9}, 2, 3e-3),
    "gts": ({"lr": 3.0, "momentum": 0.95}, 1, 1e-3),
    "pfg": ({"lr": 3.0, "momentum": 0.95}, 1, 1e-3),
}  # the numbers of configs/recipe/bptt.yaml: optimiser, streams, clip
TASKS = (
    *(Task("nmsd", interval, (0, 1)) for interval in (10, 20, 30, 40, 50)),
    *(Task("msd", 10, offsets) for offsets in ((0, 1), (0, 1, 2))),
    *(Task("gts", interval, (0,)) for interval in (10, 20, 30, 40, 50)),
    *(Task("gts", 10, offsets) for offsets in ((0, 1), (0, 1, 2))),
    *(Task("pfg", period, (), waveform) for waveform in ("cos", "tri", "rect") for period in (10, 25)),
)


def conditions(model: Model) -> list[Condition]:
    """Those of configs/recipes.yaml with a learned state, with a budget that does not end."""
    found = []
    for task in TASKS:
        numbers, streams, clip = _OPTIMIZERS[task.name]
        optimizer = {"_target_": "torch.optim.SGD", **numbers, "fused": True}
        found.append(
            Condition(
                task,
                Protocol("closest", 1e-4, 0.99, 0.0, 2.0, -2.0),
                Budget(2**31, 2**62),
                peepholes=model.name == "peephole_lstm",
                output_activation=task.output_activation,
                initial_state=NamedInitialState("learned"),
                recipe=BPTT("bptt", streams, 100, optimizer, None, clip),
                model=model,
            )
        )
    return found


class _Clock(L.Callback):
    """Counts the updates of some seconds, after the first few."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.start, self.passed, self.updates = seconds, 0.0, 0.0, 0

    def on_train_batch_end(self, trainer: L.Trainer, module: L.LightningModule, *_: object) -> None:
        assert isinstance(module, ReplicasModule)
        if trainer.global_step == 5:
            self.start = time.perf_counter()
        elif trainer.global_step > 5:
            self.updates += len(module.running())
            self.passed = time.perf_counter() - self.start
            trainer.should_stop |= self.passed >= self.seconds


def net_updates_per_second(model: Model, seconds: float) -> float:
    """Of `REPLICAS` nets on each of `TASKS`, from their first update on."""
    kinds = conditions(model)
    population = Population.of(kinds, [(c, r) for c in range(len(kinds)) for r in range(REPLICAS)], seed=1)
    clock = _Clock(seconds)
    trainer = L.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=1,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        limit_val_batches=0,
        callbacks=[clock],
    )
    trainer.fit(ReplicasModule(population))
    return clock.updates / clock.passed


def main(arguments: list[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m timing_tasks.benchmark recipes",
        description="Net-updates a second of the recipe bptt, for 200 nets side by side on one core.",
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    options = parser.parse_args(arguments)
    if not 0 < options.seconds < math.inf:
        raise UserError("--seconds must be above 0")
    quiet()
    torch.set_num_threads(1)
    lines = [(str(model), f"{net_updates_per_second(model, options.seconds):.0f}") for model in MODELS]
    note = f"{REPLICAS} nets on each of {len(TASKS)} conditions, from a learned state, one core."
    tables.show(tables.Table("The recipe bptt", ("net", "net-updates / s"), tuple(lines), (note,)), Console())
