"""Ctrl-C while a script of `reproduce/` still imports torch and lightning, which takes seconds: importing this first answers it."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import TracebackType

_SCRIPTS = "reproduce"  # the name of their folder


def say_stopped() -> None:
    """Say it in one line. The process is about to end: another Ctrl-C is ignored, which would add a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print("stopped; the same command goes on from here")


def _told(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    """In place of Python's traceback."""
    if issubclass(kind, KeyboardInterrupt):
        say_stopped()
    else:
        sys.__excepthook__(kind, error, where)


def _is_script(module: str) -> bool:
    return Path(getattr(sys.modules.get(module), "__file__", None) or "").parent.name == _SCRIPTS


if _is_script("__main__"):
    sys.excepthook = _told
elif _is_script("__mp_main__"):  # in a process that a script has spawned: the script passes it on
    signal.signal(signal.SIGINT, signal.SIG_IGN)
