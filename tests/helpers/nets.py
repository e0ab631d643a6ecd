"""The paper's net in autograd, for tests."""

import copy

import numpy as np
import torch
from torch import Tensor

from timing_tasks.learning.online.population import Population
from timing_tasks.models import PeepholeLSTM, TimingNet
from timing_tasks.tasks import Purpose, stream


def papers_net(
    peepholes: bool = True,
    output_activation: str = "sigmoid",
    truncated: bool = False,
    initial_state: str | None = None,
    **cell: object,
) -> TimingNet:
    """One cell with identity squashing and one output unit, in float64."""
    arguments = {"peepholes": peepholes, "activation": "identity", "truncated": truncated, "dtype": torch.float64}
    layer = PeepholeLSTM(1, 1, batch_first=True, **arguments, **cell)
    return TimingNet(layer, initial_state=initial_state, output_activation=output_activation)


def gradient_vector(net: TimingNet) -> np.ndarray:
    """The gradients in the order of WEIGHT_NAMES, shape [19]; 0 for what the net does not have."""
    twin = copy.deepcopy(net)
    with torch.no_grad():
        for mine, other in zip(twin.parameters(), net.parameters(), strict=True):
            mine.copy_(torch.zeros_like(other) if other.grad is None else other.grad)
    return twin.vector()


def stream_tensors(
    people: Population,
    index: int,
    number: int,
    purpose: Purpose = Purpose.TRAINING,
    test: int = 0,
    periods: int | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """A stream of a replica: inputs, targets and the mask of its targets; (1, T, 1) each."""
    key = int(people.seed[index]), int(people.replica[index])
    shown = stream(people.condition_of(index).task, *key, number, purpose, test, periods)
    x, d, mask = (torch.from_numpy(a).reshape(1, -1, 1) for a in (shown.inputs, shown.targets, shown.has_target))
    return x, d, mask
