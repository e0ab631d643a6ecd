"""The online recipe in Lightning."""

import os
from dataclasses import replace
from pathlib import Path

import lightning as L
import pytest
import torch
import torch.distributed as dist
from lightning.fabric.plugins.environments.lightning import LightningEnvironment

from tests.helpers.conditions import QUICK_CONDITIONS as CONDITIONS
from tests.helpers.conditions import described, make_condition
from tests.helpers.engines import assert_same
from timing_tasks.conditions.recipe import BPTT
from timing_tasks.errors import ConfigurationError
from timing_tasks.experiment import run as experiment
from timing_tasks.experiment.processes import SeparateNets
from timing_tasks.learning.online.engine import create
from timing_tasks.learning.online.module import OnlinePopulationModule
from timing_tasks.learning.online.population import Population, State, Verdict
from timing_tasks.learning.online.torch_engine import TorchEngine
from timing_tasks.tasks import Task


def people(replicas: int = 3) -> Population:
    return Population.of(CONDITIONS, [(c, r) for c in range(2) for r in range(replicas)], 1)


def fit(module: OnlinePopulationModule, **arguments: object) -> L.Trainer:
    trainer = L.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **arguments,
    )
    trainer.fit(module)
    return trainer


def test_one_fit_finishes_a_population_as_the_engine_alone_does():
    population = people()
    module = OnlinePopulationModule(population, create("native", 1))
    fit(module)
    alone = State.initial(population)
    create("native", 1).run(population, alone, 10**6)
    assert module.is_finished
    assert (alone.verdict != Verdict.RUNNING).all()
    assert_same(module.state, alone)


@pytest.mark.parametrize(
    "readings",
    [
        {},
        {"update": "stream"},
        {"momentum_carried_over": False},
        {"training_between_tests": True},
        {"state_carried_over": True},
        {"gradient": "full"},
    ],
)
@pytest.mark.parametrize("engine", ["native", "torch"])
def test_a_net_that_was_given_up_goes_on_as_if_it_had_had_the_larger_budget_from_the_start(
    engine: str, readings: dict[str, object]
):
    def population(streams: int) -> Population:
        tasks = Task("gts", 2, (0, 1)), Task("nmsd", 2, (0, 1)), Task("pfg", 3, (), "cos")
        nets = [make_condition(task, 3e-2, streams=streams) for task in tasks]
        nets = [replace(net, protocol=replace(net.protocol, **readings)) for net in nets]
        return Population.of(nets, [(c, r) for c in range(3) for r in range(3)], 1)

    run = create(engine, 1).run
    small, large = population(40), population(200)
    state, wanted = State.initial(small), State.initial(large)
    run(large, wanted, 10**5)
    run(small, state, 10**5)
    given_up = state.verdict == Verdict.UNSOLVED
    assert given_up.sum() >= 3
    state.go_on(large)
    assert (state.verdict[given_up] == Verdict.RUNNING).all()
    run(large, state, 10**5)
    assert_same(state, wanted)


def test_a_population_is_logged_validated_and_tested():
    some = (make_condition(Task("nmsd", 3, (0, 1)), streams=10**5), make_condition(Task("gts", 3, (0, 1)), streams=100))
    population = Population.of(some, [(c, r) for c in range(2) for r in range(3)], 1)
    module = OnlinePopulationModule(population, create("native", 1))
    trainer = fit(module)
    solved = float((module.state.verdict == Verdict.SOLVED).double().mean())
    assert solved == 0.5
    assert float(trainer.callback_metrics["val/solved"]) == pytest.approx(solved)
    for condition in some:
        assert {f"{name}/{condition}" for name in ("solved", "training_size", "test_size")} <= set(
            trainer.callback_metrics
        )
    (validated,) = trainer.validate(module, verbose=False)
    assert validated == {"val/solved": pytest.approx(solved)}
    before = module.state.clone()
    (tested,) = trainer.test(module, verbose=False)
    assert tested["test/solved"] == pytest.approx(solved)
    assert tested["test/reliability"] == 1.0  # of delays every input is tested
    assert_same(module.state, before)


def test_a_condition_of_another_recipe_is_refused():
    other = replace(CONDITIONS[0], recipe=BPTT())
    with pytest.raises(ConfigurationError, match="online, for the OnlinePopulationModule"):
        OnlinePopulationModule(Population.of([other], [(0, 0)], 1), create("native", 1))


def test_a_checkpoint_serves_a_population_that_has_changed(tmp_path: Path):
    small, large = people(2), people(4)
    module = OnlinePopulationModule(small, create("native", 1))
    module.engine.run(small, module.state, 300)
    checkpoint: dict[str, object] = {}
    module.on_save_checkpoint(checkpoint)
    torch.save(checkpoint, tmp_path / "c")
    loaded = torch.load(tmp_path / "c", weights_only=True)
    other = OnlinePopulationModule(large, create("native", 1))
    other.on_load_checkpoint(loaded)
    fresh = State.initial(large)
    for row in range(len(large)):
        condition, replica = large.condition[row], large.replica[row]
        if replica < 2:
            assert torch.equal(other.state.weights[row], module.state.weights[2 * condition + replica])
            assert other.state.net_steps[row] == 300
        else:
            assert torch.equal(other.state.weights[row], fresh.weights[row])
            assert other.state.net_steps[row] == 0


def test_a_finished_experiment_is_not_run_again(tmp_path: Path):
    rows = experiment.run(described(tmp_path))
    assert len(rows) == 6
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    assert experiment.run(described(tmp_path)) == rows
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == files


def test_rows_do_not_depend_on_engine_threads_or_on_the_other_conditions(tmp_path: Path):
    together = experiment.run(described(tmp_path, output=tmp_path / "a"))
    alone = experiment.run(described(tmp_path, output=tmp_path / "b", conditions=CONDITIONS[1:], threads=3))
    assert together[3:] == alone


def test_the_torch_engine_serves_too(tmp_path: Path):
    few = tuple(make_condition(c.task, streams=10) for c in CONDITIONS)
    native = experiment.run(described(tmp_path, conditions=few, output=tmp_path / "n"))
    slow = experiment.run(described(tmp_path, conditions=few, engine="torch", output=tmp_path / "t"))
    assert {row.engine for row in slow} == {"torch"}
    assert [(r.status, r.training_streams, r.net_steps) for r in slow] == [
        (r.status, r.training_streams, r.net_steps) for r in native
    ]


def test_on_gpus_the_torch_engine_computes_on_them_and_nothing_else_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, value in (("device_count", 1), ("is_available", True), ("get_device_capability", (9, 0))):
        monkeypatch.setattr(torch.cuda, name, lambda *_, value=value: value)
    for name in ("set_device", "empty_cache", "get_device_name"):
        monkeypatch.setattr(torch.cuda, name, lambda *_: None)
    asked, run = set(), TorchEngine.run

    def on_the_cpu_instead(engine: TorchEngine, population: Population, state: State, net_steps: int) -> None:
        asked.add((engine.device, engine.block, net_steps % engine.block, state.weights.device.type))
        run(TorchEngine(), population, state, net_steps)

    few = (make_condition(CONDITIONS[0].task, streams=10),)
    plain = experiment.run(described(tmp_path, conditions=few, engine="torch"))
    monkeypatch.setattr(TorchEngine, "run", on_the_cpu_instead)
    gpu = {"accelerator": "gpu", "devices": 1, "num_nodes": 1}
    assert (
        experiment.run(described(tmp_path, conditions=few, engine="torch", trainer=gpu, output=tmp_path / "gpu"))
        == plain
    )
    assert asked == {(torch.device("cuda", 0), 4, 0, "cpu")}


def test_the_processes_group_has_no_part_in_gpus(monkeypatch: pytest.MonkeyPatch):
    strategy = SeparateNets()
    strategy.parallel_devices = [torch.device("cuda", 0)]
    strategy.cluster_environment = LightningEnvironment()
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "0")  # also to have them gone afterwards
        del os.environ[name]
    strategy.setup_distributed()
    try:
        assert dist.get_backend() == "gloo"
        assert dist.group.WORLD.bound_device_id is None
    finally:
        dist.destroy_process_group()
