"""The readings of a protocol: each engine against the learning rule written once more, net by net, with autograd."""

import math

import numpy as np
import pytest
import torch

from tests.helpers.conditions import CONDITIONS, READINGS, make_condition
from tests.helpers.engines import assert_same, busy_weights, needs_native, population
from timing_tasks.conditions.condition import Condition
from timing_tasks.learning.online.engine import Engine, create
from timing_tasks.learning.online.population import State, Verdict
from timing_tasks.models.weights import WEIGHT_NAMES
from timing_tasks.tasks import Purpose, Task, is_correct, stream


def forward(condition: Condition, w: dict[str, torch.Tensor], s: torch.Tensor, y: torch.Tensor, x: float):
    """One step of PAPER.md 1, of whose gradients only those of PAPER.md 2 are left: s, y of the step before are cut off."""
    seen = s.detach() if condition.peepholes else torch.zeros(())
    y = y.detach()
    i = torch.sigmoid(w["w_ix"] * x + w["w_ih"] * y + w["b_i"] + w["p_i"] * seen)
    f = torch.sigmoid(w["w_fx"] * x + w["w_fh"] * y + w["b_f"] + w["p_f"] * seen)
    g = w["w_cx"] * x + w["w_ch"] * y + w["b_c"]
    s = f * s + i * g
    o = torch.sigmoid(
        w["w_ox"] * x + w["w_oh"] * y + w["b_o"] + w["p_o"] * (s.detach() if condition.peepholes else 0.0)
    )
    y = o * s
    z = w["w_kh"] * y + w["b_k"]
    return s, y, torch.sigmoid(z) if condition.output_activation == "sigmoid" else z


def train(
    condition: Condition, weights: np.ndarray, replica: int, streams: int, seed: int = 7
) -> tuple[np.ndarray, list[int]]:
    """The weights after a number of training streams, and the steps of each stream.

    Each step has leaves of its own with the weights' values at that time; the gradient of a step's error is summed over
    the leaves of all steps so far, which is what the traces of real-time recurrent learning stand for.
    """
    protocol = condition.protocol
    weights, delta, lengths = weights.copy(), np.zeros(len(weights)), []
    for number in range(streams):
        if not protocol.momentum_carried_over:
            delta[:] = 0.0
        summed = np.zeros(len(weights))
        shown = stream(condition.task, seed, replica, number)
        leaves: list[torch.Tensor] = []
        s = y = torch.zeros((), dtype=torch.float64)
        steps = 0
        for x, d, has_target in zip(
            shown.inputs.tolist(), shown.targets.tolist(), shown.has_target.tolist(), strict=True
        ):
            leaf = torch.tensor(weights, requires_grad=True)
            leaves.append(leaf)
            s, y, z = forward(condition, dict(zip(WEIGHT_NAMES, leaf.unbind(), strict=True)), s, y, x)
            steps += 1
            right, gradient = True, np.zeros(len(weights))
            if has_target:
                right = bool(is_correct(np.array(d), z.detach().numpy(), condition.task.tolerance))
                error = protocol.error_factor * (d - z) ** 2
                parts = torch.autograd.grad(error, leaves, retain_graph=True)
                gradient = torch.stack(parts).sum(0).numpy()
            learns = right or protocol.update_when_wrong
            if protocol.update == "stream":
                summed += gradient if learns else 0.0
            elif learns and (has_target or protocol.update_without_target):
                delta = protocol.momentum * delta - protocol.learning_rate * gradient
                weights = weights + delta
            if not right:
                break
        if protocol.update == "stream":
            delta = protocol.momentum * delta - protocol.learning_rate * summed
            weights = weights + delta
        lengths.append(steps)
    return weights, lengths


RULES = [c for c in CONDITIONS[:6] if c.forget_gate] + list(READINGS)


@pytest.mark.parametrize("condition", RULES, ids=str)
def test_weights_after_some_streams_are_those_of_the_rule(engine: Engine, condition: Condition):
    streams, people = 4, population([condition], replicas=2)
    state = State.initial(people)
    busy_weights(state)
    state.weights.mul_(0.5)
    if condition.task.has_dense_targets:  # an output with which streams have more than a step, but an end soon
        state.weights[:, WEIGHT_NAMES.index("b_k")] = 0.1 if condition.task.name == "pfg" else -1.5
    if not condition.peepholes:
        state.weights[:, [WEIGHT_NAMES.index(p) for p in ("p_i", "p_f", "p_o")]] = 0.0
    before = state.weights.clone()
    after = [torch.zeros(19, dtype=torch.float64), torch.zeros(19, dtype=torch.float64)]
    for _ in range(2_000):
        going = [r for r in range(2) if state.verdict[r] == Verdict.RUNNING and state.training_streams[r] < streams]
        if not going:
            break
        engine.run(people, state, 1)
        for r in going:
            if state.training_streams[r] == streams:
                after[r] = state.weights[r].clone()
    for r in range(2):
        if state.training_streams[r] < streams:
            continue
        expected, lengths = train(condition, before[r].numpy(), r, streams)
        assert max(lengths) > 1
        assert not np.allclose(expected, before[r].numpy(), rtol=1e-6, atol=0)
        np.testing.assert_allclose(after[r].numpy(), expected, rtol=1e-9, atol=1e-12)
    assert (state.training_streams >= streams).any()


def test_every_reading_makes_a_difference():
    # A reading that no condition of the test above would notice would pass it by.
    for condition in (c for c in READINGS if not c.protocol.training_between_tests):  # that one is the last test's
        usual = make_condition(
            Task(condition.task.name, condition.task.min_interval, condition.task.offsets, condition.task.waveform),
            condition.protocol.learning_rate,
            peepholes=condition.peepholes,
            output_activation=condition.output_activation,
        )
        people, plain = population([condition], replicas=1), population([usual], replicas=1)
        states = [State.initial(p) for p in (people, plain)]
        for p, s in zip((people, plain), states, strict=True):
            create("torch").run(p, s, 150)
        assert not torch.equal(states[0].weights, states[1].weights), condition


@needs_native
def test_both_engines_agree_on_every_reading():
    people = population(READINGS)
    states = []
    for name in ("torch", "native"):
        state = State.initial(people)
        create(name, threads=1).run(people, state, 1500)
        states.append(state)
    assert_same(*states, rtol=1e-9, atol=1e-12)


@needs_native
def test_training_between_tests_is_what_it_says():
    sizes = {}
    for between in (False, True):
        condition = make_condition(
            Task("gts", 2, (0, 1), tolerance=0.6), 1e-300, 0.0, readings={"training_between_tests": between}
        )
        people = population([condition], replicas=1)
        state = State.initial(people)
        state.weights[:] = 0.0  # an output of one half everywhere is within 0.6
        create("native", threads=1).run(people, state, 10**6)
        assert state.verdict[0] == Verdict.SOLVED
        sizes[between] = int(state.training_streams[0])
    assert sizes == {False: 1, True: 10}


def test_the_first_period_may_be_a_step_longer_and_a_function_begin_at_another_phase():
    for task in (Task("gts", 3, (0, 1)), Task("msd", 3, (0, 1)), Task("nmsd", 3, (0, 1))):
        later = Task(task.name, 3, (0, 1), first_spike_later=1)
        usual, shifted = (stream(t, 1, 2, 3, Purpose.TRAINING) for t in (task, later))
        assert len(shifted.targets) == len(usual.targets) + 1
        np.testing.assert_array_equal(shifted.targets[1:], usual.targets)
        assert not shifted.has_target[0] or task.has_dense_targets
    cos, phase = (stream(Task("pfg", 7, (), "cos", 0.3, first_phase=p), 1, 2, 3).targets for p in (0, 1))
    np.testing.assert_array_equal(cos[1:], phase[:-1])
    assert phase[0] == pytest.approx(0.5 * (1 - math.cos(2 * math.pi / 7)))


def test_the_input_of_gts_may_be_there_in_the_first_step_of_a_period_alone():
    throughout, first = (
        stream(Task("gts", 3, (1, 2), gts_input=shown), 1, 2, 3) for shown in ("throughout", "first_step")
    )
    starts = np.flatnonzero(np.diff(throughout.period, prepend=-1))
    np.testing.assert_array_equal(first.inputs[starts], throughout.inputs[starts])
    assert np.delete(first.inputs, starts).sum() == 0
    np.testing.assert_array_equal(first.targets, throughout.targets)
