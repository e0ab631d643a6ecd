"""What several tests need."""

from collections.abc import Mapping

import pytest

from tests.running import LONG, ROOT, run
from timing_tasks.condition import Budget, Condition, Protocol
from timing_tasks.learning.engine import Engine, create
from timing_tasks.tasks import Task

ENGINES = ("torch", "native")


def make_condition(
    task: Task,
    learning_rate: float = 1e-2,
    momentum: float = 0.9,
    streams: int = 10**6,
    net_steps: int = 10**12,
    readings: Mapping[str, object] | None = None,
    **net: object,
) -> Condition:
    protocol = Protocol("test", learning_rate, momentum, 0.0, 2.0, -2.0, **(readings or {}))  # type: ignore[arg-type]
    return Condition(task, protocol, Budget(streams, net_steps), **net)  # type: ignore[arg-type]


# One of each kind of task and net.
CONDITIONS = (
    make_condition(Task("nmsd", 3, (0, 1))),
    make_condition(Task("nmsd", 4, (0, 2, 3)), output_activation="identity", peepholes=False),
    make_condition(Task("msd", 4, (0, 1, 2)), learning_rate=1e-3, output_activation="identity"),
    make_condition(Task("msd", 2, (1,))),
    make_condition(Task("gts", 5, (0,)), peepholes=False),
    make_condition(Task("gts", 5, (0, 1))),
    make_condition(Task("gts", 1, (0,)), forget_gate=False),
    make_condition(Task("pfg", 6, (), "cos", 0.3), output_activation="identity"),
    make_condition(Task("pfg", 5, (), "tri", 0.3), output_activation="identity", forget_gate=False),
)

# Every reading of a protocol that changes how a net is trained, in the tasks where it does.
READINGS = (
    make_condition(Task("msd", 4, (0, 1)), 1e-3, readings={"update_without_target": False}),
    make_condition(Task("msd", 3, (0, 1, 2)), 1e-3, readings={"update_when_wrong": False}, output_activation="identity"),
    make_condition(Task("msd", 3, (0, 1)), 1e-3, readings={"momentum_carried_over": False}, peepholes=False),
    make_condition(Task("nmsd", 3, (0, 1)), readings={"update": "stream"}),
    make_condition(Task("pfg", 5, (), "tri", 0.3), readings={"update": "stream"}, output_activation="identity"),
    make_condition(Task("gts", 3, (0, 1)), readings={"update": "stream", "momentum_carried_over": False}),
    make_condition(Task("msd", 2, (0, 1)), readings={"update_when_wrong": False, "update": "stream", "error_factor": 1.0}),
    make_condition(Task("gts", 4, (0, 2), gts_input="first_step"), readings={"error_factor": 1.0}),
    make_condition(Task("gts", 3, (1,), gts_input="first_step", first_spike_later=1)),
    make_condition(Task("nmsd", 3, (0, 2), first_spike_later=1), readings={"momentum_carried_over": False}),
    make_condition(Task("msd", 3, (0, 1), first_spike_later=1), 1e-3, readings={"training_between_tests": True}),
    make_condition(Task("pfg", 6, (), "cos", 0.3, first_phase=1), output_activation="identity"),
)


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
