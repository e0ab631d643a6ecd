"""Any optimiser and scheduler of torch, as a recipe names them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from hydra.utils import instantiate
from torch import nn
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from timing_tasks.conditions.recipe import BPTT
from timing_tasks.errors import ConfigurationError


def make_optimizer(recipes: Sequence[BPTT], parameters: Sequence[Sequence[nn.Parameter]]) -> torch.optim.Optimizer:
    """One optimiser for nets of several recipes, with a parameter group for each.

    Args:
        recipes: they differ in numbers at most (`check`).
        parameters: of the nets of each recipe.

    Raises:
        ConfigurationError: an optimiser that there is not, or arguments that it does not take.
    """
    groups = []
    for recipe, mine in zip(recipes, parameters, strict=True):
        options = {key: value for key, value in recipe.optimizer.items() if key != "_target_"}
        groups.append({"params": list(mine), **options})
    optimizer = _made("optimizer", recipes[0].optimizer, groups)
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise ConfigurationError("recipe.optimizer", recipes[0].optimizer["_target_"], "an optimiser of torch")
    return optimizer


def make_scheduler(recipe: BPTT, optimizer: torch.optim.Optimizer) -> LRScheduler:
    """The scheduler of a recipe that has one.

    Raises:
        ConfigurationError: a scheduler that there is not, or arguments that it does not take.
    """
    assert recipe.scheduler is not None
    scheduler = _made("scheduler", recipe.scheduler, optimizer)
    if not isinstance(scheduler, LRScheduler) or isinstance(scheduler, ReduceLROnPlateau):
        raise ConfigurationError(
            "recipe.scheduler", recipe.scheduler["_target_"], "a scheduler that only counts updates"
        )
    return scheduler


def advance(scheduler: LRScheduler) -> None:
    """A step of a scheduler.

    Raises:
        ConfigurationError: it cannot make one, as one whose steps have all been made.
    """
    try:
        scheduler.step()
    except Exception as error:  # whatever the class says
        raise ConfigurationError(
            "recipe.scheduler", type(scheduler).__name__, f"cannot make a step ({_line(error)})"
        ) from None


def check(recipes: Sequence[BPTT]) -> None:
    """Raise ConfigurationError unless the optimisers and schedulers can be made and keep the nets independent.

    All nets have the same optimiser, but for its numbers, and scheduler. They share parameters, a row for each
    (`models.stack`), so that every number has to be treated by itself.
    """
    for key, kinds in (
        ("optimizer", {(str(recipe.optimizer["_target_"]), *sorted(recipe.optimizer)) for recipe in recipes}),
        ("scheduler", {str(recipe.scheduler) for recipe in recipes}),
    ):
        if len(kinds) > 1:
            raise ConfigurationError(
                f"recipe.{key}", "several", "the same for all tasks, but for the optimiser's numbers"
            )
    ends = []
    for other in ((0.0, 0.0, 0.0), (3.0, 1.0, -2.0)):  # the gradient of the other row, and its values
        parameters = [nn.Parameter(torch.tensor([(1.0, -2.0, 0.5), other], dtype=torch.float64)) for _ in recipes]
        optimizer = make_optimizer(recipes, [[parameter] for parameter in parameters])
        scheduler = make_scheduler(recipes[0], optimizer) if recipes[0].scheduler is not None else None
        _check_finite(optimizer)
        settings = _settings(optimizer)
        for update in (1.0, -0.5, 2.0):
            for parameter in parameters:
                parameter.grad = update * torch.tensor([(1.0, 2.0, 3.0), other], dtype=torch.float64)
            try:
                optimizer.step()
            except Exception as error:  # whatever the class says
                raise ConfigurationError(
                    "recipe.optimizer", _name(recipes), f"cannot make a step ({_line(error)})"
                ) from None
        if _settings(optimizer) != settings:
            raise ConfigurationError("recipe.optimizer", _name(recipes), "one that keeps what it counts by parameter")
        ends.append(torch.stack([parameter.detach()[0] for parameter in parameters]))
        if scheduler is not None:
            advance(scheduler)
            _check_finite(optimizer)
    if not torch.equal(*ends):
        raise ConfigurationError(
            "recipe.optimizer", _name(recipes), "one that treats every number by itself, as Adam does"
        )


def _check_finite(optimizer: torch.optim.Optimizer) -> None:
    for group in optimizer.param_groups:
        for key, value in group.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ConfigurationError(f"recipe.optimizer.{key}", value, "a finite number")


def _settings(optimizer: torch.optim.Optimizer) -> list[str]:
    return [str({key: value for key, value in group.items() if key != "params"}) for group in optimizer.param_groups]


def _name(recipes: Sequence[BPTT]) -> str:
    return str(recipes[0].optimizer["_target_"])


def _line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]


def _made(key: str, config: Any, argument: object) -> object:
    try:
        return instantiate({**config, "_partial_": True})(argument)
    except Exception as error:  # whatever Hydra or the class says
        reason = _line(error.__cause__ or error)
        raise ConfigurationError(f"recipe.{key}", dict(config), f"cannot be made ({reason})") from None
