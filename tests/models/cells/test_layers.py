"""Every layer against the formulas, its own halves, its own past and differences of its values."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from tests.models.cells import reference
from timing_tasks.models.cells import LRU, SLSTM, CausalTransformer, Mamba2, MinGRU, MinLSTM, TemporalConvolution
from timing_tasks.models.cells.layer import linear_recurrence
from timing_tasks.models.cells.transformer import turned

LAYERS = {
    "min_gru": lambda: MinGRU(2, 3),
    "min_lstm": lambda: MinLSTM(2, 3),
    "lru": lambda: LRU(2, 3),
    "slstm": lambda: SLSTM(2, 3),
    "mamba2": lambda: Mamba2(2, 3, 2),
    "transformer": lambda: CausalTransformer(2, 6),
    "temporal_convolution": lambda: TemporalConvolution(2, 3, levels=3),
}
WITH_STATE = [name for name in LAYERS if name not in ("transformer", "temporal_convolution")]
N, T = 3, 21
TOLERANCE = {torch.float64: {"rtol": 1e-11, "atol": 1e-12}, torch.float32: {"rtol": 2e-4, "atol": 2e-5}}


def made(name, dtype=torch.float64):
    torch.manual_seed(7)
    layer = LAYERS[name]().to(dtype)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.6)
    x = torch.randn(N, T, 2, dtype=dtype)
    shapes = [(*shape[:-1], N, shape[-1]) for shape in getattr(layer, "state_shapes", ())]
    return layer, x, tuple(torch.randn(shape, dtype=dtype) for shape in shapes)


def call(layer, x, states):
    output, after = layer(x, *([] if not states else [states if len(states) > 1 else states[0]]))
    return output, (after,) if isinstance(after, torch.Tensor) else (after or ())


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", LAYERS)
def test_outputs_and_states_are_those_of_the_formulas(name, dtype):
    layer, x, states = made(name, dtype)
    output, after = call(layer, x, states)
    assert output.dtype == dtype
    assert output.shape == (N, T, layer.hidden_size)
    assert [one.shape for one in after] == [one.shape for one in states]
    weights = {key: value.double().numpy() for key, value in layer.state_dict().items()}
    for n in range(N):
        start = [one.select(-2, n).double().numpy() for one in states]
        start = [one[0] if name != "mamba2" else one for one in start]  # a single layer
        outputs, last = getattr(reference, name)(weights, x[n].double().numpy(), *start)
        np.testing.assert_allclose(output[n].detach().numpy(), np.array(outputs), **TOLERANCE[dtype])
        for mine, theirs in zip(after, last, strict=True):
            mine = mine.select(-2, n).detach().numpy()
            np.testing.assert_allclose(mine.reshape(theirs.shape), theirs, **TOLERANCE[dtype])


@pytest.mark.parametrize("name", WITH_STATE)
def test_two_halves_are_the_whole_and_zeros_are_the_default(name):
    layer, x, states = made(name)
    whole, end = call(layer, x, states)
    for cut in (1, 2, 8, T - 1):
        first, between = call(layer, x[:, :cut], states)
        second, last = call(layer, x[:, cut:], between)
        torch.testing.assert_close(torch.cat([first, second], dim=1), whole, rtol=1e-11, atol=1e-12)
        torch.testing.assert_close(last, end, rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(call(layer, x, ())[0], call(layer, x, tuple(0 * one for one in states))[0])


@pytest.mark.parametrize("name", LAYERS)
def test_an_output_depends_on_no_later_input_and_on_no_other_stream(name):
    layer, x, states = made(name)
    whole, _ = call(layer, x, states)
    other = x.clone()
    other[:, 9:] = torch.randn_like(other[:, 9:]) * 10
    torch.testing.assert_close(call(layer, other, states)[0][:, :9], whole[:, :9], rtol=1e-11, atol=1e-12)
    assert (call(layer, other, states)[0][:, 9] != whole[:, 9]).any(-1).all()
    alone = call(layer, x[1:2], tuple(one[..., 1:2, :] for one in states))[0]
    torch.testing.assert_close(alone, whole[1:2], rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_are_those_of_differences(name):
    layer, x, states = made(name)
    x = x[:2, :6].clone().requires_grad_()
    states = tuple(one[..., :2, :].clone().requires_grad_() for one in states)
    names, values = zip(
        *((key, value.detach().clone().requires_grad_()) for key, value in layer.named_parameters()), strict=True
    )

    def run(x, *rest):
        weights, states = dict(zip(names, rest, strict=False)), rest[len(names) :]
        arguments = (x, states if len(states) > 1 else states[0]) if states else (x,)
        return torch.func.functional_call(layer, weights, arguments)[0]

    assert torch.autograd.gradcheck(run, (x, *values, *states), fast_mode=True)


@pytest.mark.parametrize("name", LAYERS)
def test_nothing_overflows_with_large_inputs_or_many_steps(name):
    layer, _, _ = made(name, torch.float32)
    x = 100 * torch.randn(2, 500, 2)
    output, _ = layer(x)
    output.sum().backward()
    assert output.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in layer.parameters())


def test_the_recurrence_is_the_loop():
    torch.manual_seed(1)
    for steps in (1, 2, 3, 7, 8, 9, 100):
        a, b, h = (
            torch.rand(2, steps, 3, 1).double(),
            torch.randn(2, steps, 3, 4).double(),
            torch.randn(2, 3, 4).double(),
        )
        found, state = linear_recurrence(a, b, h), h
        for t in range(steps):
            state = a[:, t] * state + b[:, t]
            torch.testing.assert_close(found[:, t], state, rtol=1e-12, atol=1e-13)


def test_lambda_lies_on_its_ring():
    torch.manual_seed(0)
    layer = LRU(1, 2000, 0.6, 0.9).double()
    modulus, phase = torch.exp(-torch.exp(layer.nu)), torch.exp(layer.theta)
    assert (modulus.min() >= 0.6) & (modulus.max() <= 0.9)
    assert (phase.min() > 0) & (phase.max() <= math.pi)
    torch.testing.assert_close(torch.exp(layer.gamma), torch.sqrt(1 - modulus**2))
    halves = (modulus**2 < (0.6**2 + 0.9**2) / 2).double().mean()  # uniform in area
    assert abs(halves - 0.5) < 0.05


def test_mamba2_starts_from_steps_of_a_thousandth_to_a_tenth():
    torch.manual_seed(0)
    layer = Mamba2(1, 1000)
    step = nn.functional.softplus(layer.step_bias)
    assert 0.00099 < step.min() < 0.0012
    assert 0.08 < step.max() < 0.101
    assert 1 <= torch.exp(layer.log_decay).min() < torch.exp(layer.log_decay).max() <= 16.001


def test_a_temporal_convolution_sees_its_receptive_field():
    torch.manual_seed(0)
    layer = TemporalConvolution(1, 4).double()
    assert layer.receptive_field == 63
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, 0.01, 0.1)  # no rectifier closes
    x = torch.rand(1, 100, 1).double().requires_grad_()
    layer(x)[0][0, 90].sum().backward()
    assert torch.arange(100)[x.grad[0, :, 0] > 0].tolist() == list(range(28, 91))


def test_attention_knows_distances_alone():
    torch.manual_seed(0)
    q, k = torch.randn(2, 3, 12, 8).double()
    later = [nn.functional.pad(one, (0, 0, 5, 0)) for one in (q, k)]  # 5 steps later
    moved = (turned(later[0]) @ turned(later[1]).transpose(1, 2))[:, 5:, 5:]
    torch.testing.assert_close(moved, turned(q) @ turned(k).transpose(1, 2), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MinGRU(0, 1), "input_size=0"),
        (lambda: SLSTM(1, 0), "hidden_size=0"),
        (lambda: Mamba2(1, 2, 0), "state_size=0"),
        (lambda: LRU(1, 2, 0.9, 0.5), "moduli from 0.9 to 0.5"),
        (lambda: CausalTransformer(1, 3), "even"),
        (lambda: TemporalConvolution(1, 3, 0), "levels=0"),
        (lambda: MinGRU(1, 2)(torch.zeros(3, 4, 2)), r"x of shape \(3, 4, 2\): \(batch, steps, 1\)"),
        (lambda: MinGRU(1, 2)(torch.zeros(3, 0, 1)), r"x of shape \(3, 0, 1\)"),
        (lambda: MinGRU(1, 2)(torch.zeros(3, 4, 1), torch.zeros(1, 4, 2)), r"a state of shapes \[\(1, 4, 2\)\]"),
        (lambda: SLSTM(1, 2)(torch.zeros(3, 4, 1), (torch.zeros(1, 3, 2),)), "a state of shapes"),
        (lambda: CausalTransformer(1, 2)(torch.zeros(3, 4, 1), torch.zeros(1)), "no state"),
        (lambda: TemporalConvolution(1, 2)(torch.zeros(3, 4, 1), torch.zeros(1)), "no state"),
    ],
)
def test_mistakes_are_said(make, message):
    with pytest.raises(ValueError, match=message):
        make()
