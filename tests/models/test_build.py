"""The nets of a condition, alone and side by side."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.helpers.conditions import make_condition
from tests.helpers.rows import row
from timing_tasks.conditions.condition import Condition
from timing_tasks.conditions.model import Model
from timing_tasks.conditions.recipe import BPTT
from timing_tasks.errors import ConfigurationError
from timing_tasks.models import gru
from timing_tasks.models.build import build_net
from timing_tasks.models.initial_state import Learned
from timing_tasks.models.replicas import Replicas
from timing_tasks.models.trajectory import trajectory
from timing_tasks.models.weights import initial_weights
from timing_tasks.report.tables.recipes import weights_of
from timing_tasks.tasks import Task

TASK = Task("gts", 5, (0, 1))
X = torch.linspace(-1.0, 1.0, 3 * 2 * 9, dtype=torch.float64).reshape(3, 2, 9, 1)


def condition(model: Model = Model(), **net: object) -> Condition:  # noqa: B008
    return make_condition(
        TASK, recipe=BPTT(), model=model, peepholes=net.pop("peepholes", model.name == "peephole_lstm"), **net
    )


class Doubled(nn.Module):
    def __init__(self, features: int = 2) -> None:
        super().__init__()
        self.linear = nn.Linear(1, features)

    def forward(self, x):
        return 2 * self.linear(x).cumsum(1)


class Backward(Doubled):
    def forward(self, x):
        return super().forward(x).flip(1)


class Remembering(Doubled):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(1, dtype=torch.float64))

    def forward(self, x):
        self.seen += 1
        return super().forward(x)


class Flat(Doubled):
    def forward(self, x):
        return super().forward(x)[:, :, 0]


KINDS = [
    condition(),
    condition(peepholes=False, initial_state="learned"),
    condition(Model(hidden_size=3), initial_state="learned"),
    condition(Model("lstm", 2), initial_state="learned"),
    condition(Model("gru", 2), initial_state="learned"),
    condition(Model("custom", 0, f"{__name__}.Doubled", {"features": 3})),
]
STACKED = [kind for kind in KINDS if kind.model.name != "custom"]


@pytest.mark.parametrize("kind", STACKED, ids=lambda c: str(c.model))
def test_nets_side_by_side_give_what_each_gives_alone(kind: Condition):
    nets = [build_net(kind, 1, replica) for replica in range(6)]
    for net in nets:
        if isinstance(net.initial_state, Learned):
            for value in net.initial_state.state:
                nn.init.normal_(value)
    parts = [1, 2, 3, 4, 5], [0]  # two chunks, of which only some nets run
    together = Replicas([[nets[i] for i in part] for part in parts], parts)
    members = [4, 0, 2]
    joint = together(X, members)
    joint.square().sum().backward()
    for i, own, z in zip(members, X, joint, strict=True):
        alone = nets[i](own)
        torch.testing.assert_close(alone, z)
        alone.square().sum().backward()
    for chunk, part in zip(together.chunks, parts, strict=True):
        for place, i in enumerate(part):
            for parameter, stacked in zip(nets[i].parameters(), chunk.values, strict=True):
                expected = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                torch.testing.assert_close(stacked.grad[place], expected)


@pytest.mark.parametrize("size", [1, 3])
def test_the_gradient_of_grus_side_by_side(size: int):
    shapes = {"weight_ih": (3 * size, 1), "weight_hh": (3 * size, size), "bias_ih": (3 * size,), "bias_hh": (3 * size,)}
    weights = [torch.randn(2, *shape, dtype=torch.float64, requires_grad=True) for shape in shapes.values()]
    h = torch.randn(2, 2, size, dtype=torch.float64, requires_grad=True)

    def function(x, h, *weights):
        return gru.run({f"layer.{name}_l0": value for name, value in zip(shapes, weights, strict=True)}, x, h)

    assert torch.autograd.gradcheck(function, (X[:2, :, :5].clone().requires_grad_(), h, *weights))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 9])
def test_grus_that_are_alike_give_the_same_digits_in_every_row(size: int):
    net = build_net(condition(Model("gru", size), initial_state="learned"), 1, 0)
    together = Replicas([[net] * 16], [range(16)])
    z = together(X[:1, :, :, :].repeat(16, 1, 4, 1), range(16))
    z.square().sum().backward()
    for tensor in (z, *(value.grad for value in together.chunks[0].values)):
        assert (tensor == tensor[:1]).all()


@pytest.mark.parametrize("kind", KINDS, ids=lambda c: str(c.model))
def test_a_net_is_a_function_of_seed_and_replica(kind: Condition):
    before = torch.random.get_rng_state()
    first, again, other = build_net(kind, 1, 0).vector(), build_net(kind, 1, 0).vector(), build_net(kind, 1, 1).vector()
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("peepholes", [True, False])
def test_the_papers_net_starts_from_the_online_recipes_weights(peepholes: bool):
    net = build_net(condition(peepholes=peepholes, initial_state="learned"), 5, 7)
    assert np.array_equal(net.vector(), initial_weights(5, 7, (0.0, 2.0, -2.0), peepholes))


def test_more_cells_have_drawn_weights_and_the_gates_biases():
    net = build_net(condition(Model(hidden_size=4)), 5, 7)
    biases = net.layer.bias.reshape(4, 4)
    assert biases[[0, 1, 3]].T.tolist() == [[0.0, 2.0, -2.0]] * 4
    drawn = torch.cat(
        [net.layer.weight_ih.flatten(), net.layer.weight_hh.flatten(), net.layer.weight_peephole.flatten(), biases[2]]
    )
    assert len(drawn.unique()) == drawn.numel()
    assert drawn.abs().max() <= 0.1
    assert len(net.vector()) == 4 * (4 + 16 + 4) + 3 * 4 + 2 * 4 + 4 + 1


def test_without_a_forget_gate_f_is_one_whatever_is_learned():
    net = build_net(condition(forget_gate=False), 1, 0)
    x = X[0]
    z = net(x)
    z.sum().backward()
    layer = net.layer
    for weights in (layer.weight_ih, layer.weight_hh, layer.bias, layer.weight_peephole):
        assert not weights.grad[1].any()  # the second row is the forget gate's
    expected = trajectory(net.vector(), x[0, :, 0].numpy(), "sigmoid", has_forget_gate=False).output
    np.testing.assert_allclose(z[0, :, 0].detach().numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("learned", ["learned_cell_state", "learned_cell_output"])
@pytest.mark.parametrize("model", [Model(), Model("lstm", 2)], ids=str)
def test_one_of_the_states_can_be_learned_alone(learned: str, model: Model):
    state = build_net(condition(model, initial_state=learned), 1, 0).initial_state
    assert isinstance(state, Learned)
    assert [p.requires_grad for p in state.state] == [learned == "learned_cell_output", learned == "learned_cell_state"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda c: str(c.model))
def test_the_weights_that_a_table_counts_are_those_that_are_learned(kind: Condition):
    net = build_net(kind, 1, 0)
    weights = tuple(net.vector().tolist())
    assert weights_of(row(0, weights=weights, **kind.columns)) == sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("no_such_package.Net", "cannot be imported"),
        ("torch.nn.NoSuchNet", "cannot be imported"),
        ("torch.nn.LSTM", "cannot be imported and made"),
        ("collections.OrderedDict", "not a class of torch.nn.Module"),
        (f"{__name__}.Backward", "causal"),
        (f"{__name__}.Remembering", "its buffers change"),
        (f"{__name__}.Flat", r"gives shape \(2, 5\)"),
        ("torch.nn.Flatten", "tensor"),
    ],
)
def test_a_module_that_cannot_serve_is_refused_with_the_reason(target: str, why: str):
    with pytest.raises(ConfigurationError, match=why) as caught:
        build_net(condition(Model("custom", 0, target)), 1, 0)
    assert "\n" not in str(caught.value)
