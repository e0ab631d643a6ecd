"""How a net learns: the online recipe, which the paper describes, and back-propagation through time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from timing_tasks.errors import ConfigurationError, check_number, check_whole

RECIPES = ("online", "bptt")


@dataclass(frozen=True)
class Recipe:
    """A recipe: `online`, the paper's learning rule, which the protocol says all of, or a subclass.

    Attributes:
        name: of the recipe, with what has been changed of it.
    """

    name: str = "online"


ONLINE = Recipe()


@dataclass(frozen=True)
class BPTT(Recipe):
    """Back-propagation through time in mini-batches, as it applies to one task.

    Attributes:
        streams: training streams of a net in a mini-batch; each counts as one training stream.
        periods: at most, of a training stream; the paper's limit holds too.
        optimizer: of torch, as Hydra instantiates it: `_target_` and keyword arguments.
        scheduler: of its learning rate, likewise, stepped after each update; None for none.
        clip: the largest norm that a net's gradient may have; None for any.
        truncated: cut the gradient as the paper does (PAPER.md 2) instead of following it everywhere.
    """

    name: str = "bptt"
    streams: int = 1
    periods: int = 100
    optimizer: Mapping[str, Any] = field(default_factory=lambda: {"_target_": "torch.optim.Adam"})
    scheduler: Mapping[str, Any] | None = None
    clip: float | None = None
    truncated: bool = False

    def __post_init__(self) -> None:
        """Raise ConfigurationError for the first value that cannot be."""
        check_whole("recipe.streams", self.streams, 1, 100_000)
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
