"""From a composed config to an experiment: every value is checked here, before anything is made or written."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from timing_tasks.cli.schema import FIGURES, TABLES
from timing_tasks.conditions.condition import CELL_OUTPUT_ACTIVATIONS, Budget, Condition, Protocol
from timing_tasks.conditions.initial_state import INITIAL_STATE_NAMES, ZERO, NamedInitialState
from timing_tasks.conditions.model import CELL_NAMES, MODELS, PEEPHOLE_LSTM, Model
from timing_tasks.conditions.recipe import BPTT, ONLINE, RECIPES, Recipe, usual_streams
from timing_tasks.errors import ConfigurationError, check_whole
from timing_tasks.experiment.experiment import Experiment, identity
from timing_tasks.experiment.started import check_started
from timing_tasks.learning.online.engine import available
from timing_tasks.results.description import describe
from timing_tasks.tasks.paper import PFG, TASKS
from timing_tasks.tasks.suites import SUITES
from timing_tasks.tasks.task import Task, task_class, task_names, usual_tolerance

_NET = ("peepholes", "forget_gate", "output_activation", "initial_state", "recipe", "model")
_INTERVALS = ("min_interval", "offsets")  # the keys of every task but one
_TASK_KEYS = {"pfg": ("period", "waveform")}
_STREAM_READINGS = {  # and whose
    "first_spike_later": ("nmsd", "msd", "gts"),
    "first_phase": ("pfg",),
    "gts_input": ("gts",),
}
_T = TypeVar("_T")


def experiment(config: DictConfig) -> Experiment:
    """The experiment that a composed config describes.

    Raises:
        ConfigurationError: for the first value that cannot be used.
    """
    values, nets = _values(config), conditions(config)
    for key, known in (("tables", TABLES), ("figures", FIGURES)):
        if not isinstance(values[key], list) or any(name not in known for name in values[key]):
            raise ConfigurationError(key, values[key], f"a list of {', '.join(known)}")
    if not isinstance(values["title"], str):
        raise ConfigurationError("title", values["title"], "a text")
    replicas, seed = whole("replicas", values["replicas"], 1, 10**6), whole("seed", values["seed"], 0, 2**32 - 1)
    engine, threads = values["engine"]["name"], values["engine"]["threads"]
    threads = None if threads is None else whole("engine.threads", threads, 1, 4096)
    trainer = _trainer(values["trainer"], engine, nets)
    _try_out(nets)
    engine = available(engine)  # last: it may warn
    return Experiment(
        name=values["name"],
        title=values["title"],
        conditions=nets,
        replicas=replicas,
        seed=seed,
        engine=engine,
        threads=threads,
        trainer=trainer,
        output=_output(values, nets, seed, engine),
        protocol=nets[0].protocol.name,
        budget=values["budget"]["name"],
        max_seconds=_max_seconds(values["trainer"]["max_time"]),
    )


def whole(key: str, value: Any, least: int, most: int) -> int:
    """A whole number, which may be written as 1e6.

    Raises:
        ConfigurationError: it is none, or out of range.
    """
    found: int = _as(int, value)
    check_whole(key, found, least, most)
    return found


def _as(kind: type, value: Any) -> Any:
    """A number that may be written as if it were of the other kind: 1e6 for a whole number, 1 for a float."""
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    return float(value) if kind is float and type(value) is int and abs(value) < 2**53 else value


def _checked(kind: type[_T], values: Mapping[str, Any]) -> _T:
    """Checked data of a kind, which is a dataclass, with those of the values that it has fields for."""
    kinds = {"int": int, "int | str": int, "float": float, "float | None": float}
    own = [one for one in fields(kind) if one.name in values]  # type: ignore[arg-type]
    return kind(**{one.name: _as(kinds.get(str(one.type), str), values[one.name]) for one in own})


def conditions(config: DictConfig) -> tuple[Condition, ...]:
    """The conditions of the experiment that a composed config describes, wherever it is to be run.

    Raises:
        ConfigurationError: for the first value that cannot be used.
    """
    values = _values(config)
    entries = [values["task"]] if values["conditions"] is None else values["conditions"]
    if isinstance(entries, str):
        entries = [_entry(task) for task in SUITES.get(entries, ())]
    if not _are_mappings(entries):
        raise ConfigurationError(
            "conditions", entries, "a list of tasks, such as [{name: nmsd, min_interval: 10, offsets: [0,1]}]"
        )
    if (select := values["select"]) is not None:
        any_of = select if _are_mappings(select) else []
        entries = [entry for entry in entries if any(one.items() <= entry.items() for one in any_of)]
        if not entries:
            raise ConfigurationError("select", select, "a list of what some conditions have, such as [{name: nmsd}]")
    found = tuple(condition for entry in entries for condition in _conditions(values, entry))
    if len(describe(found)) < len(found):
        raise ConfigurationError("conditions", entries, "each only once")
    return found


def _are_mappings(values: Any) -> bool:
    return isinstance(values, list) and bool(values) and all(isinstance(value, dict) for value in values)


def _values(config: DictConfig) -> dict[str, Any]:
    try:
        values: dict[str, Any] = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[assignment]
    except OmegaConfBaseException as error:
        raise ConfigurationError(str(error.full_key or "config"), error.value, str(error).partition("\n")[0]) from None
    return values


def _conditions(values: Mapping[str, Any], entry: Mapping[str, Any]) -> list[Condition]:
    """The nets of one task; what the entry itself says of them goes before what the experiment says."""
    net = {key: entry.get(key, values[key]) for key in _NET}
    phases = entry.get("first_phase")
    if isinstance(phases, list):
        return [one for phase in phases for one in _conditions(values, {**entry, "first_phase": phase})]
    own = (*_NET, "first_phase") if entry.get("name") == "pfg" else _NET
    plain = _task({key: value for key, value in entry.items() if key not in own})
    groups = {key: _of_task(values[key], plain, key) for key in ("protocol", "budget", "recipe", "initial_state")}
    states = _initial_states(net["initial_state"], groups["initial_state"])
    reading = groups["protocol"] if phases is None else {**groups["protocol"], "first_phase": phases}
    protocols = {peepholes: _protocol(reading, plain, peepholes) for peepholes in (True, False)}
    protocol = protocols[True]  # streams, which are the protocol's, do not depend on the net
    task = replace(plain, **{k: getattr(protocol, k) for k, names in _STREAM_READINGS.items() if plain.name in names})
    recipes = _names("recipe", net["recipe"], RECIPES)
    models = [one for name in _names("model", net["model"], MODELS) for one in _models(name, values["model"])]
    # The online recipe knows the paper's net alone.
    learners = [
        (_recipe(name, _of_cell(groups["recipe"], model), plain), model)
        for name in recipes
        for model in models
        if name != ONLINE.name or model == PEEPHOLE_LSTM
    ]
    if not learners:
        raise ConfigurationError(
            "model", str(models[0]), f"recipe=online trains {PEEPHOLE_LSTM}, the paper's net, alone; add recipe=bptt"
        )
    return [
        Condition(
            task=task,
            protocol=protocols[peepholes]
            if model.name == PEEPHOLE_LSTM.name
            else replace(protocols[peepholes], cell_output_activation="identity"),
            budget=_budget(groups["budget"], recipe),
            peepholes=peepholes,
            forget_gate=forget_gate,
            output_activation=_output_activation(net["output_activation"], task),
            initial_state=initial_state,
            recipe=recipe,
            model=model,
        )
        for recipe, model in learners
        for initial_state in _states_of(model, states)
        for forget_gate, peepholes in _switches(net, model)
    ]


def _states_of(model: Model, states: list[NamedInitialState]) -> list[NamedInitialState]:
    """Those of a list that a cell can start from; a single one that it cannot is refused later on."""
    possible = [state for state in states if model.can_start_from(state)]
    return possible if model.name == "cell" and possible else states


def _of_cell(value: Any, model: Model) -> Any:
    """A value, or what is in it, or the cell's own where it is given by cell, or by cell and number of weights."""
    if not isinstance(value, dict):
        return value
    if not value or not set(value) <= set(CELL_NAMES):
        return {name: _of_cell(held, model) for name, held in value.items()}
    own, weights = value.get(model.target), model.arguments.get("weights")
    if isinstance(own, dict):
        own = own.get(weights)
    if own is None:
        raise ConfigurationError("recipe", value, f"a number, or one for each cell and size; {model} is missing")
    return own


def _entry(task: Task) -> dict[str, Any]:
    """A task as a list of conditions has it."""
    keys = _TASK_KEYS.get(task.name, _INTERVALS)
    held = {"period": task.min_interval, "offsets": list(task.offsets)}
    return {"name": task.name, "tolerance": task.tolerance} | {k: held.get(k, getattr(task, k, None)) for k in keys}


def _of_task(value: Any, task: Task, key: str) -> Any:
    """A value, or what is in it, or the task's own where it is given by task, and there that of its F if given by F."""
    if not isinstance(value, dict):
        return value
    if not value or not set(value) <= set(TASKS):
        return {name: _of_task(held, task, f"{key}.{name}") for name, held in value.items()}
    if task.name not in value:
        raise ConfigurationError(key, value, f"a number, or one for each task; {task.name} is missing")
    own = value[task.name]
    if isinstance(own, dict) and task.min_interval not in own:
        allowed = f"for {task.name} a number, or one for each F; F={task.min_interval} is missing"
        raise ConfigurationError(key, value, allowed)
    return own[task.min_interval] if isinstance(own, dict) else own


def _protocol(values: Mapping[str, Any], task: Task, peepholes: bool) -> Protocol:
    """The protocol for a task and a kind of net: h may differ between `lstm` (no peepholes) and `peephole_lstm`."""
    h, kinds = values["cell_output_activation"], {"lstm", "peephole_lstm"}
    given = h if isinstance(h, dict) else dict.fromkeys(kinds, h)
    if set(given) != kinds or any(one not in CELL_OUTPUT_ACTIVATIONS for one in given.values()):
        allowed = f"{' or '.join(CELL_OUTPUT_ACTIVATIONS)}, or one for each of lstm and peephole_lstm"
        raise ConfigurationError("protocol.cell_output_activation", h, allowed)
    own = {**_with_changes(values), "cell_output_activation": given["peephole_lstm" if peepholes else "lstm"]}
    protocol = _checked(Protocol, own)
    if task.name == "pfg":
        check_whole("protocol.first_phase", protocol.first_phase, 0, task.min_interval - 1)
    return protocol


def _with_changes(group: Mapping[str, Any]) -> dict[str, Any]:
    changes = group.get("changes")
    return {**group, "name": f"{group['name']}({changes})" if changes else group["name"]}


def _names(key: str, value: Any, known: tuple[str, ...]) -> list[str]:
    """The names of a group's option, or those that an entry lists."""
    found = value["name"] if isinstance(value, Mapping) else value
    found = found if isinstance(found, list) else [found]
    for name in found or [None]:
        if name not in known:
            raise ConfigurationError(key, name, f"one of {', '.join(known)}")
    return found


def _initial_states(value: Any, group: Mapping[str, Any]) -> list[NamedInitialState]:
    """The initial states of an entry, or of the group's option where it has none; arguments are the group's."""
    found = []
    texts = value["name"] if isinstance(value, Mapping) else value
    texts = texts if isinstance(texts, list) and texts else [texts]
    for text in texts:
        [name] = _names("initial_state", str(text).partition(" ")[0], INITIAL_STATE_NAMES)
        if name != text:  # it says its deviation itself, as `fixed 0.3` does
            found.append(NamedInitialState.of_text(str(text)))
        elif name in ("noisy", "fixed") or (name == "learned" and not isinstance(value, list)):
            found.append(_checked(NamedInitialState, {**group, "name": name}))
        else:
            found.append(NamedInitialState.of_text(name))
    if group["deviation"] != 0 and not any(state.deviation for state in found):
        allowed = "0 unless the initial state is noisy or fixed"
        raise ConfigurationError("initial_state.deviation", group["deviation"], allowed)
    return found


def _switches(net: Mapping[str, Any], model: Model) -> list[tuple[bool, bool]]:
    """With or without a forget gate and peepholes; only the paper's layer has these switches."""
    both = []
    for key in ("forget_gate", "peepholes"):
        values = net[key] if isinstance(net[key], list) else [net[key]]
        if not values or any(not isinstance(v, bool) for v in values) or len(set(values)) < len(values):
            raise ConfigurationError(key, net[key], "true, false or [true,false]")
        both.append(values)
    return list(itertools.product(*both)) if model.name == PEEPHOLE_LSTM.name else [(True, False)]


def _task(values: dict[str, Any]) -> Task:
    name = values.get("name")
    if not isinstance(name, str) or name not in task_names():
        raise ConfigurationError("task", name, f"one of {', '.join(task_names())}")
    keys = _TASK_KEYS.get(name, _INTERVALS)
    for key in values:
        if key not in ("name", "tolerance", *keys):
            raise ConfigurationError(f"task.{key}", values[key], f"no such key; there are {', '.join(keys)}, tolerance")
    for key in keys:
        if key not in values:
            raise ConfigurationError(f"task.{key}", None, f"needed for {name}")
    offsets = values.get("offsets", [])
    if not isinstance(offsets, list):
        raise ConfigurationError("task.offsets", offsets, "a list of whole numbers, such as [0,1]")
    usual = {"tolerance": usual_tolerance(name), "min_interval": values.get("period")}
    task: Task = _checked(task_class(name), {**usual, **values, "offsets": tuple(offsets)})
    return task


def _recipe(name: str, group: Mapping[str, Any], task: Task) -> Recipe:
    if name == ONLINE.name:
        return ONLINE
    if "optimizer" not in group:
        raise ConfigurationError("recipe", group["name"], "bptt, or a group that has it, for an entry that names bptt")
    streams = usual_streams(task) if group["streams"] == "usual" else group["streams"]
    return _checked(BPTT, _with_changes({**group, "name": name, "streams": streams}))


def _budget(values: Mapping[str, Any], recipe: Recipe) -> Budget:
    """A limit may be one number, or one for each recipe."""
    kind = "bptt" if isinstance(recipe, BPTT) else "online"
    return _checked(Budget, {k: v[kind] if isinstance(v, dict) and kind in v else v for k, v in values.items()})


def _models(name: str, group: Mapping[str, Any]) -> list[Model]:
    """The models of a name; `hidden_size` can be one number for each, `cells` and `weights` are lists."""
    if name == "cell":
        cells, weights = (group.get(key) for key in ("cells", "weights"))
        if not isinstance(cells, list) or not cells:
            raise ConfigurationError("model.cells", cells, f"a list of {', '.join(CELL_NAMES)}")
        if not isinstance(weights, list) or not weights:
            raise ConfigurationError("model.weights", weights, "a list of whole numbers, such as [20,200]")
        return [Model("cell", 0, cell, {"weights": count}) for count in weights for cell in cells]
    size = group.get("hidden_size", 0)
    if isinstance(size, dict) and name != "custom":
        if name not in size:
            raise ConfigurationError("model.hidden_size", size, f"a number, or one for each model; {name} is missing")
        size = size[name]
    return [_checked(Model, {**group, "name": name, "hidden_size": 0 if name == "custom" else size})]


def _output_activation(value: Any, task: Task) -> str:
    """`auto` is the paper's choice: a sigmoid unless a target is out of its reach (PAPER.md 1)."""
    if value not in ("auto", "sigmoid", "identity"):
        raise ConfigurationError("output_activation", value, "auto, sigmoid or identity")
    if value != "auto":
        return str(value)
    return task.output_activation


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
    """The arguments of `lightning.Trainer`, with the number of devices."""
    accelerator, devices = values["accelerator"], values["devices"]
    if accelerator not in ("cpu", "gpu"):
        raise ConfigurationError("trainer.accelerator", accelerator, "cpu or gpu")
    most = 4096
    if accelerator == "gpu":
        import torch

        most = torch.cuda.device_count()
        if not most:
            raise ConfigurationError(
                "trainer.accelerator", accelerator, "PyTorch sees no GPU here; cpu works everywhere"
            )
        if engine != "torch":
            raise ConfigurationError("engine", engine, "torch on GPUs")
        devices = most if devices == -1 else devices
    devices = whole("trainer.devices", devices, 1, most)
    machines = whole("trainer.num_nodes", values["num_nodes"], 1, 4096)
    check_started(devices, machines)
    return {"accelerator": accelerator, "devices": devices, "num_nodes": machines}


def _max_seconds(max_time: Any) -> float | None:
    """From Lightning's way to write a time."""
    if max_time is None:
        return None
    found = re.fullmatch(r"(\d+):(\d\d):(\d\d):(\d\d)", str(max_time))
    if not found:
        raise ConfigurationError("trainer.max_time", max_time, "days, hours, minutes and seconds, as in 00:00:10:00")
    days, hours, minutes, seconds = map(int, found.groups())
    return 60.0 * (60 * (24 * days + hours) + minutes) + seconds


def _output(values: Mapping[str, Any], conditions: Sequence[Condition], seed: int, engine: str) -> Path:
    if values["output"] is not None:
        if not isinstance(values["output"], str) or not values["output"]:
            raise ConfigurationError("output", values["output"], "a folder")
        return Path(values["output"])
    decisive = (
        identity(values["name"], conditions[0].protocol.name, seed, engine),
        list(describe(conditions).values()),
    )
    digits = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:8]
    what = [values["protocol"]["name"], *_in_common(conditions), values["protocol"].get("changes") or "", digits]
    folder = "-".join(part for part in what if part)
    return Path("runs") / str(values["name"]) / re.sub(r"[^\w.,=+-]", "_", folder)


def _in_common(conditions: Sequence[Condition]) -> list[str]:
    """What a folder's name says where it is the same for all conditions: task, unusual initial state, recipe."""
    tasks = {
        f"{c.task.name}-{c.task.waveform if isinstance(c.task, PFG) else 'F'}{c.task.min_interval}" for c in conditions
    }
    states = {"" if c.initial_state == ZERO else c.columns["initial_state"] for c in conditions}
    recipes = {"" if c.recipe == ONLINE else c.recipe.name for c in conditions}
    return [name for names in (tasks, states, recipes) if len(names) == 1 for name in names]
