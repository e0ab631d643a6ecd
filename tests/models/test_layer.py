"""The layer in use: natively where that can be, by the loop elsewhere, and what users of `nn.LSTM` do with one."""

import copy
import pickle

import lightning
import pytest
import torch
from lightning.pytorch.utilities.model_summary import ModelSummary

from timing_tasks.models import PeepholeLSTM, native_recurrence, recurrence

needs_native = pytest.mark.skipif(not native_recurrence.IS_BUILT, reason="installed without a C++ compiler")
F64 = torch.float64


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


@pytest.mark.parametrize("initial_state", ["zero", "learned"])
def test_memory_that_was_never_initialised(initial_state):
    layer = PeepholeLSTM(3, 6, initial_state=initial_state)
    x, h = torch.randn(4, 2, 3), torch.randn(1, 2, 6)
    skipped = torch.nn.utils.skip_init(PeepholeLSTM, 3, 6, initial_state=initial_state)
    for tensor in (*skipped.parameters(), *skipped.buffers()):
        tensor.data.fill_(torch.nan)
    skipped.load_state_dict(layer.state_dict())
    on_meta = PeepholeLSTM(3, 6, initial_state=initial_state, device="meta")
    on_meta.load_state_dict(layer.state_dict(), assign=True)
    for other in (skipped, on_meta, on_meta.to("cpu")):
        assert torch.equal(other(x)[0], layer(x)[0])
        assert torch.equal(other(x, (h, h))[0], layer(x, (h, h))[0])


class Summarised(lightning.LightningModule):
    def __init__(self, initial_state: str) -> None:
        super().__init__()
        self.layer = PeepholeLSTM(3, 5, batch_first=True, initial_state=initial_state)
        self.example_input_array = torch.zeros(1, 4, 3)

    def forward(self, x):
        return self.layer(x)[0]


@pytest.mark.parametrize("initial_state", ["zero", "learned", "constant_input", "noisy"])
def test_lightning_summarises_it(initial_state):
    summary = str(ModelSummary(Summarised(initial_state), max_depth=2))
    assert "[1, 4, 5]" in summary
    assert "PeepholeLSTM" in summary
