"""Populations and states of engines, for tests."""

import importlib.util

import pytest
import torch

from tests.helpers.conditions import CONDITIONS
from timing_tasks.learning.online.population import Population, State
from timing_tasks.models.weights import WEIGHT_NAMES

needs_native = pytest.mark.skipif(
    importlib.util.find_spec("_timing_tasks_native") is None, reason="installed without a C++ compiler"
)


def population(conditions=CONDITIONS, replicas: int = 3, seed: int = 7) -> Population:
    return Population.of(conditions, [(c, r) for c in range(len(conditions)) for r in range(replicas)], seed)


def assert_same(a: State, b: State, **tolerance: float) -> None:
    for name, tensor in a.tensors().items():
        other = b.tensors()[name]
        if tolerance and tensor.dtype == torch.float64:
            torch.testing.assert_close(tensor, other, msg=lambda text, name=name: f"{name}: {text}", **tolerance)
        else:
            assert torch.equal(tensor, other), name


def busy_weights(state: State) -> None:
    """Weights with which gates, peepholes and outputs all matter: no term of a gradient hides behind another."""
    generator = torch.Generator().manual_seed(1)
    state.weights[:] = torch.randn(state.weights.shape, generator=generator, dtype=torch.float64)
    for name in ("s_0", "y_0"):
        state.weights[:, WEIGHT_NAMES.index(name)] = 0.0


GRADIENT_CONDITIONS = [c for c in CONDITIONS if c.forget_gate]
