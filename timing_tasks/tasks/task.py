"""The base of every task: parameters, how streams are drawn, when it is solved; and tasks by their names."""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from timing_tasks.errors import ConfigurationError
from timing_tasks.philox import philox4x32
from timing_tasks.tasks.streams import Purpose, Stream

LONGEST_INTERVAL = 1_000_000  # keeps a stream's length well inside 32 bits

_kinds: dict[str, type[Task]] = {}


def task_names() -> tuple[str, ...]:
    """The names of all tasks: the paper's four, others in the package, and those that the user has defined."""
    return tuple(_kinds)


class _ByName(type):
    """Makes `Task("gts", 10, (0, 1))` the same as `GTS(10, (0, 1))`."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """An instance; of `Task` itself, one of the class with the name that is the first argument."""
        return _by_name(*args, **kwargs) if cls is Task else super().__call__(*args, **kwargs)


def task_class(name: str) -> type[Any]:
    """The class of the tasks with a name.

    Raises:
        ConfigurationError: there is none.
    """
    if name not in _kinds:
        raise ConfigurationError("task", name, f"one of {', '.join(_kinds)}")
    return _kinds[name]


def usual_tolerance(name: str) -> float:
    """The default tolerance of the task with a name; of every task where none of that name is defined here."""
    tolerance: float = _kinds.get(name, Task).tolerance
    return tolerance


def _by_name(name: str, *args: Any, **kwargs: Any) -> Any:
    return task_class(name)(*args, **kwargs)


@dataclass(frozen=True, init=False)
class Task(metaclass=_ByName):
    """A task with its parameters. `Task(name, ...)` gives the task with that name.

    A task of one's own is a frozen dataclass that has a name and says what a stream is, given the number that was drawn
    for each of its periods. Everything else has a default. `check_task` tells whether it keeps the contract.

        @dataclass(frozen=True)
        class Echo(Task):                      # repeats the length of a period in the next step
            name = "echo"
            min_interval: int = 5
            offsets: tuple[int, ...] = (0, 1)

            def stream_of(self, offsets):      # int64, [periods]
                lengths = self.min_interval + offsets
                period = np.repeat(np.arange(len(offsets)), lengths)
                ends = np.cumsum(lengths) - 1
                inputs, targets = np.zeros((2, len(period)))
                inputs[ends], targets[ends] = 1.0, offsets
                return Stream(inputs, targets, inputs > 0, period)

        Task("echo") == Echo(5, (0, 1))

    The four fields below are those that rows of results have columns for. A subclass may add others, with defaults.

    Attributes:
        name: of the task, an identifier; a class attribute.
        min_interval: F, in steps: the minimum interval; for a periodic function the period.
        offsets: the set from which I(n), in steps, is drawn.
        waveform: one of `waveforms`; empty if there are none.
        tolerance: a prediction is right if it is nearer to the target than this.
        single_period: a stream is one period, and the tests go through every choice in turn; a class attribute.
        has_dense_targets: whether every step has a target; a class attribute.
        waveforms: what `waveform` can be; a class attribute.
        fewest_offsets: how many there are at least; a class attribute.
        most_offsets: how many offsets it can have at most.
        default_budget: training streams after which a net is given up; a class attribute.
    """

    name: ClassVar[str]
    single_period: ClassVar[bool] = False
    has_dense_targets: ClassVar[bool] = False
    waveforms: ClassVar[tuple[str, ...]] = ()
    fewest_offsets: ClassVar[int] = 1
    most_offsets: ClassVar[int] = 1_000
    default_budget: ClassVar[int] = 10_000_000

    min_interval: int
    offsets: tuple[int, ...] = ()
    waveform: str = ""
    tolerance: float = 0.49

    def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
        """What `Task(name, ...)` takes; instances are made by the dataclasses' own."""
        raise TypeError(f"{type(self).__name__} is no dataclass: write @dataclass(frozen=True) before it")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Make the class known by its name.

        Raises:
            ConfigurationError: a name that is no identifier, or that another class has.
        """
        super().__init_subclass__(**kwargs)
        name = cls.__dict__.get("name")
        if name is None:
            return
        if not isinstance(name, str) or not name.isidentifier():
            raise ConfigurationError("task", name, "a name of letters, digits and underscores")
        other = _kinds.get(name, cls)
        if (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):  # a cell may be run again
            raise ConfigurationError(
                "task", name, f"another name; {other.__module__}.{other.__qualname__} has this one"
            )
        _kinds[name] = cls

    def __post_init__(self) -> None:
        """Raise ConfigurationError for the first parameter that cannot be."""
        if isinstance(self.offsets, (list, range)):
            object.__setattr__(self, "offsets", tuple(self.offsets))  # tasks are hashed
        self.check_parameters()

    def check_parameters(self) -> None:
        """Raise ConfigurationError for the first parameter that cannot be; called for every new task."""
        if not _is_whole(self.min_interval) or not 1 <= self.min_interval <= LONGEST_INTERVAL:
            raise ConfigurationError(
                self.interval_key, self.min_interval, f"a whole number of steps from 1 to {LONGEST_INTERVAL}"
            )
        offsets = self.offsets
        if (
            not isinstance(offsets, tuple)
            or not self.fewest_offsets <= len(offsets) <= self.most_offsets
            or not all(_is_whole(i) and 0 <= i <= LONGEST_INTERVAL for i in offsets)
            or len(set(offsets)) < len(offsets)
        ):
            count = f"{self.fewest_offsets} to {self.most_offsets}"
            allowed = f"{count} different whole numbers from 0 to {LONGEST_INTERVAL}, such as [0,1]"
            raise ConfigurationError("task.offsets", list(offsets) if isinstance(offsets, tuple) else offsets, allowed)
        if self.waveform not in (self.waveforms or ("",)):
            allowed = f"one of {', '.join(self.waveforms)}" if self.waveforms else f"none for the task {self.name}"
            raise ConfigurationError("task.waveform", self.waveform, allowed)
        tolerance = self.tolerance
        if (
            isinstance(tolerance, bool)
            or not isinstance(tolerance, (int, float))
            or not 0 < tolerance < math.inf  # NaN is refused as well
        ):
            raise ConfigurationError("task.tolerance", tolerance, "a number above 0")

    def stream_of(self, offsets: np.ndarray) -> Stream:
        """The stream for the numbers that were drawn, a pure function of them.

        Args:
            offsets: I(n), one of `choices` for each period, int64, shape [periods], for any number of periods.
        """
        raise NotImplementedError(f"{type(self).__name__}.stream_of: what the net sees and what is asked of it")

    @property
    def choices(self) -> np.ndarray:
        """The numbers of which one is drawn for each period, int64, shape [K]."""
        return np.asarray(self.offsets or (0,), dtype=np.int64)

    def draw(
        self,
        seed: np.ndarray,
        replica: np.ndarray,
        purpose: Purpose,
        number: np.ndarray,
        test: np.ndarray,
        periods: int,
    ) -> np.ndarray:
        """One of the `choices` for each period of a stream, int64, [..., periods]; see `tasks.streams.offsets`.

        Args:
            seed: int64, [...].
            replica: int64, [...].
            purpose: TRAINING or TEST.
            number: int64, [...].
            test: int64, [...].
            periods: how many.
        """
        seed, replica, number, test = (column[..., None] for column in (seed, replica, number, test))
        shape = (*number.shape[:-1], periods)
        choices = self.choices
        if self.single_period and purpose == Purpose.TEST:
            every: np.ndarray = choices[test]  # every possible input in turn
            return every
        if not self.is_random:
            return np.broadcast_to(choices, shape)
        draw, stream_word = (number, 0) if self.single_period else (np.arange(periods), number)
        draw, stream_word, test, seed, replica, _ = np.broadcast_arrays(
            draw, stream_word, test, seed, replica, np.empty(shape)
        )
        words = philox4x32((draw // 4, stream_word, test, np.full(shape, int(purpose))), (seed, replica))
        word = np.choose(draw % 4, words)
        drawn: np.ndarray = choices[(word * len(choices)) >> 32]
        return drawn

    @property
    def is_random(self) -> bool:
        """Whether the streams differ from one another."""
        return len(self.choices) > 1

    @property
    def training_periods(self) -> int:
        """Periods after which a training stream ends (PAPER.md 3)."""
        return 1 if self.single_period else 100

    @property
    def test_periods(self) -> int:
        """Periods after which a test stream ends (PAPER.md 3)."""
        return 1 if self.single_period else 1000

    @property
    def test_streams(self) -> int:
        """Test streams, one after the other without a wrong prediction, that make a solution (PAPER.md 3).

        Of single periods every input that is possible, otherwise ten random streams, or the only one there is.
        """
        if self.single_period:
            return len(self.choices)
        return 10 if self.is_random else 1

    @property
    def output_activation(self) -> str:
        """Of the output unit: `sigmoid`, whose outputs lie in [0, 1], or `identity`, where targets lie elsewhere."""
        return "sigmoid"

    @property
    def interval_key(self) -> str:
        """What `min_interval` is called in configs and messages."""
        return "task.min_interval"

    @property
    def readings(self) -> str:
        """The parameters of the class's own that are not at their defaults, such as `first_phase=1`; empty if none."""
        shared = {one.name for one in fields(Task)}
        mine = {one.name: (getattr(self, one.name), one.default) for one in fields(self) if one.name not in shared}
        return " ".join(f"{key}={value}" for key, (value, default) in mine.items() if value != default)

    @property
    def parameters(self) -> dict[str, Any]:
        """Name and arguments, without those at their defaults: `Task(**task.parameters) == task`.

        Where the class has another default than `Task`, the argument is there always.
        """
        usual = {one.name: one.default for one in fields(Task)}
        return {"name": self.name} | {
            one.name: value
            for one in fields(self)
            if (value := getattr(self, one.name)) != one.default or value != usual.get(one.name, value)
        }

    def __str__(self) -> str:
        """As messages and TensorBoard name it, such as `msd F=10 I={0,1}`."""
        shape = f" {self.waveform}" if self.waveform else ""
        drawn = f" I={{{','.join(map(str, self.offsets))}}}" if self.offsets else ""
        within = "" if self.tolerance == type(self).tolerance else f" within {self.tolerance}"
        return f"{self.name}{shape} F={self.min_interval}{drawn}{within}"


def read_readings(text: str) -> dict[str, Any]:
    """The arguments that `Task.readings` has written."""
    return dict(_read(*reading.split("=", 1)) for reading in text.split())


def _read(key: str, value: str) -> tuple[str, Any]:
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return key, value  # a text


def spans(lengths: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Periods of these lengths in sequence: the period of each step, [T], and the last step of each, [periods].

    Steps are counted from 0; int64.
    """
    return np.repeat(np.arange(len(lengths)), lengths), np.cumsum(lengths) - 1


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
