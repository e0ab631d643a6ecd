import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest

from timing_tasks.errors import ConfigurationError
from timing_tasks.tasks import (
    IntervalDiscrimination,
    Purpose,
    ReadySetGo,
    Stream,
    Task,
    TaskError,
    check_task,
    score,
    stream,
    task_names,
)


@dataclass(frozen=True)
class Echo(Task):
    """Of the docstring of `Task`: at the end of each period its offset is asked for."""

    name = "echo"
    min_interval: int = 5
    offsets: tuple[int, ...] = (0, 1)
    scale: float = 1.0

    def stream_of(self, offsets):
        lengths = self.min_interval + offsets
        period = np.repeat(np.arange(len(offsets)), lengths)
        ends = np.cumsum(lengths) - 1
        inputs, targets = np.zeros((2, len(period)))
        inputs[ends], targets[ends] = 1.0, self.scale * offsets
        return Stream(inputs, targets, inputs > 0, period)


def changed(make):
    """A task whose streams are those of Echo, changed by `make`."""

    @dataclass(frozen=True)
    class Changed(Echo):
        name = "changed"

        def stream_of(self, offsets):
            return make(self, super(type(self), self).stream_of(offsets))

    return Changed()


@pytest.mark.parametrize(
    "task",
    [
        *(Task("nmsd", 10, (0, 1)), Task("nmsd", 2, (0, 3, 5)), Task("msd", 10, (0, 1, 2)), Task("msd", 1, (0, 1))),
        *(Task("gts", 10, (0,)), Task("gts", 10, (0, 1)), Task("gts", 4, (1, 2), gts_input="first_step")),
        *(Task("gts", 4, (1, 2), first_spike_later=1), Task("pfg", 10, (), "cos"), Task("pfg", 25, (), "tri")),
        *(
            Task("pfg", 10, (), "rect", first_phase=1),
            Task("ready_set_go"),
            ReadySetGo(2, (0, 1)),
            ReadySetGo(50, (0, 9)),
        ),
        *(Task("interval_discrimination"), IntervalDiscrimination(1, (0, 1, 5)), Echo(), Task("echo", 7)),
    ],
    ids=str,
)
def test_these_keep_the_contract(task):
    check_task(task)
    check_task(task, seed=5)
    assert score(task, lambda one: one.targets) == 1
    for constant in (0.0, 0.5, 1.0):
        assert score(task, lambda one, c=constant: np.full(len(one.targets), c)) <= 0.5


def state(task, one):
    return dataclasses.replace(one, inputs=one.inputs + np.random.random())  # noqa: NPY002 what is to be found out


def other_dtype(task, one):
    return dataclasses.replace(one, inputs=one.inputs.astype(np.float32))


def shorter(task, one):
    return dataclasses.replace(one, targets=one.targets[:-1])


def nan(task, one):
    return dataclasses.replace(one, targets=one.targets * np.nan)


def no_target(task, one):
    return dataclasses.replace(one, targets=0 * one.targets, has_target=one.has_target & (one.period > 0))


def stray_target(task, one):
    return dataclasses.replace(one, targets=one.targets + ~one.has_target)


def periods_from_one(task, one):
    return dataclasses.replace(one, period=one.period + 1)


def a_period_less(task, one):
    kept = one.period < one.period[-1]
    return Stream(*(array[kept] for array in vars(one).values()))


def out_of_range(task, one):
    return dataclasses.replace(one, targets=1.5 * one.targets)


def no_input(task, one):
    return dataclasses.replace(one, inputs=0 * one.inputs)


def normalised(task, one):
    return dataclasses.replace(one, inputs=one.inputs / len(one.inputs))


def always_one(task, one):
    return dataclasses.replace(one, targets=one.has_target * 1.0)


def cannot(task, one):
    raise ZeroDivisionError("too short")


@pytest.mark.parametrize(
    ("make", "broken"),
    [
        (state, "is another when it is asked for again"),
        (other_dtype, r"inputs is float32 \(\d+,\), not float64"),
        (shorter, "targets is float64"),
        (nan, "targets has values that are not finite"),
        (no_target, "a period has no step with a target"),
        (stray_target, "targets are not 0 at steps that have none"),
        (periods_from_one, "period does not count the periods from 0"),
        (a_period_less, "a stream of 20 periods has 19"),
        (out_of_range, r"a target 1\.5 lies outside the range \[0, 1\] of a sigmoid output"),
        (no_input, r"two streams have the same inputs up to step \d+ and different targets there"),
        (normalised, "a stream of fewer periods is not the beginning of one of more"),
        (always_one, "the constant answer 1 is right in 100% of the test streams"),
        (cannot, r"its streams cannot be made \(ZeroDivisionError: too short\)"),
    ],
)
def test_what_is_broken_is_said(make, broken):
    with pytest.raises(TaskError, match=rf"^task changed F=5 I=\{{0,1\}}: .*{broken}"):
        check_task(changed(make))


@pytest.mark.parametrize(
    ("task", "constant", "share"),
    [
        (Task("nmsd", 10, (3,)), 3, "100%"),
        (Task("msd", 10, (0,)), 0, "100%"),
        (Task("pfg", 10, (), "cos", 0.6), 0.5, "100%"),
        (Task("gts", 10, (0, 1), tolerance=1.1), 0.5, "100%"),
        (Task("nmsd", 10, (0, 1, 2, 9), tolerance=1.6), 1, "75%"),
        (Task("nmsd", 10, (0, 1, 2), tolerance=0.6), 0.5, "67%"),
    ],
    ids=str,
)
def test_a_task_that_a_constant_nearly_solves_is_refused(task, constant, share):
    with pytest.raises(TaskError, match=f"the constant answer {constant} is right in {share} of the test streams"):
        check_task(task)


def test_streams_have_to_depend_on_seed_replica_and_number():
    @dataclass(frozen=True)
    class Alike(Echo):
        name = "alike"

        def draw(self, seed, replica, purpose, number, test, periods):
            return super().draw(seed, replica, purpose, 0 * number, test, periods)

    with pytest.raises(TaskError, match=r"task alike .* do not depend on the number"):
        check_task(Alike())


def test_parameters_have_to_make_the_task_again():
    @dataclass(frozen=True)
    class Forgetful(Echo):
        name = "forgetful"
        weights: list = dataclasses.field(default_factory=list)

    with pytest.raises(TaskError, match=r"task forgetful .* is not made again"):
        check_task(Forgetful())  # no hash
    with pytest.raises(TaskError, match=r"no instance of timing_tasks\.tasks\.Task"):
        check_task("nmsd")


def test_a_task_of_ones_own_is_known_by_its_name():
    assert Task("echo") == Echo(5, (0, 1))
    assert Task("echo", 7, scale=0.5) == Echo(7, scale=0.5)
    assert {"nmsd", "ready_set_go", "echo"} <= set(task_names())
    assert Echo(7, scale=0.5).readings == "scale=0.5"
    assert Echo(7, scale=0.5).parameters == {"name": "echo", "min_interval": 7, "offsets": (0, 1), "scale": 0.5}
    assert (str(Echo()), str(Echo(tolerance=0.1))) == ("echo F=5 I={0,1}", "echo F=5 I={0,1} within 0.1")
    assert (Echo().training_periods, Echo().test_periods, Echo().test_streams) == (100, 1000, 10)
    with pytest.raises(ConfigurationError, match=r"task='ecko': one of .*nmsd, gts, pfg.*, echo"):
        Task("ecko")


def test_names_are_identifiers_of_one_class():
    with pytest.raises(ConfigurationError, match=r"another name; timing_tasks.tasks.paper.NMSD has this one"):
        type("Mine", (Echo,), {"name": "nmsd"})
    with pytest.raises(ConfigurationError, match="letters, digits and underscores"):
        type("Mine", (Echo,), {"name": "my task"})
    assert Task("nmsd", 10, (0, 1)).test_streams == 2
    with pytest.raises(TypeError, match="Bare is no dataclass"):
        type("Bare", (Task,), {"name": "bare"})(10)


def test_ready_set_go_asks_for_the_interval_that_was_shown():
    task = ReadySetGo(3, (0, 2))
    one = stream(task, 0, 0, 0, Purpose.TEST, test=1)  # 5 steps
    assert np.flatnonzero(one.inputs).tolist() == [0, 5]
    assert one.targets.tolist() == [0.0] * 10 + [1.0]
    assert one.has_target.all()
    two = task.stream_of(np.array([0, 2]))
    assert np.flatnonzero(two.inputs).tolist() == [0, 3, 7, 12]
    assert np.flatnonzero(two.targets).tolist() == [6, 17]
    assert two.period.tolist() == [0] * 7 + [1] * 11


def test_interval_discrimination_asks_which_was_longer():
    task = IntervalDiscrimination(2, (0, 1, 4))
    assert task.test_streams == 6
    for test, (first, second) in enumerate([(0, 1), (0, 4), (1, 0), (1, 4), (4, 0), (4, 1)]):
        one = stream(task, 0, 0, 0, Purpose.TEST, test)
        assert np.flatnonzero(one.inputs).tolist() == [0, 2 + first, 4 + first + second]
        assert np.flatnonzero(one.has_target).tolist() == [len(one.inputs) - 1]
        assert one.targets[-1] == (second > first)
    assert task.stream_of(np.array([0, 5])).period.tolist() == [0] * 6 + [1] * 10
    with pytest.raises(ConfigurationError, match=r"task.offsets=\[0, 1\]: 3 to 32 different"):
        IntervalDiscrimination(10, (0, 1))
