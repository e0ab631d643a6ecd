"""The one definition of a right answer (PAPER.md 3); `solved`: `Task.test_streams` whole test streams right.

The engines' hot loops hold the same rule in their own language; the tests hold them against these functions.
"""

from __future__ import annotations

import numpy as np

from timing_tasks.tasks.streams import Stream


def is_correct(targets: np.ndarray, outputs: np.ndarray, tolerance: float) -> np.ndarray:
    """Whether each prediction is right, |d - z| < tolerance; a NaN never is. Any shape, bool of the same shape."""
    result: np.ndarray = np.abs(targets - outputs) < tolerance
    return result


def stream_size(stream: Stream, outputs: np.ndarray, tolerance: float) -> int:
    """Periods of a stream that are completed before the first wrong prediction; all of them if there is none.

    Args:
        stream: of T steps.
        outputs: z(t), shape [T].
        tolerance: see `is_correct`.
    """
    wrong = stream.has_target & ~is_correct(stream.targets, outputs, tolerance)
    return int(stream.period[np.argmax(wrong)] if wrong.any() else stream.period[-1] + 1)


def root_mean_square_error(stream: Stream, outputs: np.ndarray) -> float:
    """Of the predictions at the steps that have a target."""
    errors = (stream.targets - outputs)[stream.has_target]
    return float(np.sqrt(np.mean(errors**2)))
