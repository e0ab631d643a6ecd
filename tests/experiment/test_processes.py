"""Runs in several processes, with real ones: the same rows as in one, whatever becomes of them on the way."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import hydra
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.helpers.conditions import QUICK_CONDITIONS as CONDITIONS
from tests.helpers.conditions import described
from tests.helpers.scripts import LONG, QUICK, ROOT, command, run
from timing_tasks.cli.config import experiment as checked
from timing_tasks.errors import ConfigurationError
from timing_tasks.experiment import processes
from timing_tasks.experiment import run as experiment
from timing_tasks.experiment.tensorboard.names import task_name

pytest.importorskip("_timing_tasks_native", reason="installed without a C++ compiler")

SCRIPT = str(ROOT / "reproduce" / "condition.py")
# A net takes a few seconds, so that a signal finds all processes busy.
BUSY = (*(value for value in LONG if not value.startswith("engine")), "engine.threads=1", "trainer=processes")
# First the online nets, in no time, then the others.
BOTH = (
    "recipe=online_and_bptt",
    "initial_state=learned",
    "task=gts",
    "replicas=3",
    "seed=3",
    "budget.training_streams=300",
)
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def of_processes(count: int) -> dict[str, object]:
    return {"accelerator": "cpu", "devices": count, "num_nodes": 1}


def test_two_and_three_processes_give_the_rows_of_one_in_one_file_and_one_tensorboard_run(tmp_path: Path):
    files = []
    for count in (1, 2, 3):
        folder = tmp_path / str(count)
        rows = experiment.run(described(tmp_path, output=folder, threads=None, trainer=of_processes(count)))
        assert len(rows) == 6
        files.append((folder / "runs.csv").read_bytes())
        assert sorted(p.name for p in folder.iterdir()) == [
            "checkpoints",
            "lock",
            "run.json",
            "runs.csv",
            "seconds.csv",
            "tensorboard",
        ]
        assert len(list((folder / "tensorboard").glob("*/events*"))) == 1
        board = EventAccumulator(str(folder / "tensorboard" / "peephole LSTM, seed 1")).Reload()
        last = board.Scalars(f"solved/{task_name(CONDITIONS[1].task)}")[-1]
        assert last.step == max(row.training_streams for row in rows if row.task == "gts")
        assert last.value == pytest.approx(sum(row.status == "solved" for row in rows[3:]) / 3)
    assert files[0] == files[1] == files[2]


def start(*arguments: str, cwd: Path, of: Sequence[str] = BUSY) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(SCRIPT, *of, *arguments),
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def children_of(process: subprocess.Popen[str]) -> list[int]:
    """Those of the training, in the order of their processes."""
    pids = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return sorted(int(pid) for pid in pids if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes())


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    while not path.exists() and process.poll() is None:
        time.sleep(0.05)
    assert process.poll() is None, process.communicate()


def test_a_killed_process_ends_the_run_which_goes_on_with_others(undisturbed: bytes, tmp_path: Path):
    previous = tmp_path / "o" / "checkpoints" / "online" / "previous.ckpt"
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
        "condition.py: process 1 of this run has ended (SIGKILL); nothing is lost: the same command goes on from here, "
        "also with another number of processes\n"
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
    process.communicate(
        timeout=60
    )  # ends when nobody has its pipes any longer: the processes that it has started end too
    done = run(SCRIPT, *LONG, "output=o", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "o" / "runs.csv").read_bytes() == undisturbed


def test_nets_of_either_recipe_are_shared_out_and_after_a_kill_go_on_under_torchrun(tmp_path: Path):
    assert run(SCRIPT, *BOTH, "output=one", cwd=tmp_path).returncode == 0
    expected = (tmp_path / "one" / "runs.csv").read_bytes()
    process = start("trainer=processes", "output=several", cwd=tmp_path, of=BOTH)
    wait_for(tmp_path / "several" / "checkpoints" / "bptt" / "previous.ckpt", process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert (tmp_path / "several" / "runs.csv").read_bytes() != expected
    done = run(*TORCHRUN, SCRIPT, *BOTH, "trainer=processes", "output=several", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Protocol: ") == 1
    assert (tmp_path / "several" / "runs.csv").read_bytes() == expected


def test_readings_side_by_side_are_shared_out_under_torchrun(tmp_path: Path):
    asked = [str(ROOT / "reproduce" / "protocols.py"), *QUICK, "only=[as_printed,per_stream]"]
    for how, folder in (((), "one"), (TORCHRUN, "several")):
        trainer = "processes" if how else "cpu"
        done = run(*how, *asked, f"trainer={trainer}", f"output={folder}", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("rows, checkpoints and TensorBoard: ") == 2
    for name in ("as_printed/runs.csv", "per_stream/runs.csv", "table.md"):
        assert (tmp_path / "several" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()


@pytest.fixture(scope="module")
def rows_of_one(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("one")
    assert run(SCRIPT, *QUICK, "output=o", cwd=folder).returncode == 0
    return (folder / "o" / "runs.csv").read_bytes()


# What SLURM 22.05 has set where a job's script runs, and besides that where srun has started something.
IN_A_JOB = {
    **{"SLURM_JOB_ID": "9741", "SLURM_JOB_NAME": "timing", "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2"},
    **{
        "SLURM_NNODES": "1",
        "SLURM_NODEID": "0",
        "SLURM_NODELIST": "127.0.0.1",
        "SLURM_PROCID": "0",
        "SLURM_LOCALID": "0",
    },
}
BY_SRUN = {**IN_A_JOB, "SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_NUM_NODES": "1"}


def test_slurm_starts_the_processes(rows_of_one: bytes, tmp_path: Path):
    """With the variables that srun sets."""
    tasks = [
        subprocess.Popen(
            command(SCRIPT, *QUICK, "trainer=processes", "output=o"),
            cwd=tmp_path,
            env={**os.environ, **BY_SRUN, "SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    outputs = [task.communicate(timeout=120) for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0], outputs
    assert "Protocol: " in outputs[0][0]
    assert outputs[1] == ("", "")
    assert (tmp_path / "o" / "runs.csv").read_bytes() == rows_of_one


def test_another_number_of_processes_than_was_started_is_refused(tmp_path: Path):
    alone = {**os.environ, "TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "RANK": "0"}
    done = subprocess.run(
        command(SCRIPT, "output=o"), cwd=tmp_path, env=alone, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == "condition.py: trainer.devices=1: torchrun has started 2 processes on 1 machine, see the README\n"
    )
    assert not list(tmp_path.iterdir())


def test_a_script_in_a_job_of_slurm_without_srun_starts_its_processes_itself(rows_of_one: bytes, tmp_path: Path):
    (tmp_path / "srun").write_text("#!/bin/sh\n")  # that it is there is enough for Lightning to warn
    (tmp_path / "srun").chmod(0o755)
    environment = {**os.environ, **IN_A_JOB, "SLURM_NTASKS_PER_NODE": "", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    asked = command(SCRIPT, *QUICK, "trainer=processes", "output=o")
    done = subprocess.run(asked, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "o" / "runs.csv").read_bytes() == rows_of_one


@pytest.mark.parametrize(
    ("changes", "overrides", "told"),
    [
        ({}, (), r"trainer.devices=1: srun has started 2 processes on 1 machine, see the README"),
        ({}, ("trainer=processes", "trainer.devices=3"), r"trainer.devices=3: srun has started 2 processes"),
        ({}, ("trainer=processes", "trainer.devices=1", "trainer.num_nodes=2"), r"2 processes on 1 machine, see"),
        ({"SLURM_STEP_NUM_NODES": "2"}, ("trainer=processes",), r"2 processes on 2 machines, see"),
        ({"SLURM_NTASKS_PER_NODE": None}, ("trainer=processes",), r"trainer.devices=2: srun needs --ntasks-per-node=2"),
        (
            {"SLURM_STEP_NUM_TASKS": "1"},
            ("trainer=processes", "trainer.num_nodes=2"),
            r"trainer.num_nodes=2: torchrun or srun must",
        ),
    ],
)
def test_what_srun_has_started_must_be_what_is_asked_for(
    changes: dict[str, str | None], overrides: tuple[str, ...], told: str, monkeypatch: pytest.MonkeyPatch
):
    for name, value in {**BY_SRUN, **changes}.items():
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(ROOT / "configs")):
        config = hydra.compose("condition", overrides=list(overrides))
    with pytest.raises(ConfigurationError, match=told):
        checked(config)


def test_the_steps_of_a_job_of_slurm_have_ports_of_their_own(monkeypatch: pytest.MonkeyPatch):
    ports = []
    for values in ({"SLURM_STEP_ID": "0"}, {"SLURM_STEP_ID": "1"}, {"SLURM_STEP_ID": "1", "MASTER_PORT": "12345"}):
        with monkeypatch.context() as context:
            context.setenv("MASTER_PORT", "")  # to be gone afterwards
            del os.environ["MASTER_PORT"]
            for name, value in {**BY_SRUN, **values}.items():
                context.setenv(name, value)
            ports.append(processes.environment().main_port)
    assert ports == [24741, 24778, 12345]


def test_a_sweep_makes_a_folder_for_each_run(tmp_path: Path):
    done = run(SCRIPT, *QUICK, "-m", "seed=1,2", "protocol=printed,closest", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = [path.read_text().splitlines()[1:] for path in tmp_path.glob("runs/condition/*/runs.csv")]
    assert [len(rows) for rows in found] == [2] * 4
    assert len({row.split(",")[7] + row.split(",")[9] for rows in found for row in rows}) == 4


def test_a_sweep_can_be_jobs_of_slurm():
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(ROOT / "configs")):
        config = hydra.compose("table1", overrides=["hydra/launcher=slurm"], return_hydra_config=True)
    assert config.hydra.launcher._target_.endswith("SlurmLauncher")
    assert config.hydra.launcher.cpus_per_task == 8


def test_a_sweep_of_jobs_is_refused_where_there_is_no_slurm(tmp_path: Path):
    asked = command(SCRIPT, "-m", "hydra/launcher=slurm", "trainer=gpus", "seed=1,2")
    nothing = {**os.environ, "PATH": str(tmp_path)}
    done = subprocess.run(asked, cwd=tmp_path, env=nothing, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "condition.py: hydra/launcher='slurm': there is no srun on this machine\n"


def test_a_sweep_of_jobs_may_ask_for_what_is_only_where_they_run(tmp_path: Path):
    for name, text in (("srun", ""), ("sbatch", "echo no such partition >&2; exit 1")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    asked = command(SCRIPT, "-m", "hydra/launcher=slurm", "trainer=gpus", "engine=torch", "seed=1,2")
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(asked, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "no such partition" in done.stderr  # it came as far as SLURM
