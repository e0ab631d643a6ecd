"""What several tests need."""

import pytest

from tests.helpers.scripts import LONG, ROOT, run
from timing_tasks.learning.online.engine import Engine, create

ENGINES = ("torch", "native")


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    if request.param == "native":
        pytest.importorskip("_timing_tasks_native", reason="installed without a C++ compiler")
    return create(request.param, threads=1)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The rows of LONG."""
    folder = tmp_path_factory.mktemp("undisturbed")
    done = run(str(ROOT / "reproduce" / "condition.py"), *LONG, "output=o", cwd=folder)
    assert done.returncode == 0, done.stderr
    return (folder / "o" / "runs.csv").read_bytes()
