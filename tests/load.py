"""Many nets at once: Table 3 with 2,000 replicas of each condition. Takes minutes, so not one of the tests.

    python tests/load.py [FOLDER]

Fails if memory, the TensorBoard files or the rows are larger than they should be, and says how fast it was beside the
engine alone with as many net-steps for each of fewer nets.
"""

import argparse
import csv
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import hydra

from timing_tasks.cli.config import experiment
from timing_tasks.learning.online.engine import create
from timing_tasks.learning.online.population import Population, State

ROOT = Path(__file__).parent.parent
REPLICAS, FEWER, NET_STEPS = 2000, 100, 1_000_000
_CHUNK = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description="Table 3 with 2,000 replicas of each condition.")
    parser.add_argument("folder", nargs="?", type=Path, help="for its rows; by default a temporary one")
    folder = parser.parse_args().folder or Path(tempfile.mkdtemp())
    overrides = [f"replicas={REPLICAS}", f"budget.net_steps={NET_STEPS}"]
    table = [sys.executable, str(ROOT / "reproduce" / "table3.py"), *overrides, f"output={folder}"]
    before = alone(overrides)
    start = time.perf_counter()
    subprocess.run(table, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    sizes = {
        name: sum(f.stat().st_size for f in (folder / name).rglob("*.*")) for name in ("tensorboard", "checkpoints")
    }
    print(f"{used.ru_maxrss / 1e3:.0f} MB of memory, {seconds:.0f} s, {used.ru_utime:.0f} s of the processor, {sizes}")
    with (folder / "runs.csv").open(newline="") as file:
        steps = [int(row["net_steps"]) for row in csv.DictReader(file)]
    with (folder / "seconds.csv").open(newline="") as file:
        in_engine = sum(float(row["seconds"]) for row in csv.DictReader(file))
    speed, after = sum(steps) / seconds, alone(overrides)
    print(
        f"{speed / 1e6:.1f}M net-steps/s; by the engine alone {before / 1e6:.1f}M before and {after / 1e6:.1f}M after "
        "it"
    )
    print(f"{in_engine / seconds:.1%} of the time in the engine")
    assert used.ru_maxrss < 1e6
    assert sizes["tensorboard"] < 50e6
    assert len(steps) == 28 * REPLICAS


def alone(overrides: list[str]) -> float:
    """Net-steps a second."""
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(ROOT / "configs")):
        conditions = experiment(hydra.compose("table3", overrides=overrides)).conditions
    people = Population.of(conditions, [(c, r) for c in range(len(conditions)) for r in range(FEWER)], 1)
    state, engine, start = State.initial(people), create("native"), time.perf_counter()
    for _ in range(NET_STEPS // _CHUNK):
        engine.run(people, state, _CHUNK)
    return int(state.net_steps.sum()) / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
