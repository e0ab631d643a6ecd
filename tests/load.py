"""Many nets at once: Table 3 with 2,000 replicas of each condition. Takes minutes, so not one of the tests.

    python tests/load.py [FOLDER]

Fails if memory, the TensorBoard files or the rows are larger than they should be.
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    table = [sys.executable, str(ROOT / "reproduce" / "table3.py"), "replicas=2000", "budget.net_steps=100000", f"output={folder}"]
    subprocess.run(table, check=True, stdout=subprocess.DEVNULL)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    sizes = {name: sum(f.stat().st_size for f in (folder / name).rglob("*.*")) for name in ("tensorboard", "checkpoints")}
    print(f"{used.ru_maxrss / 1e3:.0f} MB of memory, {used.ru_utime:.0f} s of the processor, {sizes}")
    assert used.ru_maxrss < 1e6
    assert sizes["tensorboard"] < 50e6
    assert len((folder / "runs.csv").read_text().splitlines()) == 1 + 28 * 2000


if __name__ == "__main__":
    main()
