"""What goes wrong by the user's hand: one line that names the key, the value and what is allowed."""

from __future__ import annotations

import math
from collections.abc import Callable


class UserError(Exception):
    """A mistake that the user can mend; the message is one line and stands for itself."""


class ConfigurationError(UserError):
    """A configuration value that cannot be used."""

    def __init__(self, key: str, value: object, allowed: str) -> None:
        super().__init__(f"{key}={value!r}: {allowed}")
        self.key, self.value, self.allowed = key, value, allowed

    def __reduce__(self) -> tuple[type, tuple[str, object, str]]:
        return type(self), (self.key, self.value, self.allowed)


class NothingToDrawError(UserError):
    """Rows without a net that a figure needs."""


class ResultsError(UserError):
    """A results folder that cannot be used as it is."""

    @classmethod
    def of(cls, path: object, error: OSError) -> ResultsError:
        """Of a file or folder that cannot be read or written, as when a disk is full."""
        return cls(f"{path}: {error.strerror or error}; mend that and repeat the command, nothing is lost")


def check_number(key: str, value: object, allowed: str, holds: Callable[[float], bool]) -> None:
    """Raise ConfigurationError unless the value is a finite number for which `holds` holds."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not holds(value):  # type: ignore[arg-type]
        raise ConfigurationError(key, value, allowed)


def check_whole(key: str, value: object, least: int, most: int) -> None:
    """Raise ConfigurationError unless the value is a whole number from `least` to `most`."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ConfigurationError(key, value, f"a whole number from {least} to {most}")


class LostProcessError(UserError):
    """A process of a run in several has ended before its time."""

    def __init__(self, what: str = "another process of this run has ended") -> None:
        super().__init__(
            f"{what}; nothing is lost: the same command goes on from here, also with another number of processes"
        )


class StoppedError(Exception):
    """A signal has ended a run, which goes on from there if it is repeated."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
