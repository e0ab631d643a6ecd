"""The nets of a population in training: several architectures side by side, each with an axis of replicas."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from timing_tasks.models.replicas import Chunk, Replicas


class Nets(nn.Module):
    """Nets by their positions.

    Args:
        build: the untrained net of a position.
        kinds: of each net, what nets that can run side by side have in common.
        learners: of each net, what nets that learn alike have in common.
    """

    def __init__(self, build: Callable[[int], nn.Module], kinds: Sequence[object], learners: Sequence[str]) -> None:
        super().__init__()
        self.build = build
        by_kind: dict[object, dict[object, list[int]]] = {}
        nets = [build(position) for position in range(len(kinds))]
        for position, net in enumerate(nets):
            learned = tuple((name, p.requires_grad) for name, p in net.named_parameters())
            alike = by_kind.setdefault(kinds[position], {})
            alike.setdefault((learners[position], learned), []).append(position)
        self.groups: Sequence[Replicas] = nn.ModuleList(  # type: ignore[assignment]
            Replicas([[nets[position] for position in some] for some in alike.values()], list(alike.values()))
            for alike in by_kind.values()
        )
        self.learners = list(learners)
        self._group = {member: group for group in self.groups for member in group.row}

    def forward(self, x: Tensor, nets: Sequence[int], noise: Tensor | None = None) -> Tensor:
        """The outputs of some nets of one kind, see `Replicas.forward`."""
        outputs: Tensor = self._group[nets[0]](x, nets, noise)
        return outputs

    def forget(self) -> None:
        """Call this when parameters have changed."""
        for group in self.groups:
            group.forget()

    def by_learner(self) -> dict[str, list[nn.Parameter]]:
        """The parameters that are learned, by what learns them."""
        found: dict[str, list[nn.Parameter]] = {}
        for chunk, members in self._chunks():
            found.setdefault(self.learners[members[0]], []).extend(chunk.learned)
        return found

    def net(self, position: int) -> nn.Module:
        """A copy of a net."""
        net = self.build(position)
        chunk, row = self._place(position)
        with torch.no_grad():
            for parameter, value in zip(net.parameters(), chunk.rows_of(list(chunk.values)), strict=True):
                parameter.copy_(value[row])
        return net

    def _chunks(self) -> list[tuple[Chunk, list[int]]]:
        return [pair for group in self.groups for pair in zip(group.chunks, group.members, strict=True)]

    def _place(self, position: int) -> tuple[Chunk, int]:
        group = self._group[position]
        number, row = group.place[position]
        return group.chunks[number], row

    @torch.no_grad()
    def clip(self, limits: Sequence[float | None]) -> None:
        """Cut the gradient of each net down to the norm that it may have; one that is not finite stays so."""
        for chunk, members in self._chunks():
            gradients = chunk.rows_of([p.grad for p in chunk.learned if p.grad is not None])
            limit = limits[members[0]]
            if limit is None or not gradients:
                continue
            flat = torch.cat([g.reshape(g.size(0), -1) for g in gradients], dim=1).cpu().numpy()
            norms = np.sqrt(np.square(flat).sum(1))
            scales = np.where(np.isfinite(norms), np.minimum(1.0, limit / np.maximum(norms, 1e-300)), math.nan)
            for gradient in gradients:
                factor = torch.from_numpy(scales).to(gradient)
                gradient.mul_(factor.view(-1, *[1] * (gradient.dim() - 1)))

    def copy(self) -> list[list[Tensor]]:
        """The learned parameters, for `settle`."""
        return [[value.clone() for value in chunk.rows_of(chunk.learned)] for chunk, _ in self._chunks()]

    @torch.no_grad()
    def settle(self, before: list[list[Tensor]], moving: Sequence[int]) -> list[int]:
        """After an update: all nets but those that are `moving` are as `before`, whatever the optimiser did to them.

        Returns:
            The moving nets whose weights are not finite; they are as before, too.
        """
        self.forget()
        wanted, wild = set(moving), []
        for (chunk, members), old in zip(self._chunks(), before, strict=True):
            values = chunk.rows_of(chunk.learned)
            finite = torch.cat([v.reshape(v.size(0), -1) for v in values], dim=1).isfinite().all(1).tolist()
            wild += [
                member for member, is_finite in zip(members, finite, strict=False) if member in wanted and not is_finite
            ]
            moves = [member in wanted and is_finite for member, is_finite in zip(members, finite, strict=False)]
            if all(moves) and len(moves) == len(finite):
                continue
            still = torch.tensor([*(not moved for moved in moves), *[True] * (len(finite) - len(moves))])
            for value, was in zip(values, old, strict=True):
                value.copy_(torch.where(still.to(value.device).view(-1, *[1] * (value.dim() - 1)), was, value))
        return wild

    def part(self, positions: Sequence[int], optimizer: torch.optim.Optimizer) -> list[Any]:
        """The weights of some nets and what the optimiser keeps of each, for `put_part` in another process."""
        return [
            [[t[rows].cpu() for t in tensors] for tensors in self._tensors(chunk, optimizer)]
            for chunk, rows in self._rows(positions)
        ]

    @torch.no_grad()
    def put_part(self, positions: Sequence[int], part: list[Any], optimizer: torch.optim.Optimizer) -> None:
        """The inverse of `part`."""
        self.forget()
        for (chunk, rows), stored in zip(self._rows(positions), part, strict=True):
            for tensors, values in zip(self._tensors(chunk, optimizer), stored, strict=True):
                for tensor, value in zip(tensors, values, strict=True):
                    tensor[rows] = value.to(tensor.device)

    def _rows(self, positions: Sequence[int]) -> list[tuple[Chunk, list[int]]]:
        wanted = set(positions)
        return [(chunk, [r for r, member in enumerate(some) if member in wanted]) for chunk, some in self._chunks()]

    def _tensors(self, chunk: Chunk, optimizer: torch.optim.Optimizer) -> list[list[Tensor]]:
        """Of each learned parameter: itself, and what the optimiser keeps of it number by number; (rows, ...) each."""
        return [
            chunk.rows_of(
                [p, *(v for v in optimizer.state[p].values() if isinstance(v, Tensor) and v.shape == p.shape)]
            )
            for p in chunk.learned
        ]
