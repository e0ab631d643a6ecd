"""The engines' gradients along a stream, compared with autograd and with finite differences."""

import numpy as np
import pytest
import torch

from tests.helpers.conditions import CONDITIONS, make_condition
from tests.helpers.engines import busy_weights, population
from tests.helpers.nets import gradient_vector, papers_net
from tests.helpers.reference import outputs
from timing_tasks.conditions.condition import CELL_OUTPUT_ACTIVATIONS, GRADIENTS, Condition
from timing_tasks.learning.online.engine import Engine
from timing_tasks.learning.online.population import State
from timing_tasks.models.trajectory import trajectory
from timing_tasks.models.weights import INITIAL_STATE, PEEPHOLES, WEIGHT_NAMES
from timing_tasks.tasks import Stream, Task, stream

TASKS = (
    (Task("nmsd", 4, (0, 2, 3), tolerance=1e6), "identity"),
    (Task("msd", 3, (0, 1), tolerance=1e6), "sigmoid"),
    (Task("gts", 4, (0, 1), tolerance=1e6), "sigmoid"),
    (Task("pfg", 6, (), "cos", 1e6), "identity"),
)
WHOLE_GRADIENT = [
    make_condition(
        task,
        learning_rate=1.0,
        readings={"gradient": gradient, "cell_output_activation": cell_output_activation},
        output_activation=output_activation,
        peepholes=peepholes,
        initial_state=initial_state,
        frozen_weights=True,
    )
    for task, output_activation in TASKS
    for gradient in GRADIENTS
    for cell_output_activation in CELL_OUTPUT_ACTIVATIONS
    for peepholes in (True, False)
    for initial_state in ("zero", "learned")
]


def first_streams(engine: Engine, conditions: list[Condition]) -> tuple[State, State, list[Stream]]:
    """The state before and after the first training stream of a net of each condition, and those streams.

    Weights stay, the momentum is 1 and the learning rate is 1: deltas are the sums of -dE/dw. No error ends a stream.
    """
    people = population(conditions, replicas=1)
    people.records["momentum"] = 1.0
    people.records["training_periods"] = np.minimum(people.records["training_periods"], 4)
    before = State.initial(people)
    busy_weights(before)
    before.weights *= 0.5
    for r, condition in enumerate(conditions):
        if not condition.peepholes:
            before.weights[r, [WEIGHT_NAMES.index(name) for name in PEEPHOLES]] = 0.0
        if condition.initial_state.name == "learned":
            before.weights[r, [WEIGHT_NAMES.index(name) for name in INITIAL_STATE]] = torch.tensor([0.7, -0.4]).double()
    shown = [
        stream(c.task, 7, 0, 0, periods=int(p))
        for c, p in zip(conditions, people.records["training_periods"], strict=True)
    ]
    after = before.clone()
    for steps in sorted({len(one.targets) for one in shown}):
        rows = [r for r, one in enumerate(shown) if len(one.targets) == steps]
        some = before.at(rows)
        engine.run(people.at(rows), some, steps)
        after.put(rows, some, range(len(rows)))
    assert (after.training_streams == 1).all()
    assert torch.equal(after.weights, before.weights)
    return before, after, shown


def test_every_gradient_is_that_of_autograd(engine: Engine):
    before, after, shown = first_streams(engine, WHOLE_GRADIENT)
    for r, condition in enumerate(WHOLE_GRADIENT):
        weights = before.weights[r].clone().requires_grad_()
        z = outputs(condition, weights, shown[r].inputs.tolist())
        d, mask = torch.from_numpy(shown[r].targets), torch.from_numpy(shown[r].has_target)
        (0.5 * (d - z)[mask].square().sum()).backward()
        assert weights.grad is not None
        expected = -weights.grad.numpy()
        if condition.initial_state.name == "zero":
            expected[[WEIGHT_NAMES.index(name) for name in INITIAL_STATE]] = 0.0
        np.testing.assert_allclose(after.deltas[r].numpy(), expected, rtol=1e-9, atol=1e-11, err_msg=str(condition))
        absent = 3 * (not condition.peepholes) + 2 * (condition.initial_state.name == "zero")
        absent += 4 * (condition.task.name == "pfg")  # which has no input
        assert np.count_nonzero(expected) == 19 - absent


def test_every_gradient_is_that_of_the_layer(engine: Engine):
    before, after, shown = first_streams(engine, WHOLE_GRADIENT)
    for r, condition in enumerate(WHOLE_GRADIENT):
        net = papers_net(
            condition.peepholes,
            condition.output_activation,
            truncated=condition.protocol.gradient == "truncated",
            initial_state=condition.initial_state.name,
            cell_output_activation=condition.protocol.cell_output_activation,
        )
        net.load_vector(before.weights[r].numpy())
        z = net(torch.from_numpy(shown[r].inputs).reshape(1, -1, 1)).flatten()
        d, mask = torch.from_numpy(shown[r].targets), torch.from_numpy(shown[r].has_target)
        (0.5 * (d - z)[mask].square().sum()).backward()
        np.testing.assert_allclose(after.deltas[r].numpy(), -gradient_vector(net), rtol=1e-9, atol=1e-11)


def test_the_full_gradient_is_that_of_finite_differences(engine: Engine):
    conditions = [c for c in WHOLE_GRADIENT if c.protocol.gradient == "full" and c.initial_state.name == "learned"]
    before, after, shown = first_streams(engine, conditions)
    for r, condition in enumerate(conditions):

        def error(weights: np.ndarray, r: int = r, condition: Condition = condition) -> float:
            h = condition.protocol.cell_output_activation
            z = trajectory(weights, shown[r].inputs, condition.output_activation, cell_output_activation=h).output
            return float(0.5 * np.square((shown[r].targets - z)[shown[r].has_target]).sum())

        for position, name in enumerate(WEIGHT_NAMES):
            if name in PEEPHOLES and not condition.peepholes:
                continue
            ahead, behind = before.weights[r].numpy().copy(), before.weights[r].numpy().copy()
            ahead[position] += 1e-6
            behind[position] -= 1e-6
            slope = (error(ahead) - error(behind)) / 2e-6
            assert float(after.deltas[r, position]) == pytest.approx(-slope, rel=1e-5, abs=1e-6), (str(condition), name)


def test_the_truncated_gradient_is_another():
    assert {c.protocol.gradient for c in CONDITIONS} == {"truncated"}
    full, truncated = (
        [c for c in WHOLE_GRADIENT if c.protocol.gradient == gradient and c.peepholes] for gradient in GRADIENTS[::-1]
    )
    from timing_tasks.learning.online.engine import create

    deltas = [first_streams(create("torch"), conditions)[1].deltas for conditions in (full, truncated)]
    assert (~torch.isclose(*deltas, rtol=1e-3).all(1)).all()
