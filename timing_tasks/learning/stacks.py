"""Where the nets of a population are while an optimiser of torch trains them: in stacks, or at rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from timing_tasks.conditions.condition import Condition
from timing_tasks.conditions.recipe import BPTT
from timing_tasks.learning import optimizers
from timing_tasks.learning.online.population import Population
from timing_tasks.models.nets import Net, create
from timing_tasks.models.stack import Parameters, Single, Stack, joined, runs_alone, side_by_side


class Stacks:
    """The nets of a population, by their positions in it.

    Those that train here stand in stacks (`models.stack`), nets of a kind, with a recipe and with as many updates
    behind them in one. All others are at rest: finished ones, whose weights never move again, and those of other
    processes.

    Args:
        population: the replicas, all of conditions with the recipe `bptt`.
    """

    def __init__(self, population: Population) -> None:
        self.population = population
        self._at_rest: dict[int, list[Tensor]] = {}  # the parameters of each
        self._kept: dict[int, list[dict[str, Any]]] = {}  # what the optimiser keeps of those at rest that will go on
        self._stacks: list[Stack | Single] = []
        self._place: dict[int, tuple[Stack | Single, int]] = {}  # stack and row
        self._optimizer: torch.optim.Optimizer | None = None
        self._due: list[Stack | Single] = []
        self._before: list[list[Tensor]] = []  # what those due were before the present update
        self._wild: set[int] = set()  # of them, what has diverged in it
        self._joined: dict[
            tuple[object, ...], tuple[Parameters, dict[int, int]]
        ] = {}  # those due by kind, for the present weights
        self._kind = [_kind(population.condition_of(index)) for index in range(len(population))]

    def create(self) -> None:
        """Create the nets that are not there; all are at rest then."""
        for index, (stack, row) in self._place.items():
            self._at_rest[index], self._kept[index] = stack.values(row), self.kept(index)
        self._stacks, self._place = [], {}
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
        if index in self._at_rest:
            return self._kept.get(index, [])
        assert self._optimizer is not None
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
        by_recipe: dict[object, list[Stack | Single]] = {}
        for (of, *_), nets in alike.items():
            by_recipe.setdefault(of, []).extend(self._stacks_of(nets))
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

    def _stacks_of(self, nets: Sequence[int]) -> list[Stack | Single]:
        """One of nets that are alike, or one for each where they run by themselves."""
        values = [self._at_rest.pop(index) for index in nets]
        if runs_alone(first := self._created(nets[0])):
            return [Single(self._created(index), index, own) for index, own in zip(nets, values, strict=True)]
        return [Stack(first, nets, values)]

    def _find_places(self) -> None:
        self._place = {index: (stack, row) for stack in self._stacks for row, index in enumerate(stack.members)}

    def make_due(self, updates: Callable[[int], int]) -> list[int]:
        """The nets whose turn it is: those with the fewest updates behind them."""
        behind = [updates(stack.members[0]) for stack in self._stacks]
        fewest = min(behind, default=0)
        self._due = [stack for stack, number in zip(self._stacks, behind, strict=True) if number == fewest]
        self._joined.clear()
        return sorted(index for stack in self._due for index in stack.members)

    def side_by_side(self, nets: Sequence[int], x: Tensor, noise: Tensor | None) -> Tensor:
        """What some of the due nets, all of a kind, put out; see `models.stack.side_by_side`."""
        kind, first = self._kind[nets[0]], self._place[nets[0]][0]
        if isinstance(first, Single):
            return torch.stack([self._place[index][0].template(own) for index, own in zip(nets, x, strict=True)])
        if kind not in self._joined:
            alike = [stack for stack in self._due if self._kind[stack.members[0]] == kind and isinstance(stack, Stack)]
            self._joined[kind] = joined(alike)
        parameters, rows = self._joined[kind]
        return side_by_side(first.template, parameters, [rows[index] for index in nets], x, noise)

    def groups(self, key: Mapping[int, object]) -> Iterator[list[int]]:
        """The nets of a mapping that are of a kind and have the same value there."""
        groups: dict[object, list[int]] = {}
        for index, value in key.items():
            groups.setdefault((self._kind[index], value), []).append(index)
        yield from groups.values()

    def clip(self) -> None:
        """Cut the gradient of each due net down to what its recipe allows, before the update."""
        self._before, self._wild = [], set()
        for stack in self._due:
            gradients = stack.gradients
            self._before.append([tensor.clone() for tensor in stack.learned_rows])
            norms = np.sqrt(np.square(_flat(gradients)).sum(1))
            clip = self.recipe(stack.members[0]).clip
            scales = torch.from_numpy(np.minimum(1.0, (math.inf if clip is None else clip) / np.maximum(norms, 1e-300)))
            for gradient in gradients:
                gradient.mul_(scales.view(-1, *[1] * (gradient.dim() - 1)))
            self._wild |= {stack.members[row] for row in np.flatnonzero(~np.isfinite(norms[: len(stack.members)]))}

    @torch.no_grad()
    def updated(self) -> list[int]:
        """After the update: the nets whose gradient or weights are not finite. They have diverged, and are as before the update."""
        self._joined.clear()
        for stack, before in zip(self._due, self._before, strict=True):
            is_finite = np.isfinite(_flat(stack.learned_rows)).all(1)
            self._wild |= {index for index, is_fine in zip(stack.members, is_finite, strict=False) if not is_fine}
            for row, index in enumerate(stack.members):
                if index in self._wild:
                    for tensor, old in zip(stack.learned_rows, before, strict=True):
                        tensor[row] = old[row]
        return sorted(self._wild)

    def let_go(self, finished: Sequence[int]) -> None:
        """Finished nets leave their stacks."""
        if not finished:
            return
        assert self._optimizer is not None
        leaving = set(finished)
        for index in finished:
            self._at_rest[index] = self.values(index)
        for stack in self._stacks:
            if leaving.intersection(stack.members):
                stack.retain([index for index in stack.members if index not in leaving], self._optimizer)
        self._stacks = [stack for stack in self._stacks if stack.members]
        self._find_places()


def _flat(tensors: Sequence[Tensor]) -> np.ndarray:
    """Tensors of (rows, ...) side by side, (rows, numbers)."""
    flat: np.ndarray = torch.cat([tensor.reshape(tensor.size(0), -1) for tensor in tensors], dim=1).numpy()
    return flat


def _kind(condition: Condition) -> tuple[object, ...]:
    """What nets that can run side by side have in common."""
    recipe, noise = cast(BPTT, condition.recipe), condition.initial_noise
    return condition.output_activation, condition.peepholes, str(condition.model), recipe.truncated, noise
