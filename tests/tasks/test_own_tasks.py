"""Tasks that are not the paper's, where streams, nets and rows are made of them."""

import lightning as L
import numpy as np
import pytest

from tests.helpers.conditions import make_condition
from timing_tasks.conditions.model import Model
from timing_tasks.conditions.recipe import BPTT
from timing_tasks.data import TimingDataModule
from timing_tasks.errors import ConfigurationError
from timing_tasks.learning.online.population import Population, Verdict
from timing_tasks.learning.replicas import ReplicasModule
from timing_tasks.tasks import IntervalDiscrimination, ReadySetGo, Task, stream
from timing_tasks.tasks.task import read_readings


def test_a_data_module_takes_any_task_by_its_name():
    data = TimingDataModule("ready_set_go", min_interval=4, offsets=[0, 3], batch_size=5, seed=2)
    assert data.task == ReadySetGo(4, (0, 3))
    assert (data.hparams.task, data.hparams.offsets) == ("ready_set_go", [0, 3])
    batch = next(iter(data.train_dataloader()))
    for n in range(5):
        one = stream(data.task, 2, 0, n)
        np.testing.assert_array_equal(batch.inputs[n, : len(one.inputs), 0], one.inputs)
    tests = next(iter(data.test_dataloader()))
    assert tests.inputs.sum((1, 2)).tolist() == [2.0, 2.0]
    assert tests.lengths.tolist() == [9, 15]
    with pytest.raises(ConfigurationError, match="no such argument; ready_set_go has min_interval, offsets"):
        TimingDataModule("ready_set_go", first_phase=1)


def test_a_batch_of_everything_has_every_choice():
    data = TimingDataModule(IntervalDiscrimination(2, (0, 1, 4)), batch_size="all")
    batch = next(iter(data.train_dataloader()))
    assert batch.targets.sum((1, 2)).tolist() == [1, 1, 0, 1, 0, 0]
    assert batch.mask.sum(1).tolist() == [1] * 6


def test_the_papers_tasks_have_defaults():
    assert TimingDataModule("pfg").task == Task("pfg", 10, (), "cos", 0.3)
    for name in ("nmsd", "msd", "gts"):
        assert TimingDataModule(name).task == Task(name) == Task(name, 10, (0, 1))
        assert Task(name).parameters == {"name": name, "min_interval": 10, "offsets": (0, 1)}


def test_what_a_row_says_of_parameters_is_read_again():
    task = Task("gts", 10, (0,), first_spike_later=1, gts_input="first_step")
    assert read_readings(task.readings) == {"first_spike_later": 1, "gts_input": "first_step"}
    assert read_readings("a=0.5 b=True c=-3 d=tri") == {"a": 0.5, "b": True, "c": -3, "d": "tri"}
    assert read_readings("") == {}


def test_the_tables_recipe_of_mini_batches_learns_them():
    optimizer = {"_target_": "torch.optim.Adam", "lr": 0.03}
    recipe = BPTT("bptt", 12, 100, optimizer, None, 1.0, False)
    condition = make_condition(
        IntervalDiscrimination(2, (0, 1, 4)), streams=6000, recipe=recipe, model=Model("gru", 4), peepholes=False
    )
    module = ReplicasModule(Population.of([condition], [(0, 0), (0, 1)], 3))
    trainer = L.Trainer(
        max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu"
    )
    trainer.fit(module)
    assert Verdict.SOLVED in module.state.verdict.tolist()
    for row in range(2):
        if module.state.verdict[row] == Verdict.SOLVED:
            assert module.state.test_size[row] == 1
