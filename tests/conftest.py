"""What several tests need."""

import pytest

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
    **net: object,
) -> Condition:
    protocol = Protocol("test", learning_rate, momentum, 0.0, 2.0, -2.0)
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


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    if request.param == "native":
        pytest.importorskip("_timing_tasks_native", reason="installed without a C++ compiler")
    return create(request.param, threads=1)
