"""The columns of CONDITION_RECORD as tensors, one entry a replica."""

from __future__ import annotations

import torch
from torch import Tensor

from timing_tasks.learning.online.population import Population


class Columns:
    """What each replica's condition says, by the names of CONDITION_RECORD; shape [replicas] each.

    Args:
        population: of the replicas.
        device: of the tensors.
    """

    def __init__(self, population: Population, device: torch.device) -> None:
        condition = torch.as_tensor(population.condition, device=device)
        for name in population.records.dtype.names or ():
            setattr(self, name, torch.as_tensor(population.records[name].copy(), device=device)[condition])

    task: Tensor
    min_interval: Tensor
    first_offset: Tensor
    offsets: Tensor
    first_target: Tensor
    peepholes: Tensor
    forget_gate: Tensor
    sigmoid_output: Tensor
    learn_cell_state: Tensor
    learn_cell_output: Tensor
    frozen_weights: Tensor
    update_per_stream: Tensor
    update_without_target: Tensor
    update_when_wrong: Tensor
    momentum_carried_over: Tensor
    training_between_tests: Tensor
    state_carried_over: Tensor
    first_spike_later: Tensor
    input_at_start: Tensor
    centred_logistic: Tensor
    full_gradient: Tensor
    training_periods: Tensor
    test_periods: Tensor
    test_streams: Tensor
    budget_training_streams: Tensor
    budget_net_steps: Tensor
    learning_rate: Tensor
    momentum: Tensor
    tolerance: Tensor
    initial_noise: Tensor
