"""How far nets are that learn by an optimiser of torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass
class Counters:
    """Of each replica; the names and meanings are those of `online.population.State`. Tensors of shape [replicas]."""

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

    def tensors(self) -> dict[str, Tensor]:
        """The fields by name; the tensors are those of the counters."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def start_test(self, rows: Sequence[int]) -> None:
        """Some replicas are going to be tested."""
        for name in ("targets", "squared_error", "test_size"):
            getattr(self, name).numpy()[list(rows)] = 0

    def count_tests(
        self, rows: Sequence[int], is_whole: Tensor, steps: Tensor, size: Tensor, targets: Tensor, squared_error: Tensor
    ) -> None:
        """Count a test stream of each of some replicas (see `Judgement`); its errors only if it is right throughout."""
        index = torch.tensor(rows, dtype=torch.int64)
        self.test_size[index] = size.cpu()
        self.net_steps[index] += steps.cpu()
        self.targets[index] += torch.where(is_whole, targets, 0).cpu()
        self.squared_error[index] += torch.where(is_whole, squared_error, 0.0).cpu()

    def root_mean_square_error(self, row: int) -> float:
        """Of a solved replica: over the targets of the test streams that solved it."""
        return float((self.squared_error[row] / self.targets[row]).sqrt())
