"""A layer of R replicas is R layers side by side."""

import pytest
import torch
from torch import Tensor, nn

from timing_tasks.models import ConstantInput, Contextual, Learned, PeepholeLSTM
from timing_tasks.models.initial_state import state_shapes

R, T, N, FEATURES, H = 3, 6, 2, 2, 4
F64 = torch.float64


def draw(layer: nn.Module) -> None:
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-1, 1)


def separate(layer: PeepholeLSTM, **arguments: object) -> list[PeepholeLSTM]:
    """The replicas of a layer, as layers of their own."""
    layers = []
    for r in range(R):
        alone = PeepholeLSTM(FEATURES, H, dtype=F64, **arguments)  # type: ignore[arg-type]
        alone.load_state_dict({name: value[r] for name, value in layer.state_dict().items()})
        layers.append(alone)
    return layers


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"batch_first": True},
        {"bias": False, "peepholes": False},
        {"activation": "identity", "truncated": True, "initial_state": "learned"},
    ],
    ids=str,
)
@pytest.mark.parametrize("given_state", [False, True])
@pytest.mark.parametrize("batched", [False, True])
def test_values_and_gradients_are_those_of_separate_layers(arguments, given_state: bool, batched: bool):
    torch.manual_seed(0)
    layer = PeepholeLSTM(FEATURES, H, replicas=R, dtype=F64, **arguments)
    draw(layer)
    shape = (
        (R, T, FEATURES)
        if not batched
        else (R, N, T, FEATURES)
        if arguments.get("batch_first")
        else (R, T, N, FEATURES)
    )
    x = torch.randn(shape, dtype=F64, requires_grad=True)
    state = [torch.randn((R, 1, N, H) if batched else (R, 1, H), dtype=F64, requires_grad=True) for _ in range(2)]

    def loss(output: Tensor, last: tuple[Tensor, Tensor]) -> Tensor:
        return output.square().sum() + last[0].sin().sum() + last[1].cos().sum()

    output, last = layer(x, tuple(state) if given_state else None)
    loss(output, last).backward()
    for r, alone in enumerate(separate(layer, **arguments)):
        inputs = [tensor.detach()[r].clone().requires_grad_() for tensor in (x, *state)]
        expected, expected_last = alone(inputs[0], tuple(inputs[1:]) if given_state else None)
        loss(expected, expected_last).backward()
        together = [output, *last, x.grad, *(p.grad for p in layer.parameters())]
        apart = [expected, *expected_last, inputs[0].grad, *(p.grad for p in alone.parameters())]
        if given_state:
            together, apart = [*together, *(s.grad for s in state)], [*apart, *(s.grad for s in inputs[1:])]
        for mine, reference in zip(together, apart, strict=True):
            assert (mine is None) == (reference is None)
            if mine is not None:
                torch.testing.assert_close(mine[r], reference, rtol=1e-12, atol=1e-12)


def test_every_replica_has_an_initial_state_of_its_own():
    layer = PeepholeLSTM(FEATURES, H, replicas=R, initial_state="learned", dtype=F64)
    assert layer.state_shapes == ((R, 1, H), (R, 1, H))
    assert state_shapes(layer) == (layer.state_shapes, 2)
    assert [tuple(p.shape) for p in layer.initial_state.parameters()] == [(R, 1, H), (R, 1, H)]
    initial = Learned.of(layer)
    draw(initial)
    h, c = initial(N)
    assert h.shape == c.shape == (R, 1, N, H)
    assert torch.equal(h[1, 0, 1], initial.state[0][1, 0])
    x, contexts = torch.randn(R, T, N, FEATURES, dtype=F64), torch.randn(N, 5, dtype=F64)
    for state in (ConstantInput.of(layer)(N), Contextual.of(layer, context_size=5)(N, contexts)):
        assert layer(x, state)[1][0].shape == (R, 1, N, H)


def test_parameters_have_the_axis_and_are_drawn_and_set_alike():
    layer = PeepholeLSTM(FEATURES, H, replicas=R, gate_bias={"forget": 2.0})
    shapes = {name: tuple(p.shape) for name, p in layer.named_parameters()}
    assert shapes == {
        "weight_ih": (R, 4 * H, FEATURES),
        "weight_hh": (R, 4 * H, H),
        "bias": (R, 4 * H),
        "weight_peephole": (R, 3, H),
    }
    assert (layer.bias.view(R, 4, H)[:, 1] == 2.0).all()
    assert not torch.equal(layer.weight_hh[0], layer.weight_hh[1])
    assert "replicas=3" in repr(layer)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="replicas=0: at least 1"):
        PeepholeLSTM(FEATURES, H, replicas=0)
    layer = PeepholeLSTM(FEATURES, H, replicas=R, batch_first=True)
    for shape in [(N, FEATURES), (R + 1, N, T, FEATURES), (R, N, T, FEATURES + 1), (1, R, N, T, FEATURES)]:
        with pytest.raises(ValueError, match=r"expected \(3, batch, time, 2\), or \(3, time, 2\) without a batch"):
            layer(torch.zeros(shape))
    with pytest.raises(ValueError, match=r"c0 of shape \(3, 1, 4\): expected \(3, 1, 2, 4\)"):
        layer(torch.zeros(R, N, T, FEATURES), (torch.zeros(R, 1, N, H), torch.zeros(R, 1, H)))
