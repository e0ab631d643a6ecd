"""Derivatives through chains of calls and shared tensors, compared with the loop's and with `nn.LSTM`'s."""

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from timing_tasks.models import PeepholeLSTM, native_recurrence

F64 = torch.float64


def chain(layer: nn.Module, x: Tensor) -> Tensor:
    """A state that was computed by the layer itself."""
    _, state = layer(x[:3])
    return layer(x[3:], state)[0].square().sum()


def deep(layer: nn.Module, x: Tensor) -> Tensor:
    """An input that was computed by the layer itself."""
    return layer(layer(x)[0][..., :2].sin())[0].square().sum()


def state_from_input(layer: nn.Module, x: Tensor) -> Tensor:
    state = x.mean(0).unsqueeze(0) @ torch.linspace(-1, 1, 6, dtype=x.dtype).reshape(2, 3)  # (1, N, H)
    return layer(x, (state.tanh(), state))[0].square().sum()


def shared_state(layer: nn.Module, x: Tensor) -> Tensor:
    state = x[:1, :, :1].expand(-1, -1, 3)
    return layer(x, (state, state))[0].square().sum()


def state_from_weights(layer: nn.Module, x: Tensor) -> Tensor:
    weight = next(layer.parameters())  # (4H, I)
    state = weight[:3, :1].T.expand(1, x.size(1), 3)
    return layer(x, (state, state.sin()))[0].square().sum()


FUNCTIONS = [chain, deep, state_from_input, shared_state, state_from_weights]


def layers() -> tuple[PeepholeLSTM, nn.LSTM]:
    torch.manual_seed(0)
    theirs = nn.LSTM(2, 3, dtype=F64)
    theirs.bias_hh_l0.requires_grad_(False).zero_()
    return PeepholeLSTM.from_lstm(theirs, peepholes=False), theirs


def learned(layer: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in layer.parameters() if parameter.requires_grad]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_a_path_counts_once(function):
    x = torch.randn(6, 2, 2, dtype=F64, requires_grad=True)
    results = []
    for layer in layers():
        leaves = [x, *learned(layer)]
        first = torch.autograd.grad(function(layer, x), leaves)
        again = torch.autograd.grad(function(layer, x), leaves, create_graph=True)
        second = torch.autograd.grad(sum(g.sin().sum() for g in again), leaves)
        for plain, differentiable in zip(first, again, strict=True):
            torch.testing.assert_close(plain, differentiable, rtol=1e-10, atol=1e-12)
        results.append([*first, *second])
    for mine, reference in zip(*results, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_second_derivatives_are_finite_differences(function):
    torch.manual_seed(0)
    layer = PeepholeLSTM(2, 3, dtype=F64, initial_state="learned")
    leaves = [torch.randn(4, 2, 2, dtype=F64, requires_grad=True), *learned(layer)]

    def run(*_: Tensor) -> Tensor:
        return function(layer, leaves[0])

    assert torch.autograd.gradgradcheck(run, leaves, fast_mode=True)


def test_jacobians_in_every_way():
    x = torch.randn(4, 2, 2, dtype=F64)
    results = []
    for layer in layers():

        def run(x: Tensor, layer: nn.Module = layer) -> Tensor:
            return layer(x)[0]

        jacobian = torch.autograd.functional.jacobian
        found = [jacobian(run, x), jacobian(run, x, vectorize=True)]
        found += [jacobian(run, x, vectorize=True, create_graph=True).detach()]
        if isinstance(layer, PeepholeLSTM):  # nn.LSTM has no batching rule for it
            found += [jacobian(run, x, vectorize=True, strategy="forward-mode")]
        for other in found[1:]:
            torch.testing.assert_close(other, found[0], rtol=1e-10, atol=1e-12)
        results.append(found[0])
        leaf = x.clone().requires_grad_()
        output = run(leaf)
        errors = torch.randn(3, *output.shape, dtype=F64, generator=torch.Generator().manual_seed(1))
        (batched,) = torch.autograd.grad(output, leaf, errors, is_grads_batched=True, retain_graph=True)
        one_by_one = [torch.autograd.grad(output, leaf, error, retain_graph=True)[0] for error in errors]
        torch.testing.assert_close(batched, torch.stack(one_by_one), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(*results, rtol=1e-10, atol=1e-12)


def test_forward_mode_is_a_finite_difference():
    layer, _ = layers()
    x, direction = torch.randn(2, 4, 2, 2, dtype=F64, generator=torch.Generator().manual_seed(2))
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(layer(forward_ad.make_dual(x, direction))[0]).tangent
    step = 1e-6
    difference = (layer(x + step * direction)[0] - layer(x - step * direction)[0]) / (2 * step)
    torch.testing.assert_close(tangent, difference, rtol=1e-7, atol=1e-9)


def test_the_native_recurrence_serves_again_after_forward_mode():
    layer, _ = layers()
    x = torch.randn(4, 2, 2, dtype=F64)
    before = layer(x)[0]
    with forward_ad.dual_level():
        layer(forward_ad.make_dual(x, x))
    assert torch.equal(layer(x)[0], before)


@pytest.mark.skipif(not native_recurrence.IS_BUILT, reason="installed without a C++ compiler")
def test_an_output_that_gets_no_error():
    class NoError(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.sum()

        @staticmethod
        def backward(ctx, error):
            return None

    layer, _ = layers()
    for create_graph in (False, True):
        x = torch.randn(4, 2, 2, dtype=F64, requires_grad=True)
        loss = NoError.apply(layer(x)[0]) + x.sum()
        (gradient,) = torch.autograd.grad(loss, x, create_graph=create_graph)
        assert torch.equal(gradient, torch.ones_like(x))
