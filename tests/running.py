"""The scripts in a process of their own, for tests."""

import csv
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
QUICK = ("replicas=2", "budget.net_steps=20000", "budget.training_streams=2000", "engine.threads=1")


def command(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "runs.csv").open() as file:
        return list(csv.DictReader(file))


# About ten seconds of work on two cores, so that a signal finds it busy.
LONG = ("replicas=40", "budget.net_steps=20000000", "engine.threads=2", "task.min_interval=30", "seed=3")
