"""Streams: what a net sees and what is asked of it, as pure functions of (seed, replica, stream number)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from timing_tasks.philox import check_key

if TYPE_CHECKING:
    from timing_tasks.tasks.task import Task


class Purpose(IntEnum):
    """What random numbers are for: the last word of their counter; the engines' are in `native/population.hpp`."""

    TRAINING = 0
    TEST = 1
    WEIGHTS = 2
    INITIAL_STATE = 3
    RESTART = 4
    FIXED_STATE = 5


@dataclass(frozen=True)
class Stream:
    """One stream of T steps. Arrays have the shape [T].

    Attributes:
        inputs: x(t), float64.
        targets: d(t), float64; 0 where there is none.
        has_target: bool, where there is one.
        period: int64, to which period, from 0, a step belongs.
    """

    inputs: np.ndarray
    targets: np.ndarray
    has_target: np.ndarray
    period: np.ndarray


Numbers = int | np.ndarray


def offsets(
    task: Task,
    seed: Numbers,
    replica: Numbers,
    purpose: Purpose,
    number: Numbers,
    test: Numbers = 0,
    periods: int | None = None,
) -> np.ndarray:
    """I(n) of the first `periods` periods of a stream (all of them by default), int64, shape [periods].

    See `stream` for the arguments; with int64 arrays of one shape, those of as many streams, [..., periods]. A word w
    of Philox picks the offset number floor(w K / 2^32) of K: uniform to within K / 2^32. Four consecutive words of a
    stream share a block; where a stream has a single period, four streams do.
    """
    check_key(seed, replica)
    if periods is None:
        periods = task.training_periods if purpose == Purpose.TRAINING else task.test_periods
    seed, replica, number, test = np.broadcast_arrays(seed, replica, number, test)
    return task.draw(seed, replica, purpose, number, test, periods)


def stream(
    task: Task,
    seed: int,
    replica: int,
    number: int,
    purpose: Purpose = Purpose.TRAINING,
    test: int = 0,
    periods: int | None = None,
) -> Stream:
    """One stream of a task (PAPER.md 4).

    Args:
        task: which task.
        seed: of the run, in [0, 2^32).
        replica: which net, in [0, 2^32).
        number: for a training stream its number, from 0; for a test stream how many training streams came before it.
        purpose: TRAINING or TEST.
        test: which of the test streams that follow one another, from 0.
        periods: how many periods; by default as many as the paper's streams have at most.

    Raises:
        ValueError: seed or replica out of range.
    """
    return stream_of(task, offsets(task, seed, replica, purpose, number, test, periods))


def stream_of(task: Task, offsets: Sequence[int] | np.ndarray) -> Stream:
    """The stream of a task that has these I(n)."""
    return task.stream_of(np.asarray(offsets, dtype=np.int64))
