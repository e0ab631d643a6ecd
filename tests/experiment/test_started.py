"""Runs that start their own processes, whatever is left in the environment and wherever they are started."""

import errno
import os
import signal
import subprocess
import threading
from pathlib import Path

import portalocker
import pytest

from tests.helpers.conditions import described
from tests.helpers.scripts import LONG, QUICK, ROOT, command, rows, run
from timing_tasks.errors import ResultsError
from timing_tasks.experiment import run as experiment
from timing_tasks.experiment.started import by_itself

SCRIPT = str(ROOT / "reproduce" / "condition.py")
LEFT = {
    **{"RANK": "1", "LOCAL_RANK": "1", "NODE_RANK": "1", "GROUP_RANK": "1", "SLURM_PROCID": "3"},
    **{"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "192.0.2.1", "MASTER_PORT": "1"},
}


@pytest.mark.parametrize("trainer", ["cpu", "processes"])
def test_what_others_left_in_the_environment_is_overruled(trainer: str, tmp_path: Path):
    asked = command(SCRIPT, *QUICK, f"trainer={trainer}", "output=o")
    environment = {**os.environ, **LEFT}
    done = subprocess.run(
        asked, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=240
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(rows(tmp_path / "o")) == 2
    assert list((tmp_path / "o" / "tensorboard").rglob("events*"))


def test_the_environment_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch):
    for name, value in LEFT.items():
        monkeypatch.setenv(name, value)
    with by_itself():
        assert not LEFT.keys() & os.environ.keys()
    assert {name: os.environ[name] for name in LEFT} == LEFT
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    with by_itself():
        assert {name: os.environ[name] for name in LEFT} == LEFT


@pytest.mark.parametrize("processes", [1, 2])
def test_a_run_may_be_started_in_a_thread_of_a_program(processes: int, tmp_path: Path):
    found: list[object] = []
    trainer = {"accelerator": "cpu", "devices": processes, "num_nodes": 1}
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    one = described(tmp_path, trainer=trainer)
    thread = threading.Thread(target=lambda: found.extend(experiment.run(one)))
    thread.start()
    thread.join()
    assert len(found) == 6
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers


def test_a_run_whose_time_is_over_goes_on_with_the_same_command(undisturbed: bytes, tmp_path: Path):
    pytest.importorskip("_timing_tasks_native")
    arguments = (SCRIPT, *LONG, "output=o")
    done = run(*arguments, "trainer.max_time=00:00:00:01", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (128 + signal.SIGTERM, "")
    assert done.stdout.endswith("stopped; the same command goes on from here\n")
    assert (tmp_path / "o" / "checkpoints" / "online" / "last.ckpt").exists()
    assert run(*arguments, cwd=tmp_path).returncode == 0
    assert (tmp_path / "o" / "runs.csv").read_bytes() == undisturbed


def test_a_lock_that_cannot_be_taken_tells_its_own_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def no_locks(*_: object) -> None:
        try:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
        except OSError as error:
            raise portalocker.LockException(error) from error

    monkeypatch.setattr(portalocker, "lock", no_locks)
    with pytest.raises(ResultsError, match=r"cannot be locked \(No locks available\); choose"):
        experiment.run(described(tmp_path))
    monkeypatch.undo()
    (tmp_path / "out").mkdir(exist_ok=True)
    with (tmp_path / "out" / "lock").open("w") as file:
        portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
        with pytest.raises(ResultsError, match="another run is writing there"):
            experiment.run(described(tmp_path))
    assert len(experiment.run(described(tmp_path))) == 6
