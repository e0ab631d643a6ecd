"""The benchmark of a GPU, on a stand-in."""

import json
from pathlib import Path

import pytest
import torch

from tests.helpers.engines import needs_native
from timing_tasks.errors import UserError
from timing_tasks.learning.online.engine import create


@needs_native
@pytest.mark.parametrize("same", [True, False])
def test_it_writes_a_table_and_a_json_file(
    same: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    from tests.helpers.fake_gpu import FakeGpu
    from timing_tasks.cli.speed import gpu
    from timing_tasks.learning.online.cuda import CudaEngine

    class Engine(CudaEngine):
        def run(self, population, state, net_steps):  # type: ignore[no-untyped-def]
            super().run(population, state, net_steps)
            state.weights += not same

    monkeypatch.setattr(gpu, "create", lambda name, *_: Engine("cpu", FakeGpu()) if name == "cuda" else create(name, 1))
    monkeypatch.setattr(gpu, "_DIGITS", (10, 300))
    monkeypatch.setattr(gpu, "LAYERS", ((1, 2, 3),))
    monkeypatch.setattr(torch, "device", lambda name, device=torch.device: device("cpu"))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a stand-in")
    gpu.main(["--most", "1000", "--seconds", "0.01", "--output", str(tmp_path / "found")])
    found = json.loads((tmp_path / "found.json").read_text())
    assert [line["nets"] for line in found["net_steps_per_second"]] == [100, 1000]
    assert all(line["cuda"] > 0 and line["native"] > 0 for line in found["net_steps_per_second"])
    assert found["same_digits"] is same
    text = (tmp_path / "found.md").read_text()
    assert "| 1,000 |" in text
    assert ("NOT THE SAME" in text) is not same
    assert "a stand-in" in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so():
    from timing_tasks.cli.speed import gpu

    with pytest.raises(UserError, match=r"engine='cuda'"):
        gpu.main([])
    with pytest.raises(UserError, match="--most"):
        gpu.main(["--most", "1"])
