"""Which instruction set the native code runs with."""

from __future__ import annotations

import functools
import os

from timing_tasks.errors import UserError

# Forces a code path, for tests and comparisons; by default the fastest that the processor has.
VARIABLE = "TIMING_TASKS_INSTRUCTION_SET"


@functools.cache
def available() -> tuple[str, ...]:
    """What this processor can run, fastest first, of `avx512`, `avx2` and `portable`."""
    import _timing_tasks_native as native

    return tuple(native.instruction_sets())


def chosen() -> str:
    """The fastest, or what the environment asks for.

    Raises:
        UserError: the environment asks for one that is not there.
    """
    there = available()
    name = os.environ.get(VARIABLE) or there[0]
    if name not in there:
        raise UserError(f"{VARIABLE}={name!r}: one of {', '.join(there)} here")
    return name
