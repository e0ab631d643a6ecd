"""Nets of every cell side by side are the nets one by one, and the digits do not depend on what nets are beside."""

import pytest
import torch
from torch import nn

from timing_tasks.models import replicas
from timing_tasks.models.cells import CELLS, make_cell
from timing_tasks.models.replicas import Replicas, can_be_mapped, has_replica_axis
from timing_tasks.models.timing_net import TimingNet

MAPPED = [name for name in CELLS if name not in ("peephole_lstm", "lstm", "gru", "rnn", "mamba2")]


def nets_of(name: str, count: int) -> list[nn.Module]:
    torch.manual_seed(0)
    return [TimingNet(make_cell(name, 30)).double() for _ in range(count)]


@pytest.mark.parametrize("name", CELLS)
def test_which_cells_run_as_one(name: str):
    nets = nets_of(name, 2)
    assert has_replica_axis(TimingNet(nets[0].layer)) is False  # without an initial state
    assert Replicas([nets], [[0, 1]]).is_mapped == (
        name not in ("rnn", "lstm", "gru", "mamba2")
    )  # of the last, digits depend on the number of nets


@pytest.mark.parametrize("name", MAPPED)
def test_values_and_gradients_are_those_of_the_nets_one_by_one(name: str):
    nets, x = nets_of(name, 3), torch.rand(3, 2, 16, 1, dtype=torch.float64)
    group = Replicas([nets[:2], nets[2:]], [[0, 1], [2]])
    outputs = group(x, [2, 0, 1])
    outputs.square().sum().backward()
    for row, net in zip((1, 2, 0), nets, strict=True):
        expected = net(x[row])
        torch.testing.assert_close(outputs[row], expected, rtol=1e-12, atol=1e-12)
        expected.square().sum().backward()
    for chunk, some in zip(group.chunks, (nets[:2], nets[2:]), strict=True):
        for values, *mine in zip(chunk.values, *(net.parameters() for net in some), strict=True):
            for r, parameter in enumerate(mine):
                torch.testing.assert_close(values.grad[r], parameter.grad, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", MAPPED)
def test_digits_do_not_depend_on_the_nets_beside(name: str):
    nets, x = nets_of(name, 20), torch.rand(20, 3, 32, 1, dtype=torch.float64)
    many, alone = Replicas([nets], [list(range(20))]), Replicas([nets[17:18]], [[17]])
    together, single = many(x, list(range(20)))[17], alone(x[17:18], [17])[0]
    assert torch.equal(together, single)
    together.sum().backward()
    single.sum().backward()
    for a, b in zip(many.chunks[0].values, alone.chunks[0].values, strict=True):
        assert torch.equal(a.grad[17], b.grad[0])


def test_long_streams_run_net_by_net(monkeypatch: pytest.MonkeyPatch):
    nets, x = nets_of("min_gru", 3), torch.rand(3, 2, 16, 1, dtype=torch.float64)
    group = Replicas([nets], [[0, 1, 2]])
    expected = group(x, [0, 1, 2])
    monkeypatch.setattr(replicas, "_ALONE", 1)
    torch.testing.assert_close(group(x, [0, 1, 2]), expected, rtol=1e-12, atol=1e-12)


def test_nets_with_other_buffers_or_chance_are_not_mapped():
    nets = nets_of("min_gru", 2)
    assert can_be_mapped(nets)
    for k, net in enumerate(nets):
        net.register_buffer("fixed", torch.tensor(float(k)))
    assert not can_be_mapped(nets)
    assert not can_be_mapped([nn.Sequential(nn.Linear(1, 1), nn.Dropout()).double() for _ in range(2)])
    assert not can_be_mapped([nn.Identity()])
