"""The readings of a protocol: each engine against the learning rule written once more, net by net, with autograd."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.helpers.conditions import CONDITIONS, READINGS, make_condition
from tests.helpers.engines import assert_same, busy_weights, needs_native, population
from tests.helpers.reference import cell_step
from timing_tasks.conditions.condition import Condition
from timing_tasks.errors import ConfigurationError
from timing_tasks.learning.online.engine import Engine, create
from timing_tasks.learning.online.population import State, Verdict
from timing_tasks.models.weights import WEIGHT_NAMES
from timing_tasks.tasks import Purpose, Task, is_correct, stream


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
        if number == 0 or not protocol.state_carried_over:
            s = y = torch.zeros((), dtype=torch.float64)
        s, y = s.detach(), y.detach()
        steps = 0
        for x, d, has_target in zip(
            shown.inputs.tolist(), shown.targets.tolist(), shown.has_target.tolist(), strict=True
        ):
            leaf = torch.tensor(weights, requires_grad=True)
            leaves.append(leaf)
            s, y, z = cell_step(condition, dict(zip(WEIGHT_NAMES, leaf.unbind(), strict=True)), s, y, x)
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


def test_the_first_period_may_be_a_step_longer():
    for task in (Task("gts", 3, (0, 1)), Task("msd", 3, (0, 1)), Task("nmsd", 3, (0, 1))):
        later = Task(task.name, 3, (0, 1), first_spike_later=1)
        usual, shifted = (stream(t, 1, 2, 3, Purpose.TRAINING) for t in (task, later))
        assert len(shifted.targets) == len(usual.targets) + 1
        np.testing.assert_array_equal(shifted.targets[1:], usual.targets)
        assert not shifted.has_target[0] or task.has_dense_targets


@pytest.mark.parametrize("waveform", ["cos", "tri", "rect"])
@pytest.mark.parametrize("phase", range(7))
def test_a_function_may_begin_at_any_step_of_its_period(waveform: str, phase: int):
    usual, later = (stream(Task("pfg", 7, (), waveform, 0.3, first_phase=p), 1, 2, 3).targets for p in (0, phase))
    np.testing.assert_array_equal(later, np.roll(usual, -phase))
    if waveform == "cos":
        assert later[0] == pytest.approx(0.5 * (1 - math.cos(2 * math.pi * phase / 7)))


@pytest.mark.parametrize("phase", [-1, 7, 1.0, True])
def test_a_phase_outside_the_period_is_refused(phase: object):
    with pytest.raises(ConfigurationError) as raised:
        Task("pfg", 7, (), "cos", 0.3, first_phase=phase)
    assert "from 0 to 6" in str(raised.value)


@pytest.mark.parametrize("bias", [-1.0, -2.0])
def test_the_input_gates_bias_and_the_range_of_the_weights_are_those_of_the_protocol(bias: float):
    usual, condition = make_condition(Task("gts", 3, (0, 1))), make_condition(Task("gts", 3, (0, 1)))
    protocol = replace(condition.protocol, input_gate_bias=bias, initial_weight_range=0.2)
    people = population([usual, replace(condition, protocol=protocol)])
    weights = State.initial(people).weights
    biases = [WEIGHT_NAMES.index(name) for name in ("b_i", "b_f", "b_o")]
    assert weights[3:, biases].tolist() == [[bias, 2.0, -2.0]] * 3
    others = np.delete(np.arange(19), [*biases, *(WEIGHT_NAMES.index(name) for name in ("s_0", "y_0"))])
    assert torch.equal(weights[3:, others], 2 * weights[:3, others])
    assert weights[:, others].abs().max() > 0.1


def test_a_state_that_is_carried_over_and_learned_is_refused():
    with pytest.raises(ConfigurationError) as raised:
        make_condition(Task("gts", 3, (0, 1)), readings={"state_carried_over": True}, initial_state="learned")
    assert raised.value.key == "protocol.state_carried_over"


def test_test_streams_begin_with_the_initial_state_and_training_streams_where_the_last_has_ended(engine: Engine):
    # Zero weights into the gates, b_f and b_c: s grows by sigma(b_i) b_c at every step, and is reset where a stream
    # begins anew.
    condition = make_condition(
        Task("gts", 2, (0,), tolerance=1e6), 1e-300, 0.0, readings={"state_carried_over": True}, net_steps=10**9
    )
    condition = replace(condition, budget=replace(condition.budget, training_streams=3))
    people = population([condition], replicas=1)
    people.records["training_periods"], people.records["test_periods"], people.records["test_streams"] = 2, 1, 10
    people.records["training_between_tests"] = True
    state, seen = State.initial(people), []
    state.weights[:] = 0.0
    for name, value in (("b_f", 700.0), ("b_i", 700.0), ("b_c", 1.0)):
        state.weights[:, WEIGHT_NAMES.index(name)] = value
    for _ in range(18):
        engine.run(people, state, 1)
        seen.append(float(state.cell_state[0]))
    assert seen == [1, 2, 3, 4, 1, 2, 5, 6, 7, 8, 1, 2, 9, 10, 11, 12, 1, 2]


def test_the_input_of_gts_may_be_there_in_the_first_step_of_a_period_alone():
    throughout, first = (
        stream(Task("gts", 3, (1, 2), gts_input=shown), 1, 2, 3) for shown in ("throughout", "first_step")
    )
    starts = np.flatnonzero(np.diff(throughout.period, prepend=-1))
    np.testing.assert_array_equal(first.inputs[starts], throughout.inputs[starts])
    assert np.delete(first.inputs, starts).sum() == 0
    np.testing.assert_array_equal(first.targets, throughout.targets)
