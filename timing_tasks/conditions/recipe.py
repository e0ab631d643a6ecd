"""How a net learns: the online recipe, which the paper describes, and back-propagation through time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from timing_tasks.errors import ConfigurationError, check_number, check_whole
from timing_tasks.tasks.task import Task

RECIPES = ("online", "bptt")
GATE_BIASES = ("protocol", "interval")
_MANY = 4  # streams in a mini-batch, of tasks that have too many for all of them


@dataclass(frozen=True)
class Recipe:
    """A recipe: `online`, the paper's learning rule, which the protocol says all of, or a subclass.

    Attributes:
        name: of the recipe, and what was changed in it.
    """

    name: str = "online"


ONLINE = Recipe()


@dataclass(frozen=True)
class BPTT(Recipe):
    """Back-propagation through time in mini-batches, as it applies to one task.

    Attributes:
        streams: training streams of a net in a mini-batch, each of which counts as one training stream; or `all`: every
            stream that the task can have, where these are few. A config may say `usual`: all where there are few, else
            4.
        periods: at most, of a training stream; the paper's limit holds too.
        optimizer: of torch, as Hydra instantiates it: `_target_` and keyword arguments.
        scheduler: of its learning rate, with `_target_` and arguments, stepped after each update; None for none.
        clip: the largest norm that a net's gradient may have; None for any.
        truncated: cut the gradient as the paper does (PAPER.md 2) instead of following it everywhere.
        gate_biases: the initial b_i, b_f, b_o: `protocol`, those of the protocol; `interval`: b_f = ln F and b_i = -ln
            F, with which a state lasts for about F steps, and the protocol's b_o. Other layers have biases like these.
    """

    name: str = "bptt"
    streams: int | str = 1
    periods: int = 100
    optimizer: Mapping[str, Any] = field(default_factory=lambda: {"_target_": "torch.optim.Adam"})
    scheduler: Mapping[str, Any] | None = None
    clip: float | None = None
    truncated: bool = False
    gate_biases: str = "protocol"

    def __post_init__(self) -> None:
        """Raise ConfigurationError for the first value that cannot be."""
        if self.streams != "all":
            if isinstance(self.streams, str):
                raise ConfigurationError("recipe.streams", self.streams, "a whole number from 1 to 100000, or all")
            check_whole("recipe.streams", self.streams, 1, 100_000)
        if self.gate_biases not in GATE_BIASES:
            raise ConfigurationError("recipe.gate_biases", self.gate_biases, " or ".join(GATE_BIASES))
        check_whole("recipe.periods", self.periods, 1, 100_000)
        if self.clip is not None:
            check_number("recipe.clip", self.clip, "a number above 0, or null", lambda v: v > 0)
        if not isinstance(self.truncated, bool):
            raise ConfigurationError("recipe.truncated", self.truncated, "true or false")
        for key, value in (("optimizer", self.optimizer), ("scheduler", self.scheduler)):
            if value is None and key == "scheduler":
                continue
            if not isinstance(value, Mapping) or not isinstance(value.get("_target_"), str):
                example = "Adam" if key == "optimizer" else "lr_scheduler.ExponentialLR"
                allowed = f"a mapping with the key _target_, such as {{_target_: torch.optim.{example}}}"
                raise ConfigurationError(f"recipe.{key}", value, allowed)


def usual_streams(task: Task) -> int | str:
    """Streams in a mini-batch where nobody says how many: `all` where there are few, else 4."""
    return "all" if task.training_periods == 1 or not task.is_random else _MANY
