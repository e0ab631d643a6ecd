"""What may go wrong around a run: in the end there are the same rows, and nothing is executed that a folder holds."""

import csv
import errno
import multiprocessing
import random
import resource
import shutil
import signal
import subprocess
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import hydra
import pytest
import torch
from tensorboard.summary.writer.record_writer import RecordWriter

from tests.helpers.conditions import QUICK_CONDITIONS as CONDITIONS
from tests.helpers.conditions import described
from tests.helpers.scripts import LONG, QUICK, ROOT, command, run
from timing_tasks.cli.config import experiment as checked
from timing_tasks.errors import ResultsError
from timing_tasks.experiment import run as experiment
from timing_tasks.experiment.callbacks import Checkpoints
from timing_tasks.experiment.experiment import Experiment
from timing_tasks.learning.online.module import OnlinePopulationModule

SCRIPT = str(ROOT / "reproduce" / "condition.py")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with its checkpoints."""
    folder = tmp_path_factory.mktemp("finished")
    experiment.run(described(folder, threads=1))
    return folder / "out"


@pytest.fixture
def interrupted(finished: Path, tmp_path: Path) -> Path:
    """A folder with all checkpoints, but no rows."""
    shutil.copytree(finished, tmp_path / "out")
    (tmp_path / "out" / "runs.csv").unlink()
    return tmp_path / "out"


def damaged(folder: Path) -> str | None:
    """The checkpoint to go on from, when the last one should be refused."""
    with pytest.warns(UserWarning, match=r"last\.ckpt is damaged"):
        return Checkpoints(folder / "checkpoints" / "online", OnlinePopulationModule.checkpoint_keys).latest()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_checkpoint_is_refused_and_the_one_before_it_used(interrupted: Path, share: float):
    last = interrupted / "checkpoints" / "online" / "last.ckpt"
    content = last.read_bytes()
    last.write_bytes(content[: int(share * len(content))])
    assert damaged(interrupted) == str(last.with_name("previous.ckpt"))


def test_a_flipped_bit_is_noticed_wherever_it_matters(interrupted: Path):
    last = interrupted / "checkpoints" / "online" / "last.ckpt"
    content = last.read_bytes()
    whole = torch.load(last, weights_only=True)
    draw = random.Random(1)
    refused = 0
    for _ in range(60):
        flipped = bytearray(content)
        flipped[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        last.write_bytes(flipped)
        try:
            refused += damaged(interrupted) is not None
        except pytest.fail.Exception:  # no warning: then it was in the padding between the parts of the file
            found = torch.load(last, weights_only=True)
            assert found["replicas"] == whole["replicas"]
            assert all(torch.equal(found["state"][name], whole["state"][name]) for name in whole["state"])
    assert refused > 10


class _Malicious:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_a_checkpoint_executes_nothing(interrupted: Path, finished: Path, tmp_path: Path):
    good = torch.load(interrupted / "checkpoints" / "online" / "last.ckpt", weights_only=True)
    for name in ("last.ckpt", "previous.ckpt"):
        torch.save(good | {"extra": _Malicious(tmp_path / "executed")}, interrupted / "checkpoints" / "online" / name)
    with pytest.warns(UserWarning, match="is damaged"):
        experiment.run(described(tmp_path, threads=1))
    assert not (tmp_path / "executed").exists()
    assert (interrupted / "runs.csv").read_bytes() == (finished / "runs.csv").read_bytes()


@pytest.mark.parametrize(
    "other",
    [{"weights": torch.zeros(3)}, torch.zeros(3), {"nets": {}, "pytorch-lightning_version": "2.6"}],
    ids=["w", "t", "bptt"],
)
def test_another_torch_file_is_not_a_checkpoint(other: object, interrupted: Path):
    torch.save(other, interrupted / "checkpoints" / "online" / "last.ckpt")
    assert damaged(interrupted) == str(interrupted / "checkpoints" / "online" / "previous.ckpt")


def test_a_checkpoint_that_may_not_be_read_is_level(interrupted: Path, monkeypatch: pytest.MonkeyPatch):
    def forbidden(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(zipfile, "ZipFile", forbidden)
    with pytest.raises(ResultsError, match=r"last.ckpt: Permission denied; mend"):
        Checkpoints(interrupted / "checkpoints" / "online", OnlinePopulationModule.checkpoint_keys).latest()


@pytest.mark.parametrize("processes", [1, 2])
def test_rows_that_are_gone_come_back_from_the_checkpoint(
    interrupted: Path, finished: Path, tmp_path: Path, processes: int
):
    lines = (finished / "runs.csv").read_text().splitlines(keepends=True)
    (interrupted / "runs.csv").write_text("".join(lines[:-2]) + lines[-2][:-9])  # what is left of that line is no row
    trainer = {"accelerator": "cpu", "devices": processes, "num_nodes": 1}
    experiment.run(described(tmp_path, threads=1, trainer=trainer))
    assert (interrupted / "runs.csv").read_bytes() == (finished / "runs.csv").read_bytes()


def test_a_checkpoint_of_another_configuration_changes_nothing(finished: Path, tmp_path: Path):
    conditions = tuple(replace(c, protocol=replace(c.protocol, learning_rate=0.02)) for c in CONDITIONS)
    wanted = experiment.run(described(tmp_path, conditions=conditions, threads=1, output=tmp_path / "clean"))
    mixed = described(tmp_path, conditions=conditions, threads=1, output=tmp_path / "mixed", replicas=1)
    experiment.run(mixed)
    shutil.copytree(finished / "checkpoints", tmp_path / "mixed" / "checkpoints", dirs_exist_ok=True)
    assert experiment.run(replace(mixed, replicas=3)) == wanted


def test_a_full_disk_while_tensorboard_writes_is_level(monkeypatch: pytest.MonkeyPatch, finished: Path, tmp_path: Path):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(RecordWriter, "write", full)
        with pytest.raises(ResultsError, match="No space left on device; mend"):
            experiment.run(described(tmp_path, threads=1))
    experiment.run(described(tmp_path, threads=1))
    assert (tmp_path / "out" / "runs.csv").read_bytes() == (finished / "runs.csv").read_bytes()


def test_a_full_disk_while_a_checkpoint_is_written_is_level(tmp_path: Path):
    arguments = (SCRIPT, *QUICK, "output=o")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))  # enough for rows, not for a checkpoint

    done = subprocess.run(
        command(*arguments), cwd=tmp_path, preexec_fn=limit, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert "File too large; mend that" in done.stderr
    assert not list((tmp_path / "o" / "checkpoints" / "online").glob("*"))
    assert run(*arguments, cwd=tmp_path).returncode == 0
    assert run(SCRIPT, *QUICK, "output=p", cwd=tmp_path).returncode == 0
    assert (tmp_path / "o" / "runs.csv").read_bytes() == (tmp_path / "p" / "runs.csv").read_bytes()


def test_a_folder_that_cannot_be_written_is_level(tmp_path: Path):
    with pytest.raises(ResultsError, match="a folder that can be written is needed"):
        experiment.run(described(tmp_path, output=Path("/proc/none/out")))


def _attempt(described: Experiment) -> None:
    experiment.run(described)


def test_twenty_kills_at_random_moments_leave_the_rows_of_an_undisturbed_run(undisturbed: bytes, tmp_path: Path):
    pytest.importorskip("_timing_tasks_native")
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(ROOT / "configs")):
        wanted = checked(hydra.compose("condition", overrides=[*LONG, f"output={tmp_path / 'o'}"]))
    server = multiprocessing.get_context("forkserver")  # processes that need not import everything again
    server.set_forkserver_preload(
        ["timing_tasks.experiment.processes", "timing_tasks.experiment.callbacks", "tests.experiment.test_faults"]
    )
    draw = random.Random(1)
    ended = []
    for _ in range(20):
        process = server.Process(target=_attempt, args=(wanted,))
        process.start()
        time.sleep(draw.uniform(0.1, 0.9))
        process.kill()
        process.join()
        ended.append(process.exitcode)
    assert ended.count(-signal.SIGKILL) > 10
    assert set(ended) <= {-signal.SIGKILL, 0}  # 0: it was done already
    experiment.run(wanted)

    def without_commit(text: str) -> list[dict[str, str]]:  # here another program runs, by which the commit is found
        return [{**row, "commit": ""} for row in csv.DictReader(text.splitlines())]

    assert without_commit((tmp_path / "o" / "runs.csv").read_text()) == without_commit(undisturbed.decode())
