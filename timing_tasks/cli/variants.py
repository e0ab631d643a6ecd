"""The variants of net and recipe that an entry of a config lists: from values to checked objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from timing_tasks.conditions.initial_state import INITIAL_STATE_NAMES, NamedInitialState
from timing_tasks.conditions.model import MODELS, PEEPHOLE_LSTM, Model
from timing_tasks.conditions.recipe import BPTT, ONLINE, RECIPES, Recipe
from timing_tasks.errors import ConfigurationError
from timing_tasks.tasks import TASKS, Task


def names(key: str, value: Any, known: tuple[str, ...]) -> list[str]:
    """The names of a group's option, or those that an entry lists.

    Raises:
        ConfigurationError: a name that there is not, or none.
    """
    found = value["name"] if isinstance(value, Mapping) else value
    found = found if isinstance(found, list) else [found]
    for name in found or [None]:
        if name not in known:
            raise ConfigurationError(key, name, f"one of {', '.join(known)}")
    return found


def initial_states(value: Any, group: Mapping[str, Any]) -> list[NamedInitialState]:
    """The initial states of an entry, or of the group's option where it has none; arguments are the group's."""
    found = []
    for name in names("initial_state", value, INITIAL_STATE_NAMES):
        if name == "learned" and not isinstance(value, list):
            found.append(NamedInitialState(name, group["cell_state"], group["cell_output"], group["deviation"]))
        elif name == "noisy":
            found.append(NamedInitialState(name, deviation=group["deviation"]))
        else:
            found.append(NamedInitialState.of_text(name))
    if group["deviation"] != 0 and not any(state.name == "noisy" for state in found):
        raise ConfigurationError("initial_state.deviation", group["deviation"], "0 unless the initial state is noisy")
    return found


def switch(key: str, value: Any) -> list[bool]:
    """True, false, or a list of both."""
    values = value if isinstance(value, list) else [value]
    if not values or any(not isinstance(v, bool) for v in values) or len(set(values)) < len(values):
        raise ConfigurationError(key, value, "true, false or [true,false]")
    return values


def by_task(value: Any, key: str, task: Task) -> Any:
    """A value, or the task's own where it is given by task, and there the one of its F where it is given by F."""
    if not isinstance(value, dict):
        return value
    if task.name not in value:
        raise ConfigurationError(key, value, f"a number, or one for each task; {task.name} is missing")
    own = value[task.name]
    if not isinstance(own, dict):
        return own
    if task.min_interval not in own:
        allowed = f"for {task.name} a number, or one for each F; F={task.min_interval} is missing"
        raise ConfigurationError(key, value, allowed)
    return own[task.min_interval]


def by_net(value: Any, key: str, options: tuple[str, ...], peepholes: bool) -> str:
    """An option, or the net's own where it is given by kind of net: `lstm` has no peepholes, `peephole_lstm` has."""
    kinds = {"lstm", "peephole_lstm"}
    given = value if isinstance(value, dict) else dict.fromkeys(kinds, value)
    if set(given) != kinds or any(one not in options for one in given.values()):
        raise ConfigurationError(key, value, f"{' or '.join(options)}, or one for each of lstm and peephole_lstm")
    return str(given["peephole_lstm" if peepholes else "lstm"])


def recipes(value: Any, group: Mapping[str, Any], task: Task) -> list[Recipe]:
    """The recipes of an entry, or of the group's option where it has none, as they apply to a task.

    Args:
        value: names, or the group's option.
        group: the group's option, with what all recipes are made of.
        task: of the entry.
    """
    return [ONLINE if name == ONLINE.name else _bptt(group, task) for name in names("recipe", value, RECIPES)]


def _bptt(group: Mapping[str, Any], task: Task) -> BPTT:
    if "optimizer" not in group:
        raise ConfigurationError("recipe", group["name"], "bptt, or a group that has it, for an entry that names bptt")
    scheduler, changes = group["scheduler"], group.get("changes")
    return BPTT(
        name=f"bptt({changes})" if changes else "bptt",
        streams=by_task(group["streams"], "recipe.streams", task),
        periods=by_task(group["periods"], "recipe.periods", task),
        optimizer=_of_task(group["optimizer"], "recipe.optimizer", task),
        scheduler=scheduler,
        clip=by_task(group["clip"], "recipe.clip", task),
        gate_biases=by_task(group["gate_biases"], "recipe.gate_biases", task),
        truncated=group["truncated"],
    )


def _of_task(values: Any, key: str, task: Task) -> Any:
    """An optimiser's arguments, with the task's own numbers."""
    if not isinstance(values, dict):
        return values
    return {
        name: by_task(value, f"{key}.{name}", task) if isinstance(value, dict) and set(value) <= set(TASKS) else value
        for name, value in values.items()
    }


def models(value: Any, group: Mapping[str, Any]) -> list[Model]:
    """The models of an entry, or of the group's option where it has none; `hidden_size` can be one number for each."""
    sizes = group.get("hidden_size", 0)
    found = []
    for name in names("model", value, MODELS):
        if name == "custom":
            found.append(Model(name, 0, group.get("target", ""), group.get("arguments", {})))
        elif isinstance(sizes, dict) and name not in sizes:
            raise ConfigurationError("model.hidden_size", sizes, f"a number, or one for each model; {name} is missing")
        else:
            found.append(Model(name, sizes[name] if isinstance(sizes, dict) else sizes))
    return found


def can_train(recipe: Recipe, model: Model) -> bool:
    """Whether the recipe knows how to train the model: the online recipe knows the paper's net alone."""
    return isinstance(recipe, BPTT) or model == PEEPHOLE_LSTM
