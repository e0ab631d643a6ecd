"""What tells conditions apart, each thing a column of TensorBoard's table of hyperparameters, and what came of them."""

from __future__ import annotations

import math

from timing_tasks.conditions.condition import Condition
from timing_tasks.conditions.recipe import BPTT
from timing_tasks.experiment.experiment import Experiment
from timing_tasks.experiment.standing import Standing
from timing_tasks.experiment.tensorboard.names import net_name

Value = str | float | bool


def hyperparameters(condition: Condition, experiment: Experiment) -> dict[str, Value]:
    """The columns of a condition: numbers are numbers. What it does not have is left out.

    TensorBoard shows the first five of those that differ, in alphabetical order: what is rarely looked for has a name
    that comes late.
    """
    task, budget = condition.task, condition.budget
    values: dict[str, Value] = {
        "task": task.name,
        "F": task.min_interval,
        "tolerance": task.tolerance,
        "net": net_name(condition),
        "initial state": str(condition.initial_state),
        "transfer function": condition.output_activation,
        "protocol": condition.protocol.name,
        "training budget, streams": budget.training_streams,
        "training budget, net-steps": budget.net_steps,
        "seed": experiment.seed,
        **_learning(condition),
    }
    if task.waveform:
        values["waveform"] = task.waveform
    else:
        values["offsets"] = ",".join(map(str, task.offsets))
    return values


def _learning(condition: Condition) -> dict[str, Value]:
    recipe = condition.recipe
    if not isinstance(recipe, BPTT):
        protocol = condition.protocol
        return {
            "recipe": recipe.name,
            "optimiser": "SGD",
            "learning rate": protocol.learning_rate,
            "momentum": protocol.momentum,
        }
    values: dict[str, Value] = {
        "recipe": recipe.name,
        "optimiser": str(recipe.optimizer["_target_"]).rpartition(".")[2],
        "streams an update": recipe.streams,
    }
    names = {"learning rate": recipe.optimizer.get("lr"), "momentum": recipe.optimizer.get("momentum")}
    names["clip"] = recipe.clip
    return values | {name: float(value) for name, value in names.items() if isinstance(value, (int, float))}


def metrics(standing: Standing) -> dict[str, float]:
    """Of a condition whose nets have their verdicts; no median where fewer than half are solved."""
    values = {"summary/solved fraction": standing.solved / standing.nets, "summary/total nets": float(standing.nets)}
    median = standing.median_streams
    return values | ({"summary/median streams": median} if math.isfinite(median) else {})
