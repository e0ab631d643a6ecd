"""Back-propagation through time in Lightning."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch
from torch import nn

from tests.helpers.conditions import make_condition
from timing_tasks.conditions.condition import Condition
from timing_tasks.conditions.model import Model
from timing_tasks.conditions.recipe import BPTT
from timing_tasks.data import Draw, ReplicaStreams, padded_length, replica_batch
from timing_tasks.learning import replicas
from timing_tasks.learning.judgement import judge, mean_loss
from timing_tasks.learning.nets import Nets
from timing_tasks.learning.online.population import Population, Verdict
from timing_tasks.learning.replicas import ReplicasModule
from timing_tasks.models.build import build_net
from timing_tasks.tasks import Purpose, Task, is_correct, stream, stream_size

SGD = {"_target_": "torch.optim.SGD", "lr": 30.0, "momentum": 0.9}
ADAM = {"_target_": "torch.optim.Adam", "lr": 0.01}
LSTM, GRU = Model("lstm", 1), Model("gru", 2)


def condition(
    task: Task, optimizer: dict[str, object] = SGD, streams: int = 2, budget: int = 40, **net: object
) -> Condition:
    recipe = BPTT("bptt", streams, 100, optimizer, None, 1e-4, False)
    return make_condition(task, streams=budget, recipe=recipe, **net)


NMSD, GTS = Task("nmsd", 3, (0, 1)), Task("gts", 4, (0, 1))
COSINE = Task("pfg", 6, (), "cos", 0.3)
CONDITIONS = (
    condition(NMSD, budget=4000, initial_state="learned"),
    condition(GTS, peepholes=False, forget_gate=False),
    condition(GTS, initial_state="noisy 0.1"),
    condition(COSINE, output_activation="identity", model=LSTM, peepholes=False, initial_state="learned_cell_state"),
    condition(COSINE, output_activation="identity", model=GRU, peepholes=False, initial_state="learned"),
    condition(Task("msd", 3, (0, 1)), model=Model("peephole_lstm", 2)),
)


def module(conditions: Sequence[Condition], places: Sequence[tuple[int, int]] | None = None) -> ReplicasModule:
    places = [(c, r) for c in range(len(conditions)) for r in range(2)] if places is None else places
    population = Population.of(conditions, places, 3)
    made = ReplicasModule(population)
    made.configure_model()
    return made


class Interrupted(L.Callback):
    """Ends a fit after some updates, and keeps its checkpoint."""

    def __init__(self, updates: int, path: Path) -> None:
        self.updates, self.path = updates, path

    def on_train_batch_end(self, trainer: L.Trainer, *_: object) -> None:
        if trainer.global_step == self.updates:
            trainer.save_checkpoint(self.path)
            trainer.should_stop = True


def fit(some: ReplicasModule, updates: int = -1, resume: Path | None = None, **arguments: object) -> L.Trainer:
    quiet = {
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
    }
    trainer = L.Trainer(accelerator="cpu", devices=1, max_epochs=1, max_steps=updates, **quiet, **arguments)
    trainer.fit(some, ckpt_path=resume)
    return trainer


def ends(some: ReplicasModule) -> dict[str, tuple[list[float], list[float]]]:
    """Of every replica by name: its weights and its counters, exactly."""
    counters = torch.stack([tensor.double() for tensor in some.state.tensors().values()], dim=1).tolist()
    return {name: (some.weights(r).tolist(), counters[r]) for r, name in enumerate(some.names())}


@pytest.fixture(scope="module")
def whole() -> ReplicasModule:
    some = module(CONDITIONS)
    fit(some)
    return some


def test_every_net_gets_its_verdict_and_a_delay_is_learned(whole: ReplicasModule):
    assert whole.is_finished
    assert whole.state.verdict[:2].tolist() == [Verdict.SOLVED] * 2
    for index in range(len(whole.population)):
        budget = whole.population.condition_of(index).budget
        streams = int(whole.state.training_streams[index])
        assert streams % 2 == 0  # each stream of a mini-batch counts
        assert (streams == budget.training_streams) == (whole.state.verdict[index] == Verdict.UNSOLVED)
    assert (whole.seconds > 0).all()


def test_fresh_test_sets_say_how_reliable_solved_nets_are(whole: ReplicasModule):
    before = ends(whole)
    shares = whole.reliability()
    assert len(shares) == int((whole.state.verdict == Verdict.SOLVED).sum())
    assert shares[:2] == [1.0, 1.0]  # NMSD, whose tests are every input
    assert all(0 <= share <= 1 for share in shares)
    assert ends(whole) == before


def test_the_verdict_is_that_of_the_plain_functions_and_no_weight_moves_after_it(whole: ReplicasModule):
    streams = int(whole.state.training_streams[0])
    for test in range(NMSD.test_streams):
        asked = stream(NMSD, 3, 0, streams, Purpose.TEST, test)
        assert is_correct(asked.targets, whole.outputs(0, asked), NMSD.tolerance)[asked.has_target].all()
    again = module(CONDITIONS)
    fit(again, updates=streams // 2)  # when that net has just been solved
    assert np.array_equal(again.weights(0), whole.weights(0))


def test_the_same_rows_whatever_nets_are_beside(whole: ReplicasModule):
    expected = ends(whole)
    for places in ([(c, 1) for c in range(len(CONDITIONS))], [(3, 0)], [(4, 1), (2, 0), (2, 1), (2, 2)]):
        some = module(CONDITIONS, places)
        fit(some)
        for name, end in ends(some).items():
            if not name.endswith(" 2"):  # no third replica there
                assert end == expected[name]


def test_digits_do_not_depend_on_how_many_nets_share_a_tensor():
    one = {
        "output_activation": "identity",
        "model": Model("gru", 1),
        "peepholes": False,
    }  # fills no vector of the processor
    some = [condition(COSINE, streams=1, budget=60, **one), condition(GTS, streams=1, budget=60)]
    everything = [(c, r) for c in range(2) for r in range(20)]
    together = module(some, everything)
    fit(together)
    expected = ends(together)
    for rank in range(3):
        part = module(some, everything[rank::3])
        fit(part)
        assert all(end == expected[name] for name, end in ends(part).items())


@pytest.mark.parametrize("scheduler", [None, {"_target_": "torch.optim.lr_scheduler.ExponentialLR", "gamma": 0.9}])
@pytest.mark.parametrize("optimizer", [SGD, ADAM], ids=["SGD", "Adam"])
def test_a_resumed_run_gives_the_same_rows(
    optimizer: dict[str, object], scheduler: dict[str, object] | None, tmp_path: Path
):
    def with_scheduler(c: Condition) -> Condition:
        return replace(c, recipe=replace(c.recipe, scheduler=scheduler))

    conditions = [
        with_scheduler(condition(task, optimizer, budget=24, initial_state="learned")) for task in (NMSD, GTS)
    ]
    expected = module(conditions)
    fit(expected)
    half = module(conditions)
    fit(half, callbacks=[Interrupted(5, tmp_path / "c.ckpt")])
    assert not half.is_finished
    stored = torch.load(tmp_path / "c.ckpt", weights_only=True)  # as the damage check reads it
    assert stored["replicas"]["names"] == expected.names()
    resumed = module(conditions)
    fit(resumed, resume=tmp_path / "c.ckpt")
    assert resumed.is_finished
    assert ends(resumed) == ends(expected)
    with pytest.raises(ValueError, match="other replicas"):
        fit(module(conditions[:1]), resume=tmp_path / "c.ckpt")


def test_a_net_that_does_not_stay_finite_has_diverged():
    wild = condition(COSINE, {"_target_": "torch.optim.SGD", "lr": 1e200}, output_activation="identity")
    some = module([replace(wild, recipe=replace(wild.recipe, clip=None)), CONDITIONS[1]])
    fit(some)
    assert some.state.verdict[:2].tolist() == [Verdict.DIVERGED] * 2
    assert some.state.verdict[2:].tolist() == [Verdict.UNSOLVED] * 2


def test_a_net_that_diverges_with_none_beside_ends_the_run():
    wild = condition(COSINE, {"_target_": "torch.optim.SGD", "lr": 1e200}, output_activation="identity")
    some = module([replace(wild, recipe=replace(wild.recipe, clip=None))], [(0, 0)])
    fit(some)
    assert some.state.verdict.tolist() == [Verdict.DIVERGED]
    assert np.isfinite(some.weights(0)).all()


def test_an_update_that_is_not_finite_is_taken_back():
    blind = condition(COSINE, {"_target_": "torch.optim.Adam", "lr": 0.01, "eps": 0.0}, output_activation="identity")
    some = module([blind], [(0, 0)])  # sees no input: 0 / 0 for the weights from there
    before = some.weights(0)
    fit(some)
    assert some.state.verdict.tolist() == [Verdict.DIVERGED]
    assert np.array_equal(some.weights(0), before)


def test_each_net_is_clipped_by_itself():
    some = module([CONDITIONS[0]], [(0, 0), (0, 1)])
    ((chunk, members),) = some.nets._chunks()
    assert members == [0, 1]
    for parameter in chunk.learned:
        parameter.grad = torch.full_like(parameter, 1e-7)
        parameter.grad[0] = 1.0
    some.nets.clip([1e-4, 1e-4])
    norms = torch.cat([parameter.grad.flatten(1) for parameter in chunk.learned], dim=1).norm(dim=1).tolist()
    assert norms[0] == pytest.approx(1e-4)
    assert norms[1] == pytest.approx(1e-7 * 19**0.5)


class Random(nn.Module):
    """One that is not only its parameters: each net has drawn numbers of its own, and one parameter is a number."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(1, 2)
        self.gain = nn.Parameter(torch.tensor(1.0))
        self.layers = [self.linear]
        self.register_buffer("drawn", torch.randn(2))

    def forward(self, x):
        return self.gain * (self.layers[0](x).cumsum(1) + self.drawn)


def test_modules_of_the_users_run_each_by_itself():
    kind = condition(GTS, budget=20, model=Model("custom", 0, f"{__name__}.Random"), peepholes=False)
    together, alone = module([kind], [(0, r) for r in range(3)]), module([kind], [(0, 2)])
    start = alone.weights(0)
    fit(together)
    fit(alone)
    assert np.array_equal(together.weights(2), alone.weights(0))
    assert (alone.weights(0) != start).all()


def test_the_gradient_of_a_net_is_that_of_its_loss_alone():
    task, seed, replica = GTS, 3, 1
    net, alone = (build_net(CONDITIONS[2], seed, replica).eval() for _ in range(2))  # without noise
    streams = tuple(stream(task, seed, replica, k, periods=1) for k in range(2))
    batch = replica_batch([streams], padded_length(streams), np.array([0.49]))
    outputs = net(batch.inputs[0]).unsqueeze(0)
    mean_loss(batch, outputs, judge(batch, outputs).steps).sum().backward()
    loss = torch.zeros((), dtype=torch.float64)
    for s in streams:  # step by step, up to the first wrong one
        z = alone(torch.from_numpy(s.inputs).reshape(1, -1, 1)).flatten()
        errors = []
        for d, value in zip(s.targets.tolist(), z, strict=True):
            errors.append(0.5 * (d - value) ** 2)
            if not abs(d - float(value)) < 0.49:
                break
        loss = loss + torch.stack(errors).mean() / 2
    loss.backward()
    for mine, other in zip(net.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad)


def test_outputs_are_judged_as_by_the_plain_functions():
    rng = np.random.default_rng(0)
    streams = [tuple(stream(GTS, 1, r, k, periods=4) for k in range(3)) for r in range(5)]
    batch = replica_batch(streams, 32, np.full(5, 0.49))
    outputs = batch.targets + torch.from_numpy(rng.normal(0, 0.22, batch.targets.shape))
    result = judge(batch, outputs)
    for r, row in enumerate(streams):
        for n, s in enumerate(row):
            z = outputs[r, n, : len(s.inputs), 0].numpy()
            assert result.size[r, n] == stream_size(s, z, 0.49)
            right = is_correct(s.targets, z, 0.49)
            assert result.is_whole[r, n] == right.all()
            steps = len(right) if right.all() else np.argmin(right) + 1
            assert result.steps[r, n] == steps == result.targets[r, n]
            errors = np.square(s.targets - z)[:steps]
            assert float(result.squared_error[r, n]) == pytest.approx(errors.sum())
    assert 0 < result.is_whole.sum() < result.is_whole.numel()


def test_a_test_ends_with_the_first_wrong_prediction_and_takes_all_its_streams(monkeypatch: pytest.MonkeyPatch):
    some = module([condition(GTS)], [(0, 0), (0, 1)])
    batches = []

    def answers(nets: object, x: torch.Tensor, members: list[int], noise: object) -> torch.Tensor:
        outputs = batches[-1].targets.clone()  # right but for net 1, whose step 30 is not
        if 1 in members and outputs.size(2) > 30:
            outputs[members.index(1), :, 30] += 1
        return outputs

    monkeypatch.setattr(replicas, "replica_batch", lambda *a: batches.append(replica_batch(*a)) or batches[-1])
    monkeypatch.setattr(Nets, "forward", answers)
    assert some._test([0, 1]) == {0}
    tests = [stream(GTS, 3, 0, 0, Purpose.TEST, test) for test in range(10)]
    assert some.state.test_size.tolist() == [1000, stream(GTS, 3, 1, 0, Purpose.TEST).period[30]]
    assert some.state.net_steps.tolist() == [sum(len(s.inputs) for s in tests), 31]
    assert some.state.targets.tolist() == [sum(len(s.inputs) for s in tests), 0]
    assert some.state.squared_error.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("task", [NMSD, GTS, COSINE, Task("msd", 3, (0, 2)), Task("nmsd", 5, (0, 1, 3))], ids=str)
def test_the_streams_are_those_of_the_plain_function(task: Task):
    streams = ReplicaStreams([task], np.array([9]), np.array([4]))
    periods = min(3, task.training_periods)
    found = streams.draw([Draw(0, number, 0, periods) for number in range(5, 9)], Purpose.TRAINING)
    expected = [stream(task, 9, 4, number, periods=periods) for number in range(5, 9)]
    found += streams.draw([Draw(0, 6, test, periods) for test in range(task.test_streams)], Purpose.TEST)
    expected += [stream(task, 9, 4, 6, Purpose.TEST, test, periods) for test in range(task.test_streams)]
    for one, other in zip(found, expected, strict=True):
        for name in ("inputs", "targets", "has_target", "period"):
            assert np.array_equal(getattr(one, name), getattr(other, name))


def test_however_a_fit_ends_torch_has_its_threads_again(monkeypatch: pytest.MonkeyPatch):
    threads, before = [], torch.get_num_threads()
    monkeypatch.setattr(ReplicasModule, "training_step", lambda *_: threads.append(torch.get_num_threads()) or 1 / 0)
    torch.set_num_threads(3)
    with pytest.raises(ZeroDivisionError):
        fit(module(CONDITIONS[:1]))
    threads.append(torch.get_num_threads())
    torch.set_num_threads(before)
    assert threads == [1, 3]


def test_noise_has_its_deviation_and_is_that_of_the_engines_for_one_cell():
    streams = ReplicaStreams([GTS, GTS], np.array([1, 1]), np.array([2, 3]))
    noise = streams.initial_noise([0, 1], np.array([10, 0]), 500, 2, 3)
    assert noise.shape == (2, 2, 500, 3)
    assert noise.std() == pytest.approx(1.0, rel=0.03)
    later = streams.initial_noise([0], np.array([12]), 1, 2, 3)
    assert np.array_equal(later[0, :, 0], noise[0, :, 2])  # a function of the stream's number alone


@pytest.mark.parametrize("task", [Task("nmsd", 5, (0, 1, 3)), COSINE], ids=str)
def test_an_update_can_have_every_stream_that_there_is(task: Task):
    kind = condition(task, budget=30, output_activation="identity")
    some = module([replace(kind, recipe=replace(kind.recipe, streams="all"))], [(0, 0)])
    fit(some, updates=3)
    assert some.state.training_streams.tolist() == [3 * (len(task.offsets) or 1)]


def test_gate_biases_can_follow_the_interval():
    kind = condition(Task("nmsd", 20, (0, 1)))
    for model in (Model(), Model("lstm", 2), Model("gru", 2)):
        recipe = replace(kind.recipe, gate_biases="interval")
        peepholes = model.name == "peephole_lstm"
        layer = build_net(replace(kind, recipe=recipe, model=model, peepholes=peepholes), 1, 0).layer
        size, log = model.hidden_size, math.log(20)
        if model.name == "gru":
            assert (layer.bias_ih_l0 + layer.bias_hh_l0)[size : 2 * size].tolist() == [log] * size
        else:
            bias = layer.bias if peepholes else layer.bias_ih_l0 + layer.bias_hh_l0
            assert bias[: 2 * size].tolist() == [-log] * size + [log] * size
            assert bias[3 * size :].tolist() == [-2.0] * size
