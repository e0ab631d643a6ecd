"""Any optimiser and scheduler of torch, as a recipe names them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from hydra.utils import instantiate
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from timing_tasks.errors import ConfigurationError
from timing_tasks.recipe import BPTT

Optimizers = tuple[torch.optim.Optimizer, LRScheduler | None]


def create(recipes: Sequence[BPTT], parameters: Sequence[Sequence[nn.Parameter]]) -> Optimizers:
    """One optimiser for the nets of several conditions, with a parameter group for each, and its scheduler.

    Args:
        recipes: of the conditions; they differ in numbers at most.
        parameters: of the conditions' nets.

    Raises:
        ConfigurationError: an optimiser or scheduler that there is not, or arguments that it does not take.
    """
    groups = []
    for recipe, mine in zip(recipes, parameters, strict=True):
        options = {key: value for key, value in recipe.optimizer.items() if key != "_target_"}
        groups.append({"params": list(mine), **options})
    optimizer = _made("optimizer", recipes[0].optimizer, groups)
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise ConfigurationError("recipe.optimizer", recipes[0].optimizer["_target_"], "an optimiser of torch")
    if recipes[0].scheduler is None:
        return optimizer, None
    scheduler = _made("scheduler", recipes[0].scheduler, optimizer)
    if not isinstance(scheduler, LRScheduler) or isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
        raise ConfigurationError("recipe.scheduler", recipes[0].scheduler["_target_"], "a scheduler that only counts updates")
    return optimizer, scheduler


def check(recipes: Sequence[BPTT]) -> None:
    """Raise ConfigurationError unless the optimiser and the scheduler of some conditions can be made."""
    create(recipes, [[nn.Parameter(torch.zeros(1, dtype=torch.float64))] for _ in recipes])


def _made(key: str, config: Any, argument: object) -> object:
    try:
        return instantiate({**config, "_partial_": True})(argument)
    except Exception as error:  # whatever Hydra or the class says
        reason = str(error.__cause__ or error).strip().partition("\n")[0]
        raise ConfigurationError(f"recipe.{key}", dict(config), f"cannot be made ({reason})") from None
