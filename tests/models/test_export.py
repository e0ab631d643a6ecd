"""The layer in programs that leave this process: `torch.export` and ONNX."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from timing_tasks.models import PeepholeLSTM, StackedPeepholeLSTM, native_recurrence
from timing_tasks.models.onnx_translation import onnx_translations

needs_native = pytest.mark.skipif(not native_recurrence.IS_BUILT, reason="installed without a C++ compiler")
STEPS = torch.export.Dim("steps", min=2, max=100)


@needs_native
def test_an_exported_program_runs_in_another_process(tmp_path: Path):
    net = StackedPeepholeLSTM(3, 5, num_layers=2, bidirectional=True, batch_first=True, initial_state="learned").eval()
    program = torch.export.export(net, (torch.randn(2, 6, 3),), dynamic_shapes=({1: STEPS},))
    x = torch.randn(2, 9, 3)
    torch.export.save(program, tmp_path / "net.pt2")
    torch.save((x, net(x)[0].detach()), tmp_path / "expected.pt")
    load = "program = torch.export.load(sys.argv[1])"
    check = "x, expected = torch.load(sys.argv[2]); assert torch.equal(program.module()(x)[0], expected)"
    outcomes = []
    for imported in ("", "import timing_tasks.models.native_recurrence;"):
        code = f"import sys; import torch; {imported} {load}; {check}"
        command = [sys.executable, "-c", code, str(tmp_path / "net.pt2"), str(tmp_path / "expected.pt")]
        outcomes.append(subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2]))
    without, with_import = outcomes
    assert without.returncode != 0
    assert "timing_tasks.peephole_lstm" in without.stderr  # what is missing is named
    assert with_import.returncode == 0, with_import.stderr


@needs_native
@pytest.mark.parametrize(
    "arguments",
    [
        {"batch_first": True, "initial_state": "learned"},
        {"activation": "identity", "cell_output_activation": "centred_logistic"},
        {"activation": "tanh", "cell_output_activation": "identity", "peepholes": False, "bias": False},
    ],
    ids=str,
)
def test_onnx(arguments, tmp_path: Path):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    layer = PeepholeLSTM(3, 5, **arguments).eval()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-1, 1)
    time = 1 if layer.batch_first else 0
    options = {"custom_translation_table": onnx_translations(), "dynamic_shapes": ({time: STEPS},)}
    program = torch.onnx.export(layer, (torch.randn(4, 4, 3),), dynamo=True, verbose=False, **options)
    program.save(str(tmp_path / "layer.onnx"))
    assert "Loop" not in {node.op_type for node in program.model.graph}
    session = runtime.InferenceSession(str(tmp_path / "layer.onnx"))
    x = torch.randn(4, 11, 3) if layer.batch_first else torch.randn(11, 4, 3)
    output, (h, c) = layer(x)
    for found, expected in zip(
        session.run(None, {session.get_inputs()[0].name: x.numpy()}), (output, h, c), strict=True
    ):
        np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-4, atol=1e-5)
