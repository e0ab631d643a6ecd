"""The derivatives of a learned initial state, so far in the native engine alone."""

import pytest
import torch

from tests.conftest import make_condition
from tests.learning.test_engines import GRADIENT_CONDITIONS, busy_weights, needs_native, population
from timing_tasks.condition import Condition
from timing_tasks.data import TimingDataModule
from timing_tasks.learning.engine import Population, State, create
from timing_tasks.models.timing_network import WEIGHT_NAMES
from timing_tasks.tasks import Task


@needs_native
@pytest.mark.parametrize("condition", GRADIENT_CONDITIONS, ids=str)
def test_the_native_engines_gradient_of_a_learned_initial_state_is_autograds(condition: Condition):
    # PAPER.md 2, "Learned initial state": exact at the first step, but that nothing flows through a peephole of the new state;
    # truncated from then on. No configuration leads there yet.
    task = Task(condition.task.name, condition.task.min_interval, condition.task.offsets, condition.task.waveform, 1e6)
    net = {"peepholes": condition.peepholes, "output_activation": condition.output_activation}
    people = population([make_condition(task, learning_rate=1.0, frozen_weights=True, **net)])
    for name in ("momentum", "learn_cell_state", "learn_cell_output"):
        people.records[name] = 1
    state = State.initial(people)
    busy_weights(state)
    state.weights[:, [WEIGHT_NAMES.index(name) for name in ("s_0", "y_0")]] = torch.tensor([0.7, -0.4], dtype=torch.float64)
    before = state.weights.clone()
    data, native = TimingDataModule(people), create("native", threads=1)
    for r in range(len(people)):
        x, d, mask = (t.flatten() for t in data.stream(r, 0))
        alone = Population.of(people.conditions, [(0, r)], 7)
        alone.records[:] = people.records
        of_one = State(**{name: tensor[[r]].clone() for name, tensor in state.tensors().items()})
        native.run(alone, of_one, len(x))
        assert of_one.training_streams.tolist() == [1]
        vector = before[r].clone().requires_grad_()
        w = dict(zip(WEIGHT_NAMES, vector, strict=True))
        s, y, loss = w["s_0"], w["y_0"], torch.zeros((), dtype=torch.float64)
        for t in range(len(x)):
            s_seen, y_seen = (s, y) if t == 0 else (s.detach(), y.detach())
            s_seen = s_seen if condition.peepholes else torch.zeros_like(s_seen)
            i = torch.sigmoid(w["w_ix"] * x[t] + w["w_ih"] * y_seen + w["b_i"] + w["p_i"] * s_seen)
            f = torch.sigmoid(w["w_fx"] * x[t] + w["w_fh"] * y_seen + w["b_f"] + w["p_f"] * s_seen)
            s = f * s + i * (w["w_cx"] * x[t] + w["w_ch"] * y_seen + w["b_c"])
            s_new = s.detach() if condition.peepholes else torch.zeros_like(s)
            o = torch.sigmoid(w["w_ox"] * x[t] + w["w_oh"] * y_seen + w["b_o"] + w["p_o"] * s_new)
            y = o * s
            z = w["w_kh"] * y + w["b_k"]
            z = torch.sigmoid(z) if condition.output_activation == "sigmoid" else z
            loss = loss + 0.5 * (d[t] - z) ** 2 * mask[t]
        loss.backward()
        torch.testing.assert_close(of_one.deltas[0], -vector.grad, rtol=1e-9, atol=1e-12)
