"""The engines: right by autograd, by each other, by the tasks' definitions; the same digits in all circumstances."""

import importlib.util
import math

import numpy as np
import pytest
import torch

from tests.helpers.conditions import CONDITIONS, READINGS, make_condition
from tests.helpers.engines import GRADIENT_CONDITIONS, assert_same, busy_weights, needs_native, population
from tests.helpers.nets import gradient_vector, papers_net, stream_tensors
from timing_tasks.conditions.condition import CELL_OUTPUT_ACTIVATIONS, Condition
from timing_tasks.errors import ConfigurationError
from timing_tasks.learning.online.engine import Engine, create
from timing_tasks.learning.online.population import CONDITION_RECORD, TRACES, Population, State, Verdict
from timing_tasks.models.timing_net import TimingNet
from timing_tasks.models.weights import WEIGHT_NAMES
from timing_tasks.tasks import Purpose, Task, root_mean_square_error, stream, stream_size


def network(condition: Condition, weights: torch.Tensor, truncated: bool = False) -> TimingNet:
    net = papers_net(condition.peepholes, condition.output_activation, truncated=truncated)
    net.load_vector(weights.numpy())
    return net


@pytest.mark.parametrize("condition", GRADIENT_CONDITIONS, ids=str)
def test_the_summed_gradient_of_a_stream_is_autograds(engine: Engine, condition: Condition):
    # Weights that stay, momentum 1 and learning rate 1: the deltas are the sums of -dE/dw. A tolerance beyond any
    # error keeps the stream going to its end.
    task = Task(condition.task.name, condition.task.min_interval, condition.task.offsets, condition.task.waveform, 1e6)
    frozen = make_condition(
        task,
        learning_rate=1.0,
        peepholes=condition.peepholes,
        output_activation=condition.output_activation,
        frozen_weights=True,
    )
    people = population([frozen])
    people.records["momentum"] = 1.0
    state = State.initial(people)
    busy_weights(state)
    for r in range(len(people)):
        state.weights[r, [WEIGHT_NAMES.index(p) for p in ("p_i", "p_f", "p_o")]] *= float(condition.peepholes)
    before = state.weights.clone()
    lengths = [stream_tensors(people, r, 0)[0].shape[1] for r in range(len(people))]
    for _ in range(max(lengths)):  # stop each replica at the end of its own first training stream
        if bool((state.training_streams == 1).all()):
            break
        going = state.clone()
        engine.run(people, going, 1)
        rows = np.flatnonzero(state.training_streams.numpy() == 0)
        state.put(rows, going, rows)
    assert torch.equal(state.weights, before)
    for r in range(len(people)):
        net = network(frozen, before[r], truncated=True)
        x, d, mask = stream_tensors(people, r, 0)
        (0.5 * (d - net(x))[mask].square().sum()).backward()
        np.testing.assert_allclose(state.deltas[r].numpy(), -gradient_vector(net), rtol=1e-9, atol=1e-12)
        assert state.squared_error[r] == 0  # belongs to the test that follows


def replay(condition: Condition, net: TimingNet, replica: int, net_steps: int, seed: int = 7) -> dict[str, int]:
    """The streams of a net that does not change, by the DataModule and the tasks' definitions alone."""
    counts = {"training_streams": 0, "training_size": 0, "test_size": 0, "net_steps": 0, "verdict": Verdict.RUNNING}
    people = Population.of([condition], [(0, replica)], seed)
    tolerance = condition.task.tolerance

    def run_stream(purpose: Purpose, test: int, periods: int | None = 8) -> bool:
        if condition.task.name == "nmsd":
            periods = None
        x, d, mask = stream_tensors(people, 0, counts["training_streams"], purpose, test, periods)
        shown = stream(condition.task, seed, replica, counts["training_streams"], purpose, test, periods)
        np.testing.assert_array_equal(d.flatten(), shown.targets)
        np.testing.assert_array_equal(mask.flatten(), shown.has_target)
        outputs = net(x).detach().flatten().numpy()
        size = stream_size(shown, outputs, tolerance)
        right = size == shown.period[-1] + 1
        if right and periods is not None:
            return run_stream(purpose, test, None)  # the beginning was right: the whole stream
        counts["training_size" if purpose == Purpose.TRAINING else "test_size"] = int(size)
        wrong = shown.has_target & ~(np.abs(shown.targets - outputs) < tolerance)
        counts["net_steps"] += len(outputs) if right else int(np.argmax(wrong)) + 1
        return bool(right)

    while counts["verdict"] == Verdict.RUNNING and counts["net_steps"] < net_steps:
        run_stream(Purpose.TRAINING, 0)
        counts["training_streams"] += 1
        test = 0
        while test < condition.task.test_streams and run_stream(Purpose.TEST, test):
            test += 1
        if test == condition.task.test_streams:
            counts["verdict"] = Verdict.SOLVED
        elif counts["net_steps"] >= condition.budget.net_steps:
            counts["verdict"] = Verdict.UNSOLVED
    return counts


@pytest.mark.parametrize(
    "condition",
    [c for c in (*CONDITIONS, *READINGS) if c.forget_gate and not c.protocol.training_between_tests],
    ids=lambda c: f"{c} {c.task.readings}",
)
def test_streams_and_verdicts_are_those_of_the_tasks(engine: Engine, condition: Condition):
    # A learning rate of next to nothing: the net module can follow without learning itself.
    still = make_condition(
        condition.task,
        learning_rate=1e-300,
        momentum=0.0,
        net_steps=300,
        peepholes=condition.peepholes,
        output_activation=condition.output_activation,
    )
    people = population([still], replicas=6)
    state = State.initial(people)
    busy_weights(state)
    if not condition.peepholes:
        state.weights[:, [WEIGHT_NAMES.index(p) for p in ("p_i", "p_f", "p_o")]] = 0.0
    nets = [network(still, weights) for weights in state.weights]
    engine.run(people, state, 1_000)
    finished = np.flatnonzero(state.verdict.numpy() != Verdict.RUNNING)
    assert len(finished) >= 2
    for r in finished:
        expected = replay(still, nets[r], r, 300)
        found = {name: int(getattr(state, name)[r]) for name in expected}
        assert found == expected


def test_a_net_that_is_right_everywhere_is_solved_and_its_error_reported(engine: Engine):
    # An identity output that is 0.5 everywhere is within 0.6 of every target.
    condition = make_condition(
        Task("pfg", 4, (), "cos", 0.6), learning_rate=1e-300, momentum=0.0, output_activation="identity"
    )
    people = population([condition], replicas=1)
    state = State.initial(people)
    state.weights[:] = 0.0
    state.weights[:, WEIGHT_NAMES.index("b_k")] = 0.5
    engine.run(people, state, 4401)
    assert state.verdict.tolist() == [Verdict.SOLVED]
    assert state.training_streams.tolist() == [1]
    assert state.net_steps.tolist() == [4 * 1100]

    shown = stream(condition.task, 7, 0, 1, Purpose.TEST)
    expected = root_mean_square_error(shown, np.full(len(shown.targets), 0.5))
    assert state.root_mean_square_error(0) == pytest.approx(expected, rel=1e-12)


@needs_native
def test_both_engines_agree_after_thousands_of_net_steps():
    people = population()
    states = []
    for name in ("torch", "native"):
        state = State.initial(people)
        create(name, threads=1).run(people, state, 1500)
        states.append(state)
    assert int(states[0].net_steps.sum()) > 20_000
    assert int(states[0].training_streams.median()) > 100
    assert_same(*states, rtol=1e-9, atol=1e-12)


@needs_native
def test_both_engines_give_the_same_verdicts():
    conditions = [
        make_condition(Task("nmsd", 1, (0, 1)), 0.2, streams=1000, output_activation="identity"),
        make_condition(Task("nmsd", 2, (0, 1)), 0.2, streams=450, output_activation="identity"),
        make_condition(Task("gts", 2, (0,)), 0.2, streams=450),
    ]
    people = population(conditions, replicas=6)
    states = []
    for name in ("torch", "native"):
        state = State.initial(people)
        create(name, threads=1).run(people, state, 5_500)
        states.append(state)
    assert set(states[0].verdict.tolist()) == {Verdict.SOLVED, Verdict.UNSOLVED}
    for name in ("verdict", "training_streams", "net_steps"):
        assert torch.equal(getattr(states[0], name), getattr(states[1], name)), name


@needs_native
@pytest.mark.parametrize("cell_output_activation", CELL_OUTPUT_ACTIVATIONS)
@pytest.mark.parametrize(("name", "learning_rate"), [("msd", 1e-4), ("nmsd", 2e-2), ("gts", 1e-3)])
def test_the_benchmarks_scalar_loop_does_the_same_work(name: str, learning_rate: float, cell_output_activation: str):
    from timing_tasks.learning.online.native import run_scalar

    readings = {"cell_output_activation": cell_output_activation}
    condition = make_condition(Task(name, 4, (0, 1)), learning_rate, streams=60, readings=readings)
    people = population([condition], replicas=5)
    scalar, engine = State.initial(people), State.initial(people)
    run_scalar(people, scalar, 10**9)
    create("native", threads=1).run(people, engine, 10**6)
    assert torch.equal(scalar.training_streams, engine.training_streams)
    assert torch.equal(scalar.net_steps, engine.net_steps)
    assert torch.equal(scalar.verdict, engine.verdict)
    torch.testing.assert_close(scalar.weights, engine.weights, rtol=1e-9, atol=1e-12)


def test_a_finished_replica_does_not_move(engine: Engine):
    people = population([make_condition(Task("nmsd", 3, (0, 1)), streams=3), make_condition(Task("nmsd", 3, (0, 1)))])
    state = State.initial(people)
    engine.run(people, state, 300)
    assert state.verdict.tolist() == [Verdict.UNSOLVED] * 3 + [Verdict.RUNNING] * 3
    assert state.training_streams[:3].tolist() == [3] * 3
    before = state.clone()
    engine.run(people, state, 100)
    rows = slice(0, 3)
    for name, tensor in before.tensors().items():
        assert torch.equal(tensor[rows], getattr(state, name)[rows]), name
    assert (state.net_steps[3:] == before.net_steps[3:] + 100).all()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", WEIGHT_NAMES[:11] + WEIGHT_NAMES[13:])
def test_a_net_that_is_not_finite_ends_as_diverged_or_goes_on_finite(engine: Engine, value: float, name: str):
    people = population([make_condition(Task("gts", 3, (0, 1)))], replicas=2)
    state = State.initial(people)
    state.weights[0, WEIGHT_NAMES.index(name)] = value
    alone = State.initial(people)
    engine.run(people, state, 40)
    engine.run(people, alone, 40)
    if math.isnan(value):
        assert state.verdict[0] == Verdict.DIVERGED
    # and its neighbour does not notice
    for field, tensor in alone.tensors().items():
        assert torch.equal(tensor[1], getattr(state, field)[1]), field


def test_a_learning_rate_far_too_large_diverges(engine: Engine):
    people = population([make_condition(Task("pfg", 6, (), "cos", 0.3), 1e6, 0.99, output_activation="identity")])
    state = State.initial(people)
    engine.run(people, state, 1000)
    assert (state.verdict == Verdict.DIVERGED).all()


def test_without_a_native_build_the_torch_engine_serves_with_a_warning(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.warns(UserWarning, match="without its native engine"):
        assert create("native").name == "torch"


def test_memory_of_a_replica_is_small():
    people = population(CONDITIONS[:1], replicas=1000)
    state = State.initial(people)
    per_replica = sum(t.nbytes for t in state.tensors().values()) / 1000
    assert per_replica + 3 * 8 < 2000
    assert state.traces.shape == (1000, TRACES)


@pytest.mark.parametrize(("name", "threads", "key"), [("cuda", None, "engine"), ("torch", 0, "engine.threads")])
def test_engines_that_are_not_there_are_refused(name, threads, key):
    with pytest.raises(ConfigurationError) as raised:
        create(name, threads)
    assert raised.value.key == key


@needs_native
def test_readings_that_the_scalar_loop_does_not_know_are_refused():
    from timing_tasks.learning.online.native import run_scalar

    for readings in ({"gradient": "full"}, {"state_carried_over": True}, {"update": "stream"}):
        people = population([make_condition(Task("gts", 4, (0, 1)), readings=readings)])
        with pytest.raises(ValueError, match="yardstick"):
            run_scalar(people, State.initial(people), 100)


@needs_native
def test_a_native_engine_with_another_record_of_a_condition_is_refused():
    from timing_tasks.learning.online import native

    fields = [(name, str(dtype), offset) for name, (dtype, offset, *_) in CONDITION_RECORD.fields.items()]
    native.check_record(fields, CONDITION_RECORD.itemsize)
    swapped = [(fields[1][0], *fields[0][1:]), (fields[0][0], *fields[1][1:]), *fields[2:]]
    retyped = [(fields[0][0], "float64", fields[0][2]), *fields[1:]]
    moved = [*fields[:-1], (*fields[-1][:2], fields[-1][2] + 8)]
    for wrong in (swapped, retyped, moved, fields[:-1]):
        with pytest.raises(ImportError, match="another version"):
            native.check_record(wrong, CONDITION_RECORD.itemsize)
    with pytest.raises(ImportError, match="another version"):
        native.check_record(fields, CONDITION_RECORD.itemsize + 8)
