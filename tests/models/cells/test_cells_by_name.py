"""Cells as models of conditions: their names, nets, weights, and how a config gives them rates."""

from pathlib import Path

import numpy as np
import pytest

from tests.helpers.conditions import make_condition
from tests.helpers.rows import row
from timing_tasks.cli.compose import Call
from timing_tasks.cli.config import conditions
from timing_tasks.conditions.model import CELL_NAMES, STATELESS_CELLS, Model
from timing_tasks.conditions.recipe import BPTT
from timing_tasks.errors import ConfigurationError
from timing_tasks.experiment.nets import load_net
from timing_tasks.models.build import build_net
from timing_tasks.models.cells import CELLS, weight_count
from timing_tasks.models.timing_net import TimingNet
from timing_tasks.report.tables.recipes import weights_of
from timing_tasks.tasks import Task
from timing_tasks.tasks.suites import SUITES

ROOT = Path(__file__).parents[3]


def net_of(name: str, state: str = "zero", replica: int = 0) -> TimingNet:
    model = Model("cell", 0, name, {"weights": 50})
    kind = make_condition(Task("gts", 3, (0,)), peepholes=False, initial_state=state, recipe=BPTT("bptt"), model=model)
    net = build_net(kind, 1, replica)
    assert isinstance(net, TimingNet)
    return net


def test_every_cell_has_its_name():
    assert set(CELL_NAMES) == set(CELLS)
    with pytest.raises(ConfigurationError, match=r"model\.cells='elman': one of peephole_lstm, "):
        Model("cell", 0, "elman", {"weights": 50})


@pytest.mark.parametrize("name", CELL_NAMES)
def test_a_row_has_the_net_and_its_number_of_weights(name: str):
    net, other = net_of(name), net_of(name, replica=1)
    assert np.array_equal(net.vector(), net_of(name).vector())
    assert not np.array_equal(net.vector(), other.vector())
    values = {"model": f"{name}(weights=50)", "peepholes": False, "recipe": "bptt", "task": "gts", "interval": 3}
    one = row(0, **values, offsets=(0,), weights=tuple(net.vector().tolist()))
    assert weights_of(one) == weight_count(net.layer)
    assert np.array_equal(load_net(one).vector(), net.vector())


@pytest.mark.parametrize("name", CELL_NAMES)
def test_cells_with_a_state_can_learn_it(name: str):
    if name in STATELESS_CELLS:
        with pytest.raises(ConfigurationError, match="zero for the model"):
            net_of(name, "learned")
        return
    more = sum(p.numel() for p in net_of(name, "learned").parameters())
    assert more > sum(p.numel() for p in net_of(name).parameters())


def test_the_config_has_every_cell_on_every_task_from_each_state():
    found = conditions(Call("cells", ROOT, ("model.weights=[20]",)).config())
    assert len(found) == 20 * (2 * len(CELL_NAMES) - len(STATELESS_CELLS))
    assert {condition.task for condition in found} == set(SUITES["TIMING-20"])
    rates = "recipe.optimizer.lr={gru:0.5,lru:{20:0.25,200:0.125}}"
    some = ("model.cells=[gru,lru]", "model.weights=[20,200]", rates, "select=[{name:ready_set_go}]")
    given = {
        (c.model.target, c.model.arguments["weights"]): c.recipe.optimizer["lr"]
        for c in conditions(Call("cells", ROOT, some).config())
        if isinstance(c.recipe, BPTT)
    }
    assert given == {("gru", 20): 0.5, ("gru", 200): 0.5, ("lru", 20): 0.25, ("lru", 200): 0.125}
    with pytest.raises(ConfigurationError, match=r"rnn\(weights=20\) is missing"):
        conditions(Call("cells", ROOT, ("model.cells=[rnn]", rates)).config())
