"""The native recurrence against the loop in plain tensor operations, which is what it means."""

import itertools

import pytest
import torch
from torch import Tensor

from timing_tasks.models import instruction_set, native_recurrence, recurrence
from timing_tasks.models.recurrence import Weights

pytestmark = pytest.mark.skipif(not native_recurrence.IS_BUILT, reason="installed without a C++ compiler")

F32, F64 = torch.float32, torch.float64
INSTRUCTION_SETS = instruction_set.available() if native_recurrence.IS_BUILT else ()
# (R, T, N, I, H), R = 0 for no axis: one row of the batch and several blocks of them, one cell and several panels of
# them, and what does not fill a register, on both sides of where the lanes of a register change their meaning.
SIZES = [
    (0, 1, 1, 1, 1),
    (0, 5, 3, 2, 1),
    (3, 4, 40, 1, 2),
    (7, 3, 9, 2, 4),
    (0, 6, 2, 17, 3),
    (0, 4, 7, 3, 5),
    (2, 5, 35, 1, 8),
    (0, 70, 3, 9, 8),
    (2, 3, 6, 20, 21),
    (0, 3, 19, 33, 33),
]


@pytest.fixture(autouse=True)
def one_thread():
    """Torch's own threads wait for each other at every tiny tensor, for minutes where the machine has other work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Case:
    """Inputs, drawn from a fixed seed, and the gradients of the results."""

    def __init__(self, sizes, dtype=F64, bias=True, peepholes=True, batch_first=False):
        r, t, n, i, h = sizes
        generator = torch.Generator().manual_seed(0)

        def draw(*shape: int) -> Tensor:
            return torch.randn(*((r,) if r else ()), *shape, dtype=F64, generator=generator).to(dtype)

        self.batch_first = batch_first
        time = (n, t) if batch_first else (t, n)
        self.inputs = [draw(*time, i), draw(1, n, h), draw(1, n, h)]
        self.weights = [
            draw(4 * h, i),
            draw(4 * h, h) / h**0.5,
            draw(4 * h) if bias else None,
            draw(3, h) if peepholes else None,
        ]
        self.errors = [draw(*time, h), draw(1, n, h), draw(1, n, h)]

    def run(self, run, activation="tanh", truncated=False, used=(True, True, True), cell_output=None) -> list[Tensor]:
        """The results, and the gradients of all that has one."""
        tensors = [None if t is None else t.detach().clone().requires_grad_() for t in (*self.inputs, *self.weights)]
        results = run(*tensors[:3], Weights(*tensors[3:]), activation, truncated, self.batch_first, cell_output)
        some = [(result, error) for result, error, is_used in zip(results, self.errors, used, strict=True) if is_used]
        leaves = [t for t in tensors if t is not None]
        outputs, errors = zip(*some, strict=True)
        return [*results, *torch.autograd.grad(outputs, leaves, errors, allow_unused=True, materialize_grads=True)]


def assert_equal(found: list[Tensor], expected: list[Tensor]) -> None:
    assert len(found) == len(expected)
    for mine, reference in zip(found, expected, strict=True):
        assert torch.equal(mine, reference)


def assert_close(found: list[Tensor], expected: list[Tensor], tolerance: float = 1e-12) -> None:
    assert len(found) == len(expected)
    for mine, reference in zip(found, expected, strict=True):
        assert mine.shape == reference.shape
        scale = float(reference.detach().abs().max()) or 1.0
        torch.testing.assert_close(mine.double(), reference.double(), rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_it_is_the_loop(sizes, name, monkeypatch):
    monkeypatch.setenv(instruction_set.VARIABLE, name)
    for activation, truncated in itertools.product(recurrence.ACTIVATIONS, (False, True)):
        case = Case(sizes)
        expected = case.run(recurrence.run, activation, truncated)
        assert_close(case.run(native_recurrence.run, activation, truncated), expected)
    case = Case(sizes)
    for pair in itertools.product(recurrence.ACTIVATIONS, repeat=2):
        arguments = {"activation": pair[0], "cell_output": pair[1]}
        assert_close(case.run(native_recurrence.run, **arguments), case.run(recurrence.run, **arguments))
    single = Case(sizes, F32).run(native_recurrence.run)
    assert all(tensor.dtype == F32 for tensor in single)
    assert_close(single, Case(sizes).run(recurrence.run), 3e-5)


@pytest.mark.parametrize("sizes", [(2, 4, 3, 2, 2), (2, 4, 3, 2, 9)], ids=str)
def test_it_is_the_loop_without_parts_and_with_the_batch_first(sizes):
    for bias, peepholes, batch_first in itertools.product((False, True), repeat=3):
        case = Case(sizes, bias=bias, peepholes=peepholes, batch_first=batch_first)
        for used in itertools.product((False, True), repeat=3):
            if any(used):
                assert_close(case.run(native_recurrence.run, used=used), case.run(recurrence.run, used=used))


@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
@pytest.mark.parametrize("sizes", [(3, 9, 70, 2, 3), (40, 5, 3, 1, 1), (3, 9, 70, 7, 9)], ids=str)
def test_no_digit_depends_on_threads_rows_replicas_or_instruction_set(sizes, dtype, monkeypatch):
    monkeypatch.setattr(native_recurrence, "_WORTH_A_THREAD", 1)
    case = Case(sizes, dtype)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    expected = case.run(native_recurrence.run)
    for threads in (2, 3, 7):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        assert_equal(case.run(native_recurrence.run), expected)
    for name in INSTRUCTION_SETS:
        monkeypatch.setenv(instruction_set.VARIABLE, name)
        found = case.run(native_recurrence.run)
        if (
            name == "portable" and len(INSTRUCTION_SETS) > 1
        ):  # on x86 it multiplies and adds in two roundings, as documented
            assert not all(map(torch.equal, found, expected))
            assert_close(found, expected, 1e-12 if dtype == F64 else 3e-5)
        else:
            assert_equal(found, expected)
    monkeypatch.delenv(instruction_set.VARIABLE)
    for replicas in (slice(0, 1), slice(2, 3), slice(1, 3)):
        part = Case(sizes, dtype)
        for some in (part.inputs, part.weights, part.errors):
            some[:] = [tensor[replicas] for tensor in some]
        assert_equal(part.run(native_recurrence.run), [tensor[replicas] for tensor in expected])
    for rows in (slice(0, 1), slice(1, 3), slice(2, 66)):
        part = Case(sizes, dtype)
        for some in (part.inputs, part.errors):
            some[:] = [tensor[:, :, rows] for tensor in some]
        found = part.run(native_recurrence.run)[:6]  # the rest are sums over the rows
        assert_equal(found, [tensor[:, :, rows] for tensor in expected[:6]])


@pytest.mark.parametrize("sizes", [(0, 3, 2, 2, 2), (2, 2, 3, 1, 5)], ids=str)
@pytest.mark.parametrize("activation", recurrence.ACTIVATIONS)
def test_first_and_second_derivatives(sizes, activation):
    case = Case(sizes)
    tensors = [tensor.requires_grad_() for tensor in (*case.inputs, *case.weights)]

    def run(x, h, c, *weights):
        return native_recurrence.run(x, h, c, Weights(*weights), activation, False, False)

    assert torch.autograd.gradcheck(run, tensors, fast_mode=True)
    assert torch.autograd.gradgradcheck(run, tensors, fast_mode=True)  # by way of the loop


OPERATOR, BACKWARD = torch.ops.timing_tasks.peephole_lstm, torch.ops.timing_tasks.peephole_lstm_backward
NAMES = ("x", "h0", "c0", "weight_ih", "weight_hh", "bias", "peephole")


@pytest.mark.parametrize("sizes", [(0, 3, 2, 2, 2), (2, 2, 3, 1, 5)], ids=str)
@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_the_operators_keep_the_rules_of_operators(sizes, dtype):
    case = Case(sizes, dtype)
    tensors = (*case.inputs, *case.weights)
    switches = ("tanh", "centred_logistic", False, False)
    for requires_grad in (False, True):
        inputs = [tensor.detach().clone().requires_grad_(requires_grad) for tensor in tensors]
        torch.library.opcheck(OPERATOR.default, (*inputs, *switches, True))
    out, _, _, tape = OPERATOR(*tensors, *switches, True)
    torch.library.opcheck(BACKWARD.default, (*case.errors, *tensors, out, tape, *switches, True))


@pytest.mark.parametrize("sizes", [(0, 3, 2, 2, 2), (2, 2, 3, 1, 5)], ids=str)
def test_the_operators_check_every_argument(sizes):
    case = Case(sizes)
    switches = ("tanh", "tanh", False, False)
    inputs = dict(zip(NAMES, (*case.inputs, *case.weights), strict=True))
    out, _, _, tape = OPERATOR(*inputs.values(), *switches, True)
    given = dict(zip(("dout", "dh", "dc"), case.errors, strict=True)) | inputs | {"out": out, "tape": tape}
    for name, tensor in given.items():
        wrong = [
            tensor.float(),
            tensor.to("meta"),
            tensor.to_sparse(),
            tensor[..., :-1],
            tensor.unsqueeze(0),
            tensor.sum(),
        ]
        for other in wrong:
            with pytest.raises((ValueError, NotImplementedError)):
                BACKWARD(*(given | {name: other}).values(), *switches, True)
            if name in inputs:
                with pytest.raises((ValueError, NotImplementedError)):
                    OPERATOR(*(inputs | {name: other}).values(), *switches, True)
        if tensor.device.type == "cpu":
            with pytest.raises(ValueError, match="expected"):
                BACKWARD(
                    *(tensor.to("meta") for tensor in (given | {name: tensor[..., :-1]}).values()), *switches, True
                )
    for names in (("relu", "tanh"), ("tanh", "")):
        with pytest.raises(ValueError, match=r"activation '(relu|)': one of identity, tanh, centred_logistic"):
            OPERATOR(*inputs.values(), *names, False, False, True)
    with pytest.raises(ValueError, match=r"tape of shape \(\d+,\), torch.float64: expected \(\d+,\), torch.float64"):
        BACKWARD(*(given | {"tape": tape[1:]}).values(), *switches, True)


@pytest.mark.parametrize("batch_first", [False, True])
def test_tensors_that_are_not_contiguous(batch_first):
    case, spread = Case((2, 4, 3, 2, 5), batch_first=batch_first), Case((2, 4, 3, 2, 5), batch_first=batch_first)
    spread.inputs = [torch.stack([tensor] * 2, -1)[..., 0] for tensor in spread.inputs]
    spread.weights = [tensor.mT.contiguous().mT for tensor in spread.weights]
    case.errors = [torch.full_like(tensor, 0.5) for tensor in case.errors]
    spread.errors = [torch.tensor(0.5, dtype=F64).expand(tensor.shape) for tensor in case.errors]
    assert not any(tensor.is_contiguous() for tensor in (*spread.inputs, *spread.weights, *spread.errors))
    assert_equal(spread.run(native_recurrence.run), case.run(native_recurrence.run))


def test_tensors_whose_signs_are_not_yet_turned():
    case, turned = Case((0, 4, 3, 2, 5)), Case((0, 4, 3, 2, 5))
    turned.inputs = [torch._neg_view(-tensor) for tensor in turned.inputs]
    assert all(tensor.is_neg() for tensor in turned.inputs)
    results = []
    for some in (case, turned):
        leaf = some.weights[0].clone().requires_grad_()
        output, h, c = native_recurrence.run(*some.inputs, Weights(leaf, *some.weights[1:]), "tanh", False, False)
        results.append([output, h, c, *torch.autograd.grad(output.sum(), leaf)])
    assert_equal(*results)


def test_large_numbers_saturate_and_bad_numbers_stay_with_their_row():
    case = Case((0, 3, 4, 2, 3), F32)
    case.inputs[0] *= 1e4
    assert_close(case.run(native_recurrence.run)[:3], case.run(recurrence.run)[:3], 1e-5)
    case.inputs[0][1, 2] = torch.nan
    output = case.run(native_recurrence.run)[0]
    assert output[1:, 2].isnan().all()
    assert output[:, [0, 1, 3]].isfinite().all()


def test_nothing_is_kept_where_no_gradient_is_wanted():
    x, h, c = Case((0, 3, 4, 2, 3)).inputs
    weights = Case((0, 3, 4, 2, 3)).weights
    assert OPERATOR(x, h, c, *weights, "tanh", "tanh", False, False, False)[3].numel() == 0
