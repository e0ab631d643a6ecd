"""Tasks as environments of gymnasium, and environments of NeuroGym as tasks; both packages are optional."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from timing_tasks.errors import ConfigurationError, UserError
from timing_tasks.tasks import Purpose, Stream, Task, is_correct, stream

try:
    import gymnasium
except ImportError as error:
    raise ImportError(
        "timing_tasks.tasks.environments needs gymnasium: pip install 'timing-tasks[gymnasium]'"
    ) from error


class TimingEnv(gymnasium.Env):  # type: ignore[misc]
    """A task as an environment: an episode is a stream, an action is the prediction at the step that is observed.

    The observation is x(t), shape (1,), the action z(t), shape (1,). The reward of a step that has a target is 1 for
    a right prediction and 0 for a wrong one, which ends the episode (`terminated`); other steps have no reward. After
    the last step of a stream the episode is `truncated`. `info` describes the step that was answered: `has_target`,
    `target`, `period`. Episode k has the training stream of number k.

    Args:
        task: which.
        seed: of the streams; `reset(seed=...)` begins again with those of another one.
        periods: of an episode, by default as many as the task's training streams have.

    Example:
        >>> from timing_tasks.tasks.environments import TimingEnv  # doctest: +SKIP
        >>> environment = TimingEnv(Task("gts"), seed=1)  # doctest: +SKIP
    """

    def __init__(self, task: Task, seed: int = 0, periods: int | None = None) -> None:
        self.task, self.seed, self.periods = task, seed, periods
        low, high = (0.0, 1.0) if task.output_activation == "sigmoid" else (-np.inf, np.inf)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,), np.float64)
        self.action_space = gymnasium.spaces.Box(low, high, (1,), np.float64)
        self.number, self.at = -1, 0
        self.stream: Stream | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """The first observation of the next stream, or of the first one of another seed."""
        super().reset(seed=seed)
        if seed is not None:
            self.seed, self.number = seed, -1
        self.number += 1
        self.at = 0
        self.stream = stream(self.task, self.seed, 0, self.number, Purpose.TRAINING, periods=self.periods)
        return self._observation(), {}

    def step(self, action: np.ndarray | float) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """What comes after a prediction.

        Raises:
            UserError: `reset` has not been called.
        """
        if self.stream is None:
            raise UserError("step before reset")
        s, at = self.stream, self.at
        asked = bool(s.has_target[at])
        prediction = np.asarray(action, dtype=np.float64).reshape(())
        is_right = bool(is_correct(s.targets[at], prediction, self.task.tolerance))
        info = {"has_target": asked, "target": float(s.targets[at]), "period": int(s.period[at])}
        is_last = at + 1 == len(s.inputs)
        self.at = at if is_last else at + 1
        return self._observation(), float(asked and is_right), asked and not is_right, is_last, info

    def _observation(self) -> np.ndarray:
        assert self.stream is not None
        return self.stream.inputs[self.at : self.at + 1].copy()


@functools.cache
def _environment(name: str) -> Any:
    try:
        import neurogym
    except ImportError:
        raise UserError("a NeuroGym task needs neurogym: pip install neurogym") from None
    try:
        return neurogym.make(name).unwrapped
    except Exception as error:  # whatever gymnasium says
        raise ConfigurationError("environment", name, f"a name of NeuroGym ({error})".partition("\n")[0]) from error


@dataclass(frozen=True)
class NeuroGymTask(Task):
    """A supervised environment of NeuroGym (`TrialEnv`) as a task: a stream is one of `trials` trials.

    The input is the sum of the channels of the observation that are named, the target the ground truth of the step,
    as NeuroGym gives it. Trial k is the one that the environment gives after `seed(k)`. The interval and the offsets of
    other tasks mean nothing here: the offsets are the numbers of the trials.

    `check_task` says whether the trials can be told apart by what the net sees.

        NeuroGymTask(environment="ReadySetGo-v0", channels="1+2")
    """

    name = "neurogym"
    single_period = True
    has_dense_targets = True

    min_interval: int = 1
    offsets: tuple[int, ...] = tuple(range(20))
    environment: str = "ReadySetGo-v0"
    channels: str = "1+2"

    def check_parameters(self) -> None:
        """See `Task`."""
        super().check_parameters()
        object.__setattr__(self, "channels", str(self.channels))  # a single one is read from rows as a number
        if not all(part.isdigit() for part in self.channels.split("+")):
            raise ConfigurationError("task.channels", self.channels, "numbers of channels, such as 1+2")

    def stream_of(self, offsets: np.ndarray) -> Stream:
        """See `Task`; the trials one after the other."""
        trials = [self._trial(int(number)) for number in offsets]
        period = np.repeat(np.arange(len(trials)), [len(inputs) for inputs, _ in trials])
        inputs, targets = (np.concatenate(parts) for parts in zip(*trials, strict=True))
        return Stream(inputs, targets, np.ones(len(inputs), dtype=bool), period)

    def _trial(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        environment = _environment(self.environment)
        environment.seed(number)
        environment.new_trial()
        columns = [int(part) for part in self.channels.split("+")]
        observed = np.asarray(environment.ob, dtype=np.float64)
        if max(columns) >= observed.shape[1]:
            allowed = f"numbers below {observed.shape[1]} for {self.environment}"
            raise ConfigurationError("task.channels", self.channels, allowed)
        return observed[:, columns].sum(1), np.asarray(environment.gt, dtype=np.float64)
