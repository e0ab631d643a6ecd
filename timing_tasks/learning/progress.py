"""How far nets are that learn by an optimiser of torch, and how a checkpoint stores them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from timing_tasks.learning.trial import Outcome


@dataclass
class Counters:
    """Of each replica; the names and meanings are those of `engine.State`. Tensors of the shape [replicas]."""

    verdict: Tensor
    training_streams: Tensor
    training_size: Tensor
    test_size: Tensor
    net_steps: Tensor
    targets: Tensor
    squared_error: Tensor  # float64, the others int64

    @classmethod
    def blank(cls, count: int) -> Counters:
        """All zeros."""
        real = "squared_error"
        kinds = {field.name: torch.float64 if field.name == real else torch.int64 for field in fields(cls)}
        return cls(**{name: torch.zeros(count, dtype=kind) for name, kind in kinds.items()})

    def take(self, outcomes: Mapping[int, Outcome]) -> None:
        """Count tests of replicas."""
        rows = list(outcomes)
        self.test_size.numpy()[rows] = [outcome.size for outcome in outcomes.values()]
        self.net_steps.numpy()[rows] += [outcome.steps for outcome in outcomes.values()]
        self.targets.numpy()[rows] = [outcome.targets for outcome in outcomes.values()]
        self.squared_error.numpy()[rows] = [outcome.squared_error for outcome in outcomes.values()]

    def row(self, index: int) -> list[float]:
        """The numbers of one replica."""
        return [getattr(self, field.name)[index].item() for field in fields(self)]

    def put_row(self, index: int, numbers: list[float]) -> None:
        """Set the numbers of one replica."""
        for field, number in zip(fields(self), numbers, strict=True):
            getattr(self, field.name)[index] = number

    def root_mean_square_error(self, row: int) -> float:
        """Of a solved replica: over the targets of the test streams that solved it."""
        return float((self.squared_error[row] / self.targets[row]).sqrt())


@dataclass
class StoredNet:
    """A net in a checkpoint.

    Attributes:
        name: what distinguishes the replica from all others.
        parameters: of the net, in their order.
        optimizer: what the optimiser keeps of each parameter that is learned.
        counters: see `Counters.row`.
        seconds: that the net has cost.
    """

    name: str
    parameters: list[Tensor]
    optimizer: list[dict[str, Any]]
    counters: list[float]
    seconds: float

    def as_tree(self) -> list[Any]:
        """Lists, dictionaries, tensors and numbers."""
        return [self.name, self.parameters, self.optimizer, self.counters, self.seconds]

    @classmethod
    def of_tree(cls, tree: list[Any]) -> StoredNet:
        """The inverse of `as_tree`."""
        return cls(*tree)


def packed(tree: Any) -> dict[str, Any]:
    """A tree of lists and dictionaries with its tensors put end to end, for thousands of small ones take seconds to save."""
    tensors: list[Tensor] = []

    def visit(node: Any) -> Any:
        if isinstance(node, Tensor):
            tensors.append(node)
            return {"tensor": len(tensors) - 1}
        if isinstance(node, dict):
            return {"dict": {key: visit(value) for key, value in node.items()}}
        return [visit(value) for value in node] if isinstance(node, list) else node

    without = visit(tree)
    kinds = [str(tensor.dtype) for tensor in tensors]
    ends = {kind: torch.cat([t.flatten() for t in tensors if str(t.dtype) == kind]) for kind in dict.fromkeys(kinds)}
    return {"tree": without, "kinds": kinds, "shapes": [list(tensor.shape) for tensor in tensors], "values": ends}


def unpacked(stored: dict[str, Any]) -> Any:
    """The inverse of `packed`."""
    at = dict.fromkeys(stored["values"], 0)
    tensors = []
    for kind, shape in zip(stored["kinds"], stored["shapes"], strict=True):
        size = torch.Size(shape).numel()
        tensors.append(stored["values"][kind][at[kind] : at[kind] + size].reshape(shape).clone())
        at[kind] += size

    def visit(node: Any) -> Any:
        if isinstance(node, dict):
            return (
                tensors[node["tensor"]]
                if "tensor" in node
                else {key: visit(value) for key, value in node["dict"].items()}
            )
        return [visit(value) for value in node] if isinstance(node, list) else node

    return visit(stored["tree"])
