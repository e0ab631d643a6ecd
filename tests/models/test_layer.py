"""The layer in use: natively where that can be, by the loop elsewhere, and what users of `nn.LSTM` do with one."""

import copy
import functools
import inspect
import pickle
import textwrap

import pytest
import torch
from torch import nn

from timing_tasks.models import PeepholeLSTM, native_recurrence, recurrence

needs_native = pytest.mark.skipif(not native_recurrence.IS_BUILT, reason="installed without a C++ compiler")
F64 = torch.float64


def as_torch(layers: list[PeepholeLSTM], **arguments: object) -> nn.LSTM:
    """The `nn.LSTM` of which these are the layers and directions, in its order."""
    lstm = nn.LSTM(layers[0].input_size, layers[0].hidden_size, dtype=layers[0].weight_hh.dtype, **arguments)
    with torch.no_grad():
        for parameter in lstm.parameters():
            parameter.zero_()
        suffixes = [
            name.removeprefix("weight_ih") for name, _ in lstm.named_parameters() if name.startswith("weight_ih")
        ]
        for layer, suffix in zip(layers, suffixes, strict=True):
            lstm.get_parameter("weight_ih" + suffix).copy_(layer.weight_ih)
            lstm.get_parameter("weight_hh" + suffix).copy_(layer.weight_hh)
            lstm.get_parameter("bias_ih" + suffix).copy_(layer.bias)
    return lstm


@pytest.fixture
def taken(monkeypatch) -> list[str]:
    """Which of the two recurrences ran."""
    ways: list[str] = []
    for name, module in (("recurrence", recurrence), ("native_recurrence", native_recurrence)):

        def run(*arguments, original=module.run, name=name):
            ways.append(name)
            return original(*arguments)

        monkeypatch.setattr(module, "run", run)
    return ways


@needs_native
def test_it_runs_natively_where_it_can(taken, monkeypatch):
    x = torch.randn(4, 2, 3)
    layer = PeepholeLSTM(3, 5)
    layer(x)
    layer.double()(x.double())
    assert taken == ["native_recurrence"] * 2
    taken.clear()
    half = PeepholeLSTM(3, 5, dtype=torch.bfloat16)(x.bfloat16())[0]
    assert half.dtype == torch.bfloat16
    layer.float()
    assert layer(x[:0])[0].shape == (0, 2, 5)
    assert layer(x[:, :0])[0].shape == (4, 0, 5)
    assert PeepholeLSTM(3, 5, device="meta")(x.to("meta"))[0].shape == (4, 2, 5)
    jacobian = torch.func.jacfwd(lambda x: layer(x)[0])(x)
    torch.testing.assert_close(jacobian, torch.func.jacrev(lambda x: layer(x)[0])(x))
    torch.testing.assert_close(torch.func.vmap(lambda x: layer(x)[0], in_dims=1, out_dims=1)(x), layer(x)[0])
    assert taken.pop() == "native_recurrence"
    monkeypatch.setattr(native_recurrence, "IS_BUILT", False)
    layer(x)
    assert set(taken) == {"recurrence"}


@pytest.mark.parametrize(
    "arguments", [{}, {"truncated": True}, {"replicas": 2}, {"bias": False, "peepholes": False}], ids=str
)
def test_it_compiles_without_a_break(arguments, taken):
    torch._dynamo.reset()
    layer = PeepholeLSTM(3, 5, batch_first=True, initial_state="learned", **arguments)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    for steps in (4, 6, 7):  # from the second on the length is a symbol
        x = torch.randn((*((2,) if "replicas" in arguments else ()), 2, steps, 3), requires_grad=True)
        results = []
        for run in (layer, compiled):
            output, (h, c) = run(x)
            loss = output.square().sum() + h.sum() + c.sum()
            results.append([output, h, c, *torch.autograd.grad(loss, [x, *layer.parameters()])])
        for mine, reference in zip(*results, strict=True):
            torch.testing.assert_close(mine, reference)
    assert set(taken) == {"native_recurrence" if native_recurrence.IS_BUILT else "recurrence"}


@pytest.mark.parametrize("is_native", [pytest.param(True, marks=needs_native), False])
def test_autocast(is_native, monkeypatch):
    monkeypatch.setattr(native_recurrence, "IS_BUILT", is_native)
    layer, x = PeepholeLSTM(3, 5), torch.randn(4, 2, 3)
    for inputs in (x, x.bfloat16()):
        inputs = inputs.detach().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            output, (h, _) = layer(inputs)
            (output.square().sum() + h.sum()).backward()
        assert inputs.grad.dtype == inputs.dtype
        assert all(p.grad.dtype == torch.float32 for p in layer.parameters())
        torch.testing.assert_close(output.float(), layer(x)[0], rtol=0.05, atol=0.05)
        if is_native:
            assert output.dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(ValueError, match=r"input of dtype torch\.float64"):
        layer(x.double())


def test_copies_and_files(tmp_path):
    layer, x = PeepholeLSTM(3, 5, replicas=2, initial_state="learned", activation="identity"), torch.randn(2, 4, 2, 3)
    expected = layer(x)[0]
    other = PeepholeLSTM(3, 5, replicas=2, initial_state="learned", activation="identity")
    torch.save(layer.state_dict(), tmp_path / "state")
    other.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    for copied in (other, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(copied(x)[0], expected)


def test_bad_dtypes_and_devices_are_refused_as_by_torch():
    layer, x = PeepholeLSTM(3, 5), torch.randn(4, 2, 3)
    state, wide = torch.zeros(1, 2, 5), torch.zeros(1, 2, 5, dtype=F64)
    for tensor in (x.double(), x.long(), x.half()):
        with pytest.raises(ValueError, match=r"input of dtype torch\.\w+ does not match the layer's torch\.float32"):
            layer(tensor)
    with pytest.raises(
        ValueError, match=r"c0 of dtype torch\.float64 does not match the layer's torch\.float32: .*c0\.to"
    ):
        layer(x, (state, wide))
    with pytest.raises(ValueError, match="input is on meta, the layer on cpu"):
        layer(x.to("meta"))
    with pytest.raises(ValueError, match="h0 is on meta, the layer on cpu"):
        layer(x, (state.to("meta"), state))
    with pytest.raises(ValueError, match=r"expected \(time, batch, 3\), or \(time, 3\) without a batch"):
        layer(torch.zeros(1, 4, 2, 3))


def test_what_its_docstring_shows_is_what_nn_lstm_does():
    torch.manual_seed(0)
    x, lengths, target = torch.randn(3, 6, 8), torch.tensor([6, 2, 5]), torch.randn(3, 6, 32)
    names = {"torch": torch, "x": x, "lengths": lengths, "target": target}
    names["PeepholeLSTM"] = functools.partial(PeepholeLSTM, peepholes=False)
    blocks = inspect.getdoc(PeepholeLSTM).split("::\n\n")[1:]
    assert len(blocks) == 3
    for block in blocks:
        exec(textwrap.dedent(block[: block.index("\n\n")]), names)
    one_way = as_torch([names["lstm"]], batch_first=True)
    expected, last = one_way(x)
    for mine, reference in zip((names["output"], names["h"], names["c"]), (expected, *last), strict=True):
        torch.testing.assert_close(mine, reference)
    both = as_torch([names["lstm"], names["back"]], batch_first=True, bidirectional=True)(x)[0]
    torch.testing.assert_close(names["both"], both)
    torch.testing.assert_close(names["deep"], as_torch([names["second"]], batch_first=True)(both)[0])
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    reference, (h, _) = one_way(packed)
    unpacked = nn.utils.rnn.pad_packed_sequence(reference, batch_first=True)[0]
    torch.testing.assert_close(names["output"] * names["mask"].unsqueeze(2), unpacked)
    torch.testing.assert_close(names["last"], h[0])
    errors = [(unpacked[n, :length] - target[n, :length]).square().flatten() for n, length in enumerate(lengths)]
    torch.testing.assert_close(names["loss"], torch.cat(errors).mean())
