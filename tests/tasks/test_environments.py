"""Tasks as environments of gymnasium, and those of NeuroGym as tasks; both packages are optional."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from timing_tasks.errors import ConfigurationError, UserError
from timing_tasks.tasks import GTS, NMSD, Task, TaskError, check_task, stream

gymnasium = pytest.importorskip("gymnasium")
environments = pytest.importorskip("timing_tasks.tasks.environments")


def play(environment, answer):
    """Rewards of an episode, and how it ended."""
    environment.reset()
    rewards, ended = [], (False, False)
    while not any(ended):
        _, reward, *ended, _ = environment.step(np.array([answer(environment.stream, environment.at)]))
        rewards.append(reward)
    return rewards, tuple(ended)


def test_an_episode_is_a_stream_and_the_oracle_gets_every_reward():
    task = GTS(4, (0, 1))
    environment = environments.TimingEnv(task, seed=3, periods=5)
    for number in range(3):
        rewards, ended = play(environment, lambda s, at: s.targets[at])
        expected = stream(task, 3, 0, number, periods=5)
        np.testing.assert_array_equal(environment.stream.inputs, expected.inputs)
        assert rewards == expected.has_target.astype(float).tolist()
        assert ended == (False, True)
    environment.reset(seed=4)
    np.testing.assert_array_equal(environment.stream.inputs, stream(task, 4, 0, 0, periods=5).inputs)


def test_a_wrong_prediction_ends_an_episode():
    environment = environments.TimingEnv(NMSD(3, (0, 1)))
    rewards, ended = play(environment, lambda s, at: 1 - s.targets[at])
    assert (set(rewards), ended[0]) == ({0.0}, True)
    assert len(rewards) == int(np.argmax(environment.stream.has_target)) + 1
    with pytest.raises(UserError, match="step before reset"):
        environments.TimingEnv(NMSD(3)).step(0.0)


def test_gymnasium_takes_the_environment():
    checker = pytest.importorskip("gymnasium.utils.env_checker")
    checker.check_env(environments.TimingEnv(GTS(4, (0, 1)), periods=2), skip_render_check=True)


class Trials:
    """What of NeuroGym's TrialEnv is used: three channels; the answer, at the end, is the number of the third one."""

    unwrapped = property(lambda self: self)

    def seed(self, seed: int) -> None:
        self.random = np.random.RandomState(seed)

    def new_trial(self) -> None:
        which = self.random.randint(2)
        self.ob, self.gt = np.zeros((4, 3), dtype=np.float32), np.zeros(4, dtype=np.int64)
        self.ob[:, 0], self.ob[1, 2], self.gt[-1] = 1, which, which


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch):
    environments._environment.cache_clear()
    monkeypatch.setitem(sys.modules, "neurogym", SimpleNamespace(make=lambda name: Trials()))
    yield
    environments._environment.cache_clear()


def test_an_environment_of_trials_is_a_task(stand_in: None):
    task = environments.NeuroGymTask(environment="Trials-v0", channels="2")
    check_task(task)
    assert Task(**task.parameters) == task
    one = stream(task, 1, 0, 0)
    np.testing.assert_array_equal(one.inputs[1], one.targets[-1])
    with pytest.raises(ConfigurationError, match=r"task\.channels='3': numbers below 3 for Trials-v0"):
        stream(environments.NeuroGymTask(environment="Trials-v0", channels="3"), 1, 0, 0)
    with pytest.raises(ConfigurationError, match=r"task\.channels='ready'"):
        environments.NeuroGymTask(channels="ready")


def test_trials_that_look_alike_and_ask_for_different_answers_are_found(stand_in: None):
    with pytest.raises(TaskError, match="the same inputs up to step 4 and different targets there"):
        check_task(environments.NeuroGymTask(environment="Trials-v0", channels="0"))


def test_neurogyms_ready_set_go_can_be_answered():
    pytest.importorskip("neurogym")
    task = environments.NeuroGymTask(environment="ReadySetGo-v0", channels="1+2")
    check_task(task)
    one = stream(task, 1, 0, 0)
    assert one.targets.sum() == 1
