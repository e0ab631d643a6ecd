"""The scripts in a process of their own, for tests."""

import csv
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
QUICK = ("replicas=2", "budget.net_steps=20000", "budget.training_streams=2000", "engine.threads=1")

# Most of a short script's time is Lightning's import, so scripts are run by forks of a process that has imported it.
_IMPORTED = multiprocessing.get_context("forkserver")
_IMPORTED.set_forkserver_preload(
    [
        *("lightning", "timing_tasks.cli.application", "timing_tasks.cli.scripts.everything"),
        "timing_tasks.learning.replicas",
    ]
)


def command(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """What `python` does with some arguments."""
    if arguments[0].startswith("-"):
        return subprocess.run(command(*arguments), cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "stdout", Path(folder) / "stderr"
        process = _IMPORTED.Process(target=_run_script, args=(arguments, cwd, files))
        process.start()
        process.join(300)
        if process.is_alive():
            process.kill()
            raise subprocess.TimeoutExpired(arguments, 300)
        return subprocess.CompletedProcess(arguments, process.exitcode or 0, *(file.read_text() for file in files))


def _run_script(arguments: tuple[str, ...], cwd: Path, files: tuple[Path, Path]) -> None:
    os.chdir(cwd)
    for number, path in enumerate(files, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))
    sys.argv = list(arguments)
    runpy.run_path(arguments[0], run_name="__main__")


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "runs.csv").open() as file:
        return list(csv.DictReader(file))


# About ten seconds of work on two cores, so that a signal finds it busy.
LONG = ("replicas=40", "budget.net_steps=20000000", "engine.threads=2", "task.min_interval=30", "seed=3")
