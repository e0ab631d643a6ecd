"""Where the nets of a population are while an optimiser of torch trains them: in stacks, or at rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from timing_tasks.condition import Condition
from timing_tasks.learning import optimizers
from timing_tasks.learning.engine import Population
from timing_tasks.models.nets import Net, create
from timing_tasks.models.stack import Parameters, Stack, joined, side_by_side
from timing_tasks.recipe import BPTT


class Stacks:
    """The nets of a population, by their positions in it.

    Those that train here stand in stacks (`models.stack`), nets of a kind, with a recipe and with as many updates behind them in
    one. All others are at rest: finished ones, whose weights never move again, and those of other processes.

    Args:
        population: the replicas, all of conditions with the recipe `bptt`.
    """

    def __init__(self, population: Population) -> None:
        self.population = population
        self._at_rest: dict[int, list[Tensor]] = {}  # the parameters of each
        self._kept: dict[int, list[dict[str, Any]]] = {}  # what the optimiser keeps of those at rest that will go on
        self._stacks: list[Stack] = []
        self._place: dict[int, tuple[Stack, int]] = {}  # stack and row
        self._optimizer: torch.optim.Optimizer | None = None
        self._due: list[Stack] = []
        self._joined: dict[tuple[object, ...], tuple[Parameters, dict[int, int]]] = {}  # those due by kind, for the present weights
        self._kind = [_kind(population.condition_of(index)) for index in range(len(population))]

    def create(self) -> None:
        """Create the nets that are not there."""
        for index in range(len(self.population)):
            if index not in self._at_rest:
                self._at_rest[index] = [parameter.detach() for parameter in self._created(index).parameters()]

    def _created(self, index: int) -> Net:
        people = self.population
        return create(people.condition_of(index), int(people.seed[index]), int(people.replica[index]))

    def recipe(self, index: int) -> BPTT:
        """The recipe of a net."""
        return cast(BPTT, self.population.condition_of(index).recipe)

    def net(self, index: int) -> Net:
        """A copy of a net."""
        net = self._created(index)
        with torch.no_grad():
            for parameter, value in zip(net.parameters(), self.values(index), strict=True):
                parameter.copy_(value)
        return net

    def values(self, index: int) -> list[Tensor]:
        """The parameters of a net."""
        if index in self._at_rest:
            return self._at_rest[index]
        stack, row = self._place[index]
        return stack.values(row)

    def kept(self, index: int) -> list[dict[str, Any]]:
        """What the optimiser keeps of each parameter that a net learns."""
        if index in self._at_rest or self._optimizer is None:
            return self._kept.get(index, [])
        stack, row = self._place[index]
        return stack.optimizer_state(row, self._optimizer)

    def put(self, index: int, values: list[Tensor], kept: list[dict[str, Any]]) -> None:
        """Take a net from elsewhere; it is at rest here."""
        self._at_rest[index], self._kept[index] = values, kept

    def stack_up(self, running: Sequence[int], updates: Callable[[int], int]) -> optimizers.Optimizers:
        """Stacks of these nets, and one optimiser for them with a parameter group for each recipe, and its scheduler.

        Args:
            running: the nets, at least one.
            updates: how many each has behind it.
        """
        alike: dict[tuple[object, ...], list[int]] = {}
        for index in running:
            recipe, state = repr(self.recipe(index)), self.population.condition_of(index).initial_state
            alike.setdefault((recipe, *self._kind[index], state, updates(index)), []).append(index)
        by_recipe: dict[object, list[Stack]] = {}
        for (of, *_), nets in alike.items():
            stack = Stack(self._created(nets[0]), nets, [self._at_rest.pop(index) for index in nets])
            by_recipe.setdefault(of, []).append(stack)
        self._stacks = [stack for group in by_recipe.values() for stack in group]
        self._find_places()
        optimizer, scheduler = optimizers.create(
            [self.recipe(group[0].members[0]) for group in by_recipe.values()],
            [[parameter for stack in group for parameter in stack.learned] for group in by_recipe.values()],
        )
        for stack in self._stacks:
            stack.put_optimizer_state([self._kept.pop(index, []) for index in stack.members], optimizer)
        self._optimizer = optimizer
        return optimizer, scheduler

    def _find_places(self) -> None:
        self._place = {index: (stack, row) for stack in self._stacks for row, index in enumerate(stack.members)}

    def make_due(self, updates: Callable[[int], int]) -> list[int]:
        """The nets whose turn it is: those with the fewest updates behind them."""
        behind = [updates(stack.members[0]) for stack in self._stacks]
        self._due = [stack for stack, number in zip(self._stacks, behind, strict=True) if number == min(behind)]
        self._joined.clear()
        return sorted(index for stack in self._due for index in stack.members)

    def side_by_side(self, nets: Sequence[int], x: Tensor, noise: Tensor | None) -> Tensor:
        """What some of the due nets, all of a kind, put out; see `models.stack.side_by_side`."""
        kind = self._kind[nets[0]]
        if kind not in self._joined:
            self._joined[kind] = joined([stack for stack in self._due if self._kind[stack.members[0]] == kind])
        parameters, rows = self._joined[kind]
        return side_by_side(self._place[nets[0]][0].net, parameters, [rows[index] for index in nets], x, noise)

    def groups(self, key: Mapping[int, object]) -> Iterator[list[int]]:
        """The nets of a mapping that are of a kind and have the same value there."""
        groups: dict[object, list[int]] = {}
        for index, value in key.items():
            groups.setdefault((self._kind[index], value), []).append(index)
        yield from groups.values()

    def clip(self) -> list[int]:
        """Cut the gradient of each due net down to what its recipe allows; which nets have one that is not finite.

        These have diverged. They stay as they are, whatever the update that follows does to their rows.
        """
        diverged = []
        for stack in self._due:
            gradients = [parameter.grad for parameter in stack.learned if parameter.grad is not None]
            norms = np.sqrt(np.square(torch.cat([g.flatten(1) for g in gradients], dim=1).numpy()).sum(1))
            clip = self.recipe(stack.members[0]).clip
            scales = torch.from_numpy(np.minimum(1.0, (math.inf if clip is None else clip) / np.maximum(norms, 1e-300)))
            for gradient in gradients:
                gradient.mul_(scales.view(-1, *[1] * (gradient.dim() - 1)))
            for row in np.flatnonzero(~np.isfinite(norms[: len(stack.members)])).tolist():
                diverged.append(stack.members[row])
                self._at_rest[stack.members[row]] = stack.values(row)
        return diverged

    def updated(self) -> None:
        """The weights have changed."""
        self._joined.clear()

    def let_go(self, finished: Sequence[int]) -> None:
        """Finished nets leave their stacks."""
        assert self._optimizer is not None
        leaving = set(finished)
        for index in finished:
            self._at_rest.setdefault(index, self.values(index))
        for stack in self._stacks:
            if leaving.intersection(stack.members):
                stack.keep([index for index in stack.members if index not in leaving], self._optimizer)
        self._stacks = [stack for stack in self._stacks if stack.members]
        self._find_places()


def _kind(condition: Condition) -> tuple[object, ...]:
    """What nets that can run side by side have in common."""
    recipe, noise = cast(BPTT, condition.recipe), condition.initial_noise
    return condition.output_activation, condition.peepholes, str(condition.model), recipe.truncated, noise
