"""Ctrl-C while a script still imports torch and lightning, which takes seconds: importing this first gives it an answer."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from types import TracebackType


def _told(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    """In place of Python's traceback."""
    if issubclass(kind, KeyboardInterrupt):
        print("stopped; nothing had begun")
    else:
        sys.__excepthook__(kind, error, where)


if multiprocessing.parent_process() is None:
    sys.excepthook = _told
else:  # the process that has started this one passes it on
    signal.signal(signal.SIGINT, signal.SIG_IGN)
