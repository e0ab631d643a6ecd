"""Conditions for tests: one of each kind of task and net, and every reading of a protocol."""

from collections.abc import Mapping
from pathlib import Path

from timing_tasks.conditions.condition import Budget, Condition, Protocol
from timing_tasks.experiment.experiment import Experiment
from timing_tasks.tasks import Task


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
    make_condition(
        Task("msd", 3, (0, 1, 2)), 1e-3, readings={"update_when_wrong": False}, output_activation="identity"
    ),
    make_condition(Task("msd", 3, (0, 1)), 1e-3, readings={"momentum_carried_over": False}, peepholes=False),
    make_condition(Task("nmsd", 3, (0, 1)), readings={"update": "stream"}),
    make_condition(Task("pfg", 5, (), "tri", 0.3), readings={"update": "stream"}, output_activation="identity"),
    make_condition(Task("gts", 3, (0, 1)), readings={"update": "stream", "momentum_carried_over": False}),
    make_condition(
        Task("msd", 2, (0, 1)), readings={"update_when_wrong": False, "update": "stream", "error_factor": 1.0}
    ),
    make_condition(Task("gts", 4, (0, 2), gts_input="first_step"), readings={"error_factor": 1.0}),
    make_condition(Task("gts", 3, (1,), gts_input="first_step", first_spike_later=1)),
    make_condition(Task("nmsd", 3, (0, 2), first_spike_later=1), readings={"momentum_carried_over": False}),
    make_condition(Task("msd", 3, (0, 1), first_spike_later=1), 1e-3, readings={"training_between_tests": True}),
    make_condition(Task("pfg", 6, (), "cos", 0.3, first_phase=1), output_activation="identity"),
    make_condition(Task("pfg", 7, (), "tri", 0.3, first_phase=6), output_activation="identity"),
    make_condition(Task("gts", 3, (0, 1)), readings={"cell_output_activation": "centred_logistic"}, peepholes=False),
    make_condition(
        Task("msd", 4, (0, 1)),
        1e-3,
        readings={"cell_output_activation": "centred_logistic", "update_without_target": False},
    ),
    make_condition(
        Task("pfg", 6, (), "cos", 0.3),
        readings={"cell_output_activation": "centred_logistic"},
        output_activation="identity",
    ),
    make_condition(Task("gts", 4, (0, 1)), readings={"gradient": "full"}),
    make_condition(Task("gts", 3, (0,)), readings={"gradient": "full"}, peepholes=False),
    make_condition(
        Task("msd", 3, (0, 1, 2)), 1e-3, readings={"gradient": "full", "update_when_wrong": False, "update": "stream"}
    ),
    make_condition(Task("msd", 4, (0, 1)), 1e-3, readings={"gradient": "full", "update_without_target": False}),
    make_condition(
        Task("pfg", 5, (), "cos", 0.3),
        readings={"gradient": "full", "cell_output_activation": "centred_logistic"},
        output_activation="identity",
    ),
    make_condition(Task("gts", 3, (0, 1)), readings={"state_carried_over": True}),
    make_condition(
        Task("nmsd", 3, (0, 2)), readings={"state_carried_over": True, "gradient": "full"}, output_activation="identity"
    ),
)

# Every initial state that the engines know.
LEARNED = (
    make_condition(Task("nmsd", 3, (0, 1)), initial_state="learned"),
    make_condition(
        Task("msd", 4, (0, 1, 2)), learning_rate=1e-3, output_activation="identity", initial_state="learned_cell_state"
    ),
    make_condition(Task("gts", 5, (0,)), peepholes=False, initial_state="noisy 0.3"),
    make_condition(Task("gts", 5, (0, 1)), initial_state="learned_cell_output"),
    make_condition(Task("gts", 4, (0,)), forget_gate=False, initial_state="learned"),
    make_condition(Task("pfg", 6, (), "cos", 0.3), output_activation="identity", initial_state="noisy 0.1"),
    make_condition(Task("pfg", 5, (), "tri", 0.3), output_activation="identity"),
    make_condition(
        Task("gts", 5, (0, 1)), readings={"cell_output_activation": "centred_logistic"}, initial_state="learned"
    ),
    make_condition(Task("gts", 4, (0, 1)), readings={"gradient": "full"}, initial_state="learned"),
    make_condition(
        Task("pfg", 6, (), "cos", 0.3),
        readings={"cell_output_activation": "centred_logistic", "gradient": "full"},
        output_activation="identity",
        initial_state="noisy 0.1",
    ),
    make_condition(Task("msd", 3, (0, 1)), 1e-3, readings={"gradient": "full"}, initial_state="learned_cell_state"),
    make_condition(Task("pfg", 6, (), "cos", 0.3), output_activation="identity", initial_state="fixed 0.5"),
    make_condition(Task("gts", 4, (0, 1)), peepholes=False, initial_state="fixed 2.0"),
)

# Solved or given up within a second.
QUICK_CONDITIONS = (
    make_condition(Task("nmsd", 3, (0, 1)), streams=200),
    make_condition(Task("gts", 3, (0, 1)), streams=100),
)


def described(tmp_path: Path, **changes: object) -> Experiment:
    values = {
        "name": "test",
        "title": "Test",
        "conditions": QUICK_CONDITIONS,
        "replicas": 3,
        "seed": 1,
        "engine": "native",
        "threads": 1,
        "trainer": {"accelerator": "cpu", "devices": 1, "num_nodes": 1},
        "output": tmp_path / "out",
        "protocol": "test",
        "budget": "test",
    }
    return Experiment(**values | changes)  # type: ignore[arg-type]
