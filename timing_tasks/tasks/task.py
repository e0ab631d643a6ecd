"""The four tasks of the paper (section 4 and PAPER.md 4) and what a condition of them can be."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from timing_tasks.errors import ConfigurationError

TASKS = ("nmsd", "msd", "gts", "pfg")
USUAL_TOLERANCE = {"nmsd": 0.49, "msd": 0.49, "gts": 0.49, "pfg": 0.3}  # PAPER.md 3
WAVEFORMS = ("cos", "tri", "rect")
INPUTS_SHOWN = ("throughout", "first_step")

# Bounds that keep a stream's length and the random draws well inside 32 bits.
LONGEST_INTERVAL = 1_000_000
_MOST_OFFSETS = 1_000
_USUAL_READINGS: dict[str, int | str] = {"first_spike_later": 0, "first_phase": 0, "gts_input": "throughout"}


@dataclass(frozen=True)
class Task:
    """A task with its parameters.

    Attributes:
        name: `nmsd` (measure one spike delay), `msd` (measure spike delays, continually), `gts` (generate timed spikes)
            or `pfg` (generate a periodic function).
        min_interval: F, in steps: the minimum interval between spikes; for `pfg` the period.
        offsets: the set from which I(n), in steps, is drawn; empty for `pfg`.
        waveform: `cos`, `tri` or `rect` for `pfg`, empty for the others.
        tolerance: a prediction is right if it is nearer to the target than this.
        first_spike_later: how many steps the first period is longer than F + I(0), 0 or 1; 0 for `pfg`.
        first_phase: for `pfg` the first target is f(first_phase), a step from 0 to F - 1; 0 for the others.
        gts_input: for `gts` whether I(n) is seen `throughout` period n or in its `first_step` alone.
    """

    name: str
    min_interval: int
    offsets: tuple[int, ...] = ()
    waveform: str = ""
    tolerance: float = 0.49
    first_spike_later: int = 0
    first_phase: int = 0
    gts_input: str = "throughout"

    def __post_init__(self) -> None:
        """Raise ConfigurationError for the first parameter that cannot be."""
        if self.name not in TASKS:
            raise ConfigurationError("task", self.name, f"one of {', '.join(TASKS)}")
        if not _is_whole(self.min_interval) or not 1 <= self.min_interval <= LONGEST_INTERVAL:
            key = "task.period" if self.name == "pfg" else "task.min_interval"
            raise ConfigurationError(key, self.min_interval, f"a whole number of steps from 1 to {LONGEST_INTERVAL}")
        if self.name == "pfg":
            if self.offsets:
                raise ConfigurationError("task.offsets", list(self.offsets), "none for the task pfg")
            if self.waveform not in WAVEFORMS:
                raise ConfigurationError("task.waveform", self.waveform, f"one of {', '.join(WAVEFORMS)}")
        else:
            allowed = f"1 to {_MOST_OFFSETS} different whole numbers from 0 to {LONGEST_INTERVAL}, such as [0,1]"
            offsets = self.offsets
            if (
                not 1 <= len(offsets) <= _MOST_OFFSETS
                or not all(_is_whole(i) and 0 <= i <= LONGEST_INTERVAL for i in offsets)
                or len(set(offsets)) < len(offsets)
            ):
                raise ConfigurationError("task.offsets", list(offsets), allowed)
            if self.waveform:
                raise ConfigurationError("task.waveform", self.waveform, f"none for the task {self.name}")
        if (
            isinstance(self.tolerance, bool)
            or not isinstance(self.tolerance, (int, float))
            or not 0 < self.tolerance < math.inf
        ):
            raise ConfigurationError("task.tolerance", self.tolerance, "a number above 0")
        allowed_readings = {
            "first_spike_later": (0,) if self.name == "pfg" else (0, 1),
            "gts_input": INPUTS_SHOWN if self.name == "gts" else INPUTS_SHOWN[:1],
        }
        for key, options in allowed_readings.items():
            if getattr(self, key) not in options:
                raise ConfigurationError(
                    f"task.{key}", getattr(self, key), f"{' or '.join(map(str, options))} for {self.name}"
                )

        if not _is_whole(self.first_phase) or not 0 <= self.first_phase < (
            self.min_interval if self.name == "pfg" else 1
        ):
            allowed = f"a whole step from 0 to {self.min_interval - 1}" if self.name == "pfg" else f"0 for {self.name}"
            raise ConfigurationError("task.first_phase", self.first_phase, allowed)

    @property
    def readings(self) -> str:
        """What of the streams is read otherwise than in PAPER.md 4, such as `first_phase=1`; empty if nothing is."""
        own = {key: getattr(self, key) for key in _USUAL_READINGS}
        return " ".join(f"{key}={value}" for key, value in own.items() if value != _USUAL_READINGS[key])

    @property
    def has_dense_targets(self) -> bool:
        """Whether every step has a target (gts, pfg), or only the last of a period (nmsd, msd)."""
        return self.name in ("gts", "pfg")

    @property
    def is_random(self) -> bool:
        """Whether the streams differ from one another."""
        return len(self.offsets) > 1

    @property
    def training_periods(self) -> int:
        """Periods after which a training stream ends (PAPER.md 3)."""
        return 1 if self.name == "nmsd" else 100

    @property
    def test_periods(self) -> int:
        """Periods after which a test stream ends (PAPER.md 3)."""
        return 1 if self.name == "nmsd" else 1000

    @property
    def test_streams(self) -> int:
        """Test streams, one after the other without a wrong prediction, that make a solution (PAPER.md 3).

        For nmsd every input that is possible, otherwise ten random streams, or the only one there is.
        """
        if self.name == "nmsd":
            return len(self.offsets)
        return 10 if self.is_random else 1

    def waveform_targets(self) -> np.ndarray:
        """One period of the function, targets in [0, 1] of the steps 1 to F (PAPER.md 4), shape [F], float64.

        The first step has the target f(first_phase) (a reading, PAPER.md 4).
        """
        f = self.min_interval
        m = (np.arange(f) + self.first_phase) % f
        if self.waveform == "cos":
            # Mathematical libraries differ in the last bit of a cosine; 15 decimals are the same with all of them.
            values = np.array([round(0.5 * (1 - math.cos(2 * math.pi * k / f)), 15) for k in m.tolist()])
        elif self.waveform == "tri":
            values = np.where(2 * m <= f, 2 * m / f, 2 - 2 * m / f)
        else:
            values = np.where(2 * m > f, 1.0, 0.0)
        return values

    def __str__(self) -> str:
        """As messages and TensorBoard name it, such as `msd F=10 I={0,1}`."""
        within = "" if self.tolerance == USUAL_TOLERANCE[self.name] else f" within {self.tolerance}"
        if self.name == "pfg":
            return f"pfg {self.waveform} F={self.min_interval}{within}"
        return f"{self.name} F={self.min_interval} I={{{','.join(map(str, self.offsets))}}}{within}"


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
