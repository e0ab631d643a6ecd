"""From a Hydra config to conditions: every value is checked here, before anything is made or written."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from timing_tasks.cli import variants
from timing_tasks.conditions.condition import CELL_OUTPUT_ACTIVATIONS, Budget, Condition, Protocol
from timing_tasks.conditions.model import PEEPHOLE_LSTM, Model
from timing_tasks.conditions.recipe import BPTT, Recipe
from timing_tasks.errors import ConfigurationError, check_whole
from timing_tasks.experiment.experiment import Experiment, identity
from timing_tasks.experiment.started import check_started
from timing_tasks.learning.online.engine import available
from timing_tasks.results.description import describe
from timing_tasks.tasks import TASKS, Task
from timing_tasks.tasks.paper import USUAL_TOLERANCE

_NET = ("peepholes", "forget_gate", "output_activation", "initial_state", "recipe", "model")
_READINGS = tuple(field.name for field in fields(Protocol) if field.name != "name")
_STREAM_READINGS = {
    "first_spike_later": ("nmsd", "msd", "gts"),
    "first_phase": ("pfg",),
    "gts_input": ("gts",),
}  # and whose


def experiment(config: DictConfig) -> Experiment:
    """The experiment that a composed config describes.

    Raises:
        ConfigurationError: for the first value that cannot be used.
    """
    values, nets = _values(config), conditions(config)
    check_whole("replicas", values["replicas"], 1, 1_000_000)
    check_whole("seed", values["seed"], 0, 2**32 - 1)
    engine, threads = values["engine"]["name"], values["engine"]["threads"]
    if threads is not None:
        check_whole("engine.threads", threads, 1, 4096)
    trainer = _trainer(values["trainer"], engine, nets)
    _try_out(nets)
    engine = available(engine)  # last: it may warn
    return Experiment(
        name=values["name"],
        title=values["title"],
        conditions=nets,
        replicas=values["replicas"],
        seed=values["seed"],
        engine=engine,
        threads=threads,
        trainer=trainer,
        output=_output(values, nets, engine),
        protocol=nets[0].protocol.name,
        budget=values["budget"]["name"],
    )


def conditions(config: DictConfig) -> tuple[Condition, ...]:
    """The conditions of the experiment that a composed config describes, wherever it is to be run.

    Raises:
        ConfigurationError: for the first value that cannot be used.
    """
    values = _values(config)
    _check_protocol_keys(values["protocol"])
    entries = values["conditions"] if "conditions" in values else [values["task"]]
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigurationError(
            "conditions", entries, "a list of tasks, such as [{name: nmsd, min_interval: 10, offsets: [0,1]}]"
        )
    found = tuple(condition for entry in entries for condition in _conditions(values, entry))
    if len(describe(found)) < len(found):
        raise ConfigurationError("conditions", entries, "each only once")
    return found


def _values(config: DictConfig) -> dict[str, Any]:
    try:
        values: dict[str, Any] = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[assignment]
    except OmegaConfBaseException as error:
        raise ConfigurationError(str(error.full_key or "config"), error.value, str(error).partition("\n")[0]) from None
    return values


def _try_out(conditions: Sequence[Condition]) -> None:
    """Raise ConfigurationError for an optimiser or a module that cannot be made."""
    learners = [condition for condition in conditions if isinstance(condition.recipe, BPTT)]
    if learners:
        from timing_tasks.learning import optimizers
        from timing_tasks.models.build import build_net

        optimizers.check([condition.recipe for condition in learners if isinstance(condition.recipe, BPTT)])
        for condition in learners:
            build_net(condition, 0, 0)


def _trainer(values: Mapping[str, Any], engine: str, conditions: Sequence[Condition]) -> dict[str, Any]:
    """What `lightning.Trainer` is told, with the number of devices."""
    accelerator, devices = values["accelerator"], values["devices"]
    if accelerator not in ("cpu", "gpu"):
        raise ConfigurationError("trainer.accelerator", accelerator, "cpu or gpu")
    if accelerator == "gpu":
        there = torch.cuda.device_count()
        if not there:
            raise ConfigurationError(
                "trainer.accelerator", accelerator, "PyTorch sees no GPU here; cpu works everywhere"
            )
        if engine != "torch":
            raise ConfigurationError("engine", engine, "torch on GPUs")
        devices = there if devices == -1 else devices
        check_whole("trainer.devices", devices, 1, there)
    check_whole("trainer.devices", devices, 1, 4096)
    check_whole("trainer.num_nodes", values["num_nodes"], 1, 4096)
    check_started(devices, values["num_nodes"])
    return {**values, "devices": devices}


def _conditions(values: Mapping[str, Any], entry: Mapping[str, Any]) -> list[Condition]:
    """The nets of one task; what the entry itself says of them goes before what the experiment says."""
    net = {key: entry.get(key, values[key]) for key in _NET}
    states = variants.initial_states(net["initial_state"], values["initial_state"])
    plain = _task({key: value for key, value in entry.items() if key not in _NET})
    protocols = {peepholes: _protocol(values["protocol"], plain, peepholes) for peepholes in (True, False)}
    task = _as_read(plain, protocols[True])  # streams do not depend on the net
    recipes = variants.recipes(net["recipe"], values["recipe"], task)
    models = variants.models(net["model"], values["model"])
    learners = [(recipe, model) for recipe in recipes for model in models if variants.can_train(recipe, model)]
    return [
        Condition(
            task=task,
            protocol=protocols[peepholes]
            if model.name == PEEPHOLE_LSTM.name
            else replace(protocols[peepholes], cell_output_activation="identity"),
            budget=_budget(values["budget"], task, recipe),
            peepholes=peepholes,
            forget_gate=forget_gate,
            output_activation=_output_activation(net["output_activation"], task),
            initial_state=initial_state,
            recipe=recipe,
            model=model,
        )
        for recipe, model in learners or [(recipes[0], models[0])]  # if there is none, the condition says why
        for initial_state in states
        for forget_gate, peepholes in _switches(net, model)
    ]


def _switches(net: Mapping[str, Any], model: Model) -> list[tuple[bool, bool]]:
    """With a forget gate or not, with peepholes or not; for other layers than the paper's there is nothing to switch."""
    both = [
        (forget_gate, peepholes)
        for forget_gate in variants.switch("forget_gate", net["forget_gate"])
        for peepholes in variants.switch("peepholes", net["peepholes"])
    ]
    return both if model.name == PEEPHOLE_LSTM.name else [(True, False)]


def _task(values: dict[str, Any]) -> Task:
    name = values.pop("name", None)
    if name not in TASKS:
        raise ConfigurationError("task", name, f"one of {', '.join(TASKS)}")
    allowed = {"period", "waveform", "tolerance"} if name == "pfg" else {"min_interval", "offsets", "tolerance"}
    for key in values:
        if key not in allowed:
            raise ConfigurationError(f"task.{key}", values[key], f"no such key; there are {', '.join(sorted(allowed))}")
    for key in sorted(allowed - {"tolerance"}):
        if key not in values:
            raise ConfigurationError(f"task.{key}", None, f"needed for {name}")
    values.setdefault("tolerance", USUAL_TOLERANCE[name])
    if name == "pfg":
        return Task(name=name, min_interval=values.pop("period"), **values)
    offsets = values.pop("offsets")
    if not isinstance(offsets, list):
        raise ConfigurationError("task.offsets", offsets, "a list of whole numbers, such as [0,1]")
    return Task(name=name, offsets=tuple(offsets), **values)


def _check_protocol_keys(values: Mapping[str, Any]) -> None:
    for key in values:
        if key not in (*_READINGS, "name", "changed"):
            near = difflib.get_close_matches(key, _READINGS, n=1)
            raise ConfigurationError(
                f"protocol.{key}", values[key], f"no such key; did you mean {near[0]}?" if near else "no such key"
            )


def _protocol(values: Mapping[str, Any], task: Task, peepholes: bool) -> Protocol:
    h = "cell_output_activation"
    readings = {key: variants.by_task(values[key], f"protocol.{key}", task) for key in _READINGS if key != h}
    readings[h] = variants.by_net(values[h], f"protocol.{h}", CELL_OUTPUT_ACTIVATIONS, peepholes)
    for key in (
        *("learning_rate", "momentum", "input_gate_bias", "forget_gate_bias", "output_gate_bias", "error_factor"),
        "initial_weight_range",
    ):
        if isinstance(readings[key], int) and not isinstance(readings[key], bool):
            readings[key] = float(readings[key])
    protocol = Protocol(name=str(values.get("changed") or values["name"]), **readings)
    if task.name == "pfg":
        check_whole("protocol.first_phase", protocol.first_phase, 0, task.min_interval - 1)
    return protocol


def _as_read(task: Task, protocol: Protocol) -> Task:
    """A task whose streams are those of the protocol."""
    return replace(
        task, **{key: getattr(protocol, key) for key, names in _STREAM_READINGS.items() if task.name in names}
    )


def _budget(values: Mapping[str, Any], task: Task, recipe: Recipe) -> Budget:
    """A limit may be one number, one for each recipe, and either may be one for each task."""
    kind = "bptt" if isinstance(recipe, BPTT) else "online"
    for key in values:
        if key not in ("name", "training_streams", "net_steps"):
            raise ConfigurationError(
                f"budget.{key}", values[key], "no such key; there are training_streams and net_steps"
            )
    limits = {key: values[key] for key in ("training_streams", "net_steps")}
    for key, value in limits.items():
        if isinstance(value, dict) and kind in value:
            limits[key] = value[kind]
    return Budget(**{key: variants.by_task(value, f"budget.{key}", task) for key, value in limits.items()})


def _output_activation(value: Any, task: Task) -> str:
    """`auto` is the paper's choice: a sigmoid unless a target is out of its reach (PAPER.md 1)."""
    if value not in ("auto", "sigmoid", "identity"):
        raise ConfigurationError("output_activation", value, "auto, sigmoid or identity")
    if value != "auto":
        return str(value)
    return task.output_activation


def _output(values: Mapping[str, Any], conditions: Sequence[Condition], engine: str) -> Path:
    if values["output"] is not None:
        if not isinstance(values["output"], str) or not values["output"]:
            raise ConfigurationError("output", values["output"], "a folder")
        return Path(values["output"])
    decisive = (
        identity(values["name"], conditions[0].protocol.name, values["seed"], engine),
        list(describe(conditions).values()),
    )
    what = json.dumps(decisive, sort_keys=True)
    name, protocol = str(values["name"]), values["protocol"]["name"]
    return Path("runs") / name / f"{protocol}-{hashlib.sha256(what.encode()).hexdigest()[:8]}"
