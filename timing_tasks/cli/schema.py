"""The keys of every script's config, their types and defaults: structured configs, which YAML and overrides fill.

`timing_tasks.cli.help` prints the attributes' descriptions. A value that a dataclass of `timing_tasks.conditions`
checks has the type Any here, since it may also be one for each task, or a list of variants.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields, make_dataclass
from typing import Any

from hydra.core.config_store import ConfigStore

from timing_tasks.conditions.condition import Budget, Protocol
from timing_tasks.conditions.initial_state import NamedInitialState
from timing_tasks.conditions.model import Model
from timing_tasks.conditions.recipe import BPTT

TABLES = (
    *("comparison", "variants", "initial_states", "test_time", "recipes_summary", "recipes", "horizon"),
    *("answers", "phases"),
)
FIGURES = (
    *("streams_against_interval", "delays", "spikes", "functions", "start"),
    *("ratios", "learned_states", "stuck", "test_time", "horizon", "long_delays", "runaway", "tasks_against_weights"),
    "phases",
)


def _keys_of(checked: type, **others: Any) -> type:
    """A structured config with the fields of checked data, and others."""
    own = [(one.name, one.default if one.default is not MISSING else "???") for one in fields(checked)]
    keys = {**dict(own), "name": "???", **others}
    made = make_dataclass(f"{checked.__name__}Keys", [(key, Any, field(default=value)) for key, value in keys.items()])
    made.__doc__ = checked.__doc__
    return made


ProtocolKeys = _keys_of(Protocol, changes="")
BudgetKeys = _keys_of(Budget)


class ModelKeys(Model):
    """The layer of the nets.

    Attributes:
        cells: of the model `cell`: which ones.
        weights: of the model `cell`: about how many, with those of the output unit; a list.
    """


@dataclass
class EngineKeys:
    """Who trains the nets of the online recipe.

    Attributes:
        threads: of the native engine; null: one for each core.
    """

    name: str = "???"
    threads: Any = None


@dataclass
class TrainerKeys:
    """The arguments of `lightning.Trainer`.

    Attributes:
        accelerator: cpu or gpu.
        devices: processes on each machine, or GPUs; -1: all GPUs.
        num_nodes: machines, on which torchrun or SLURM starts the processes.
        max_time: stops the run after DD:HH:MM:SS, as SIGTERM does; the same command goes on from there.
    """

    accelerator: Any = "cpu"
    devices: Any = 1
    num_nodes: Any = 1
    max_time: Any = None


@dataclass
class TaskKeys:
    """The task of a single condition.

    Attributes:
        min_interval: F, in steps: the minimum interval between spikes.
        offsets: the set from which I(n), in steps, is drawn.
        waveform: cos, tri or rect.
        period: F, in steps.
        tolerance: a prediction is right if it is nearer to the target than this.
    """


@dataclass
class ScriptKeys:
    """What every script has.

    Attributes:
        protocol: the reading of the paper.
        initial_state: the state before the first step.
        recipe: how the nets learn.
        model: the layer of the nets.
        engine: who trains the nets of the online recipe.
        trainer: processes and devices.
        budget: when a net is given up.
        task: the task of a single condition.
    """

    name: str = "???"


@dataclass
class RunKeys(ScriptKeys):
    """What every run has.

    Attributes:
        seed: of the run.
        output: the folder for everything that is written; null: a folder in runs/ with a name made of the values.
        replicas: nets of each condition.
        peepholes: whether the nets have them: true, false or [true,false].
        forget_gate: whether the nets have one: true, false or [true,false]; without one, f = 1.
        output_activation: sigmoid or identity; auto: sigmoid where the targets are within its reach.
        fast_dev_run: a first look: one net of each condition, five training streams, nothing is kept.
    """

    seed: Any = 1
    output: Any = None
    protocol: ProtocolKeys = field(default_factory=ProtocolKeys)  # type: ignore[valid-type]
    budget: BudgetKeys = field(default_factory=BudgetKeys)  # type: ignore[valid-type]
    engine: EngineKeys = field(default_factory=EngineKeys)
    trainer: TrainerKeys = field(default_factory=TrainerKeys)
    initial_state: Any = None  # the keys of this and the next ones depend on the option
    recipe: Any = None
    model: Any = None
    replicas: Any = 10
    peepholes: Any = field(default_factory=lambda: [True, False])
    forget_gate: Any = True
    output_activation: Any = "auto"
    fast_dev_run: Any = False


@dataclass
class ExperimentKeys(RunKeys):
    """A run with its tables and figures.

    Attributes:
        title: of the table.
        conditions: a list of tasks, each with values of its own for the keys above where it needs them.
        select: a list of mappings: of `conditions` only those that have the values of one of them; null: all.
        tables: what is printed: a list of names.
        figures: what is drawn: a list of names.
    """

    task: Any = None
    title: Any = ""
    conditions: Any = None
    select: Any = None
    tables: Any = field(default_factory=list)
    figures: Any = field(default_factory=list)


@dataclass
class ReadingsKeys(ExperimentKeys):
    """Readings of the paper side by side.

    Attributes:
        only: some of the readings, as [NAME,NAME]; null: all.
        readings: the overrides of each reading, by its name; cannot be changed.
    """

    only: Any = None
    readings: Any = None


@dataclass
class AllKeys(RunKeys):
    """All scripts one after the other.

    Attributes:
        parts: the scripts; cannot be changed.
    """

    parts: Any = None


@dataclass
class CheckKeys(ScriptKeys):
    """Committed rows, run again.

    Attributes:
        results: a folder of results folders; null: the repository's.
        rows: how many rows are run again.
        most_net_steps: rows that took more are left out.
        seed: of the draw.
    """

    engine: EngineKeys = field(default_factory=EngineKeys)
    results: Any = None
    rows: Any = 40
    most_net_steps: Any = 300_000_000
    seed: Any = 1


@dataclass
class VerdictKeys(ScriptKeys):
    """The verdict on the paper.

    Attributes:
        results: a folder of results folders; null: the repository's.
    """

    results: Any = None


@dataclass
class ReliabilityKeys(ScriptKeys):
    """Committed solved nets, tested again.

    Attributes:
        results: a folder of results folders; null: the repository's. reliability.csv is written beside the rows.
    """

    engine: EngineKeys = field(default_factory=EngineKeys)
    results: Any = None


# Where `--help` finds what the keys of a group mean.
GROUPS: dict[str, type] = {
    "protocol": Protocol,
    "budget": Budget,
    "recipe": BPTT,
    "model": ModelKeys,
    "engine": EngineKeys,
    "trainer": TrainerKeys,
    "task": TaskKeys,
    "initial_state": NamedInitialState,
}

for _name, _keys in (
    ("experiment", ExperimentKeys),
    ("readings", ReadingsKeys),
    ("all", AllKeys),
    ("check", CheckKeys),
    ("verdict", VerdictKeys),
    ("reliability", ReliabilityKeys),
):
    ConfigStore.instance().store(name=f"keys_of_{_name}", node=_keys)
