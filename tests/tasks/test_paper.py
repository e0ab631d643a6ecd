import hashlib
import pickle
from dataclasses import FrozenInstanceError, replace

import pytest

from timing_tasks.conditions.condition import Budget, Condition, Protocol
from timing_tasks.conditions.recipe import BPTT
from timing_tasks.errors import ConfigurationError
from timing_tasks.results.description import describe
from timing_tasks.tasks import GTS, MSD, NMSD, PFG, TASKS, Purpose, ReadySetGo, Task, stream

PROTOCOL, BUDGET = Protocol("p", 1e-3, 0.9, 0.0, 0.0, 0.0), Budget(10, 10)


@pytest.mark.parametrize(
    ("task", "digits"),  # of version 0.3: rows that are committed depend on every one
    [
        (Task("nmsd", 10, (0, 3, 7, 9, 11)), "43af7061ad19b05a"),
        (Task("msd", 10, (0, 1, 2)), "e3fccc2baea3d24a"),
        (Task("msd", 3, (0, 1), first_spike_later=1), "7fea05bd4e2e5adf"),
        (Task("gts", 10, (0, 1)), "452dfe05e741e0fe"),
        (Task("gts", 10, (1, 2, 5), gts_input="first_step"), "591aae43f694febb"),
        (Task("pfg", 25, (), "cos", 0.3), "cd8d0b0919a92ec7"),
        (Task("pfg", 25, (), "tri", 0.3, first_phase=1), "29abe1081387d42b"),
        (Task("pfg", 25, (), "rect", 0.3), "fecf61deb5a6c79d"),
    ],
    ids=str,
)
def test_every_digit_of_the_papers_streams_stays(task, digits):
    found = hashlib.sha256()
    for key in ((0, 0, 0), (1, 2, 3), (2**32 - 1, 7, 12345)):
        for purpose in (Purpose.TRAINING, Purpose.TEST):
            for test in range(min(2, task.test_streams)):
                for array in vars(stream(task, *key, purpose, test)).values():
                    found.update(f"{array.dtype} {array.shape} ".encode() + array.tobytes())
    assert found.hexdigest()[:16] == digits


def test_a_name_gives_the_class():
    assert TASKS == ("nmsd", "msd", "gts", "pfg")
    for task, same in (
        (Task("nmsd", 10, (0, 1)), NMSD(10, (0, 1))),
        (Task("msd", min_interval=10, offsets=[0, 1]), MSD(10, (0, 1))),
        (
            Task(name="gts", min_interval=10, offsets=range(2), gts_input="first_step"),
            GTS(10, (0, 1), "", 0.49, 0, 0, "first_step"),
        ),
        (Task("pfg", 10, waveform="cos"), PFG(10, (), "cos", 0.3)),
    ):
        assert task == same
        assert hash(task) == hash(same)
        assert type(task) is type(same)
        assert isinstance(task, Task)
        assert pickle.loads(pickle.dumps(task)) == task
        assert Task(**task.parameters) == task
        assert replace(task, min_interval=11).min_interval == 11
    assert Task("nmsd", 10, (0, 1)) != Task("msd", 10, (0, 1))
    with pytest.raises(FrozenInstanceError):
        Task("nmsd", 10, (0, 1)).min_interval = 3


def test_a_condition_is_described_as_by_version_0_3():
    conditions = [
        Condition(task, PROTOCOL, BUDGET)
        for task in (
            Task("nmsd", 10, (0, 1)),
            Task("msd", 3, (0, 1), tolerance=0.3, first_spike_later=1),
            Task("pfg", 25, (), "cos", 0.3, first_phase=1),
        )
    ]
    first, second, third = (list(one["task"].items()) for one in describe(conditions).values())
    assert first == [("name", "nmsd"), ("min_interval", 10), ("offsets", (0, 1))]
    assert second == [
        *(("name", "msd"), ("min_interval", 3), ("offsets", (0, 1)), ("tolerance", 0.3), ("first_spike_later", 1))
    ]
    assert third == [
        *(("name", "pfg"), ("min_interval", 25), ("waveform", "cos"), ("tolerance", 0.3), ("first_phase", 1))
    ]


def test_periods_tests_budgets_and_outputs_are_the_papers():
    for task, expected in (
        (Task("nmsd", 10, (0, 1, 2)), (1, 1, 3, 10**8, "identity")),
        (Task("msd", 10, (0, 1)), (100, 1000, 10, 10**8, "sigmoid")),
        (Task("msd", 10, (0,)), (100, 1000, 1, 10**8, "sigmoid")),
        (Task("gts", 10, (0, 9)), (100, 1000, 10, 10**7, "sigmoid")),
        (Task("pfg", 10, (), "tri"), (100, 1000, 1, 10**7, "identity")),
    ):
        found = (task.training_periods, task.test_periods, task.test_streams, task.default_budget)
        assert (*found, task.output_activation) == expected


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ({"name": "nmsd", "offsets": (0,), "gts_input": "first_step"}, "task.gts_input"),
        ({"name": "gts", "offsets": (0,), "first_phase": 1}, "task.first_phase"),
        ({"name": "gts", "offsets": (0,), "gts_input": "never"}, "task.gts_input"),
        ({"name": "pfg", "waveform": "cos", "first_spike_later": 1}, "task.first_spike_later"),
    ],
)
def test_readings_of_another_task_are_refused(arguments, key):
    with pytest.raises(ConfigurationError) as raised:
        Task(min_interval=10, **arguments)
    assert raised.value.key == key


def test_the_online_recipe_knows_the_papers_tasks_alone():
    with pytest.raises(ConfigurationError, match="nmsd, msd, gts, pfg for the online recipe"):
        Condition(ReadySetGo(), PROTOCOL, BUDGET)
    assert Condition(ReadySetGo(), PROTOCOL, BUDGET, recipe=BPTT()).columns["task"] == "ready_set_go"
