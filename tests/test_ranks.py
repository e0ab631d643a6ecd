"""Runs in several processes, with real ones: the same rows as in one, whatever becomes of them on the way."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.learning.test_online import CONDITIONS, described
from tests.running import LONG, ROOT, command, run
from timing_tasks import experiment

pytest.importorskip("_timing_tasks_native", reason="installed without a C++ compiler")

SCRIPT = str(ROOT / "reproduce" / "condition.py")
# A net takes a few seconds, so that a signal finds all processes busy.
BUSY = (*(value for value in LONG if not value.startswith("engine")), "engine.threads=1", "trainer=processes")


def of_processes(count: int) -> dict[str, object]:
    return {"accelerator": "cpu", "devices": count, "num_nodes": 1}


def test_two_and_three_processes_give_the_rows_of_one_in_one_file_and_one_tensorboard_run(tmp_path: Path):
    files = []
    for count in (1, 2, 3):
        folder = tmp_path / str(count)
        rows = experiment.run(described(tmp_path, output=folder, threads=None, trainer=of_processes(count)))
        assert len(rows) == 6
        files.append((folder / "runs.csv").read_bytes())
        assert sorted(p.name for p in folder.iterdir()) == ["checkpoints", "lock", "run.json", "runs.csv", "tensorboard"]
        assert len(list((folder / "tensorboard").glob("events*"))) == 1
        board = EventAccumulator(str(folder / "tensorboard")).Reload()
        last = board.Scalars(f"solved fraction/{CONDITIONS[1]}")[-1]
        assert last.step == max(int(row.training_streams) for row in rows if row.task == "gts")
        assert last.value == pytest.approx(sum(row.status == "solved" for row in rows[3:]) / 3)
    assert files[0] == files[1] == files[2]


def start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(SCRIPT, *BUSY, *arguments),
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def children_of(process: subprocess.Popen[str]) -> list[int]:
    """Those of the training, in the order of their ranks."""
    pids = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return sorted(int(pid) for pid in pids if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes())


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    while not path.exists() and process.poll() is None:
        time.sleep(0.05)
    assert process.poll() is None, process.communicate()


def test_a_killed_process_ends_the_run_which_goes_on_with_others(undisturbed: bytes, tmp_path: Path):
    previous = tmp_path / "o" / "checkpoints" / "previous.ckpt"
    process = start("trainer.devices=2", "output=o", cwd=tmp_path)
    wait_for(previous, process)
    children = children_of(process)
    assert len(children) == 2
    os.kill(children[1], signal.SIGKILL)
    began = time.monotonic()
    output, errors = process.communicate(timeout=60)
    assert time.monotonic() - began < 15
    assert process.returncode == 2, output
    assert errors == (
        "condition.py: process 1 of this run has ended (SIGKILL); nothing is lost: the same command goes on from here, also "
        "with another number of processes\n"
    )
    previous.unlink()

    process = start("trainer.devices=3", "output=o", cwd=tmp_path)
    wait_for(previous, process)
    assert len(children_of(process)) == 3
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, errors
    assert "the same command goes on" in output
    assert errors == ""

    previous.unlink()

    process = start("trainer.devices=2", "output=o", cwd=tmp_path)
    wait_for(previous, process)
    process.kill()
    process.communicate(timeout=60)  # ends when nobody has its pipes any longer: the processes that it has started end too
    done = run(SCRIPT, *LONG, "output=o", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "o" / "runs.csv").read_bytes() == undisturbed
