"""A learned initial state in the online recipe (PAPER.md 2): exact at the first step, truncated from then on."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.helpers.conditions import LEARNED, make_condition
from tests.helpers.engines import GRADIENT_CONDITIONS, assert_same, busy_weights, needs_native, population
from tests.helpers.nets import gradient_vector, papers_net, stream_tensors
from timing_tasks.conditions.condition import Condition
from timing_tasks.conditions.model import Model
from timing_tasks.conditions.recipe import BPTT, ONLINE
from timing_tasks.errors import ConfigurationError
from timing_tasks.learning.online import cell
from timing_tasks.learning.online.engine import Engine, create
from timing_tasks.learning.online.population import Population, State
from timing_tasks.models.build import build_net
from timing_tasks.models.initial_state import Learned
from timing_tasks.models.weights import INITIAL_STATE, PEEPHOLES, WEIGHT_NAMES
from timing_tasks.tasks import Task

S_0, Y_0 = (WEIGHT_NAMES.index(name) for name in INITIAL_STATE)


@pytest.mark.parametrize("initial_state", ["learned", "learned_cell_state", "learned_cell_output"])
@pytest.mark.parametrize("condition", GRADIENT_CONDITIONS, ids=str)
def test_the_summed_gradient_of_a_stream_is_autograds(engine: Engine, condition: Condition, initial_state: str):
    task = Task(condition.task.name, condition.task.min_interval, condition.task.offsets, condition.task.waveform, 1e6)
    net = {"peepholes": condition.peepholes, "output_activation": condition.output_activation}
    people = population(
        [make_condition(task, learning_rate=1.0, frozen_weights=True, initial_state=initial_state, **net)], replicas=2
    )
    people.records["momentum"] = 1.0
    state = State.initial(people)
    busy_weights(state)
    if not condition.peepholes:
        state.weights[:, [WEIGHT_NAMES.index(name) for name in PEEPHOLES]] = 0.0
    state.weights[:, [S_0, Y_0]] = torch.tensor([0.7, -0.4], dtype=torch.float64)
    before = state.weights.clone()
    for r in range(len(people)):
        x, d, mask = stream_tensors(people, r, 0)
        alone, of_one = Population.of(people.conditions, [(0, r)], 7), state.clone()
        alone.records[:] = people.records
        of_one = State(**{name: tensor[[r]].clone() for name, tensor in state.tensors().items()})
        engine.run(alone, of_one, x.shape[1])
        assert of_one.training_streams.tolist() == [1]
        module = papers_net(truncated=True, initial_state="learned", **net)
        module.load_vector(before[r].numpy())
        (0.5 * (d - module(x))[mask].square().sum()).backward()
        expected = -gradient_vector(module)
        expected[
            [
                position
                for position, name in ((S_0, "cell_state"), (Y_0, "cell_output"))
                if not initial_state.endswith(("learned", name))
            ]
        ] = 0
        np.testing.assert_allclose(of_one.deltas[0].numpy(), expected, rtol=1e-9, atol=1e-12)
        assert np.count_nonzero(expected[[S_0, Y_0]]) == (2 if initial_state == "learned" else 1)


@needs_native
def test_both_engines_agree_after_thousands_of_net_steps():
    people = population(LEARNED)
    states = []
    for name in ("torch", "native"):
        state = State.initial(people)
        create(name, threads=1).run(people, state, 1500)
        states.append(state)
    assert_same(*states, rtol=1e-9, atol=1e-12)
    learned = states[0].weights[:, [S_0, Y_0]] != 0
    assert learned.reshape(-1, 3, 2).all(1).tolist() == [
        [True, True],
        [True, False],
        [True, True],
        [False, True],
        [True, True],
        [True, True],
        [False, False],
        [True, True],
        [True, True],
        [True, True],
        [True, False],
        [True, True],  # fixed: never 0
        [True, True],
    ]


@needs_native
def test_the_same_digits_for_any_threads_chunks_and_company():
    people = population(LEARNED)
    whole = State.initial(people)
    create("native", threads=1).run(people, whole, 3000)
    pieces = State.initial(people)
    for steps in (1, 700, 299, 2000):
        create("native", threads=2).run(people, pieces, steps)
    assert_same(whole, pieces)
    for row in range(0, len(people), 3):
        alone = Population.of(people.conditions, [(int(people.condition[row]), 0)], 7)
        state = State.initial(alone)
        create("native", threads=1).run(alone, state, 3000)
        for name, tensor in state.tensors().items():
            assert torch.equal(tensor[0], getattr(whole, name)[row]), name


def test_noise_has_its_deviation_and_a_test_has_none(engine: Engine):
    # Zero weights into the gates but a wide open forget gate and a shut input gate: s stays what it was at the start.
    condition = make_condition(
        Task("gts", 2, (0,), tolerance=1e6),
        learning_rate=1e-300,
        momentum=0.0,
        initial_state="noisy 0.5",
    )
    people = population([condition], replicas=400)
    state = State.initial(people)
    state.weights[:] = 0.0
    state.weights[:, WEIGHT_NAMES.index("b_f")], state.weights[:, WEIGHT_NAMES.index("b_i")] = 700.0, -700.0
    state.weights[:, S_0] = 2.0
    engine.run(people, state, 1)
    noise = state.cell_state.numpy() - 2.0
    assert abs(noise.mean()) < 4 * 0.5 / math.sqrt(len(noise))
    assert noise.std() == pytest.approx(0.5, rel=0.1)
    assert abs(noise).max() < 0.5 * math.sqrt(3)
    engine.run(people, state, 200)  # into the test stream
    assert state.phase.tolist() == [1] * len(people)
    assert (state.cell_state == 2.0).all()


@pytest.mark.parametrize(
    ("net", "key"),
    [
        ({"initial_state": "warm"}, "initial_state"),
        ({"initial_state": "noisy"}, "initial_state.deviation"),
        ({"initial_state": "noisy nan"}, "initial_state.deviation"),
        ({"initial_state": "learned 0.1"}, "initial_state.deviation"),
        ({"initial_state": "fixed"}, "initial_state.deviation"),
    ],
)
def test_what_cannot_be_is_refused(net: dict[str, object], key: str):
    with pytest.raises(ConfigurationError) as raised:
        make_condition(Task("gts", 5, (0,)), **net)
    assert raised.value.key == key


def test_a_fixed_state_is_drawn_once_and_is_where_every_stream_begins(engine: Engine):
    one = make_condition(Task("pfg", 6, (), "cos", 0.3), output_activation="identity", initial_state="fixed 0.5")
    people = population([one], replicas=400)
    before = State.initial(people).weights[:, [S_0, Y_0]].numpy()
    assert abs(before.mean()) < 4 * 0.5 / math.sqrt(before.size)
    assert before.std() == pytest.approx(0.5, rel=0.1)
    twice = make_condition(Task("pfg", 6, (), "cos", 0.3), output_activation="identity", initial_state="fixed 1.0")
    np.testing.assert_array_equal(State.initial(population([twice], replicas=400)).weights[:, [S_0, Y_0]], 2 * before)

    state = State.initial(people)
    state.weights[:, : WEIGHT_NAMES.index("s_0")] = 0.0  # s(1) = f s(0) with f = 1 / 2
    engine.run(people, state, 1)
    np.testing.assert_allclose(state.cell_state.numpy(), 0.5 * before[:, 0])
    engine.run(people, state, 300)
    np.testing.assert_array_equal(state.weights[:, [S_0, Y_0]], before)


def test_a_fixed_state_is_the_same_with_each_recipe_and_of_tasks_with_a_target_at_every_step_on_line():
    pfg = Task("pfg", 6, (), "cos", 0.3)
    on_line, bptt = (
        make_condition(pfg, output_activation="identity", initial_state="fixed 0.5", recipe=recipe)
        for recipe in (ONLINE, BPTT())
    )
    net = build_net(bptt, 7, 3)
    assert isinstance(net.initial_state, Learned)
    assert not any(parameter.requires_grad for parameter in net.initial_state.parameters())
    expected = State.initial(Population.of([on_line], [(0, 3)], 7)).weights[0].numpy()
    np.testing.assert_array_equal(net.vector(), expected)
    with pytest.raises(ConfigurationError, match="another for nmsd F=5"):
        make_condition(Task("nmsd", 5, (0, 1)), initial_state="fixed 0.5")
    gru = replace(bptt, model=Model("gru", 3), peepholes=False)
    assert [tuple(p.shape) for p in build_net(gru, 7, 3).initial_state.parameters()] == [(1, 3)]


def test_streams_begin_with_a_fixed_initial_state(engine: Engine):
    people = population([one for one in LEARNED if one.initial_state.name == "fixed" and one.task.name == "pfg"])
    state = State.initial(people)
    w = dict(zip(WEIGHT_NAMES, state.weights.clone().unbind(1), strict=True))
    assert w["s_0"].unique().numel() == w["y_0"].unique().numel() == len(people)
    yes, no = torch.ones(len(people), dtype=torch.bool), torch.zeros(len(people), dtype=torch.bool)
    first = cell.forward(w, torch.zeros(len(people), dtype=torch.float64), w["s_0"], w["y_0"], yes, yes, no)
    engine.run(people, state, 1)
    torch.testing.assert_close(state.cell_state, first.s)
    engine.run(people, state, 1000)
    assert torch.equal(state.weights[:, [S_0, Y_0]], torch.stack([w["s_0"], w["y_0"]], 1))  # and it stays
