import doctest
import importlib
import pkgutil

import pytest
import torch
from torch import nn

from timing_tasks.models import cells
from timing_tasks.models.cells import CELLS, make_cell, weight_count
from timing_tasks.models.initial_state import NAMES, Learned, state_shapes

# The hidden size and the weights that come nearest to 20, 200 and 2,000.
SIZES = {
    "peephole_lstm": [(1, 17), (6, 217), (21, 2017)],
    "lstm": [(1, 18), (6, 223), (21, 2038)],
    "gru": [(1, 14), (7, 218), (24, 1969)],
    "rnn": [(3, 22), (12, 193), (43, 2022)],
    "min_gru": [(4, 21), (40, 201), (400, 2001)],
    "min_lstm": [(3, 22), (28, 197), (286, 2003)],
    "lru": [(1, 12), (7, 204), (25, 2076)],
    "slstm": [(1, 14), (6, 199), (21, 1954)],
    "mamba2": [(1, 26), (8, 201), (146, 1995)],
    "transformer": [(2, 49), (4, 161), (16, 2177)],
    "temporal_convolution": [(1, 22), (4, 229), (13, 2146)],
}


@pytest.mark.parametrize("name", CELLS)
def test_the_table_of_sizes(name):
    layers = [make_cell(name, weights) for weights in (20, 200, 2000)]
    assert [(layer.hidden_size, weight_count(layer)) for layer in layers] == SIZES[name]
    for layer in layers:
        net = nn.ModuleList([layer, nn.Linear(layer.hidden_size, 1)])
        assert sum(parameter.numel() for parameter in net.parameters()) == weight_count(layer)
        output, _ = layer(torch.zeros(2, 5, 1))
        assert output.shape == (2, 5, layer.hidden_size)


@pytest.mark.parametrize("name", CELLS)
def test_no_other_size_is_nearer(name):
    step = 2 if name == "transformer" else 1
    for weights in (1, 37, 311):
        layer = make_cell(name, weights, input_size=2)
        near = [layer.hidden_size + step * k for k in (-1, 1) if layer.hidden_size + step * k >= 1]
        for size in near:
            other = CELLS[name](2, size // step)
            assert abs(weight_count(layer) - weights) <= abs(weight_count(other) - weights)


@pytest.mark.parametrize("initial_state", [name for name in NAMES if name != "zero"])
@pytest.mark.parametrize("name", [name for name in CELLS if name not in ("transformer", "temporal_convolution")])
def test_a_learned_initial_state_gets_a_gradient_in_each_tensor(name, initial_state):
    torch.manual_seed(0)
    layer = make_cell(name, 200).double()
    initial = NAMES[initial_state].of(layer)
    x = torch.rand(4, 6, 1).double()
    output, _ = layer(x, initial(4))
    if initial_state == "learned":
        torch.testing.assert_close(output, layer(x)[0])  # it begins with the zero state
    output[:, -1].square().sum().backward()
    gradients = [parameter.grad for parameter in initial.parameters()]
    assert len(gradients) == len(state_shapes(layer)[0])
    assert all(gradient.abs().max() > 0 for gradient in gradients)


@pytest.mark.parametrize("name", ["transformer", "temporal_convolution"])
def test_layers_without_a_state_have_no_initial_one(name):
    with pytest.raises(TypeError, match="its state's shapes are not known"):
        Learned.of(make_cell(name, 200))


def test_looking_for_a_size_draws_nothing():
    for name in CELLS:
        torch.manual_seed(3)
        layer = make_cell(name, 200)
        torch.manual_seed(3)
        size = layer.hidden_size // (2 if name == "transformer" else 1)
        for one, other in zip(layer.parameters(), CELLS[name](1, size).parameters(), strict=True):
            assert torch.equal(one, other)


def test_unknown_names_are_said():
    with pytest.raises(ValueError, match="name='mgu': one of peephole_lstm, lstm"):
        make_cell("mgu", 20)
    with pytest.raises(ValueError, match="weights=0"):
        make_cell("gru", 0)


@pytest.mark.parametrize("module", [one.name for one in pkgutil.iter_modules(cells.__path__)])
def test_examples_run(module):
    found = importlib.import_module(f"{cells.__name__}.{module}")
    assert doctest.testmod(found).failed == 0
