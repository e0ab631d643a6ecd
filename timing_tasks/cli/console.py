"""The entry point of the console command `timing-tasks`."""

import signal
import sys

from timing_tasks.cli.start import command

__all__ = ["command"]

if "__mp_main__" in sys.modules:  # a process that the command has spawned: the command passes Ctrl-C on
    signal.signal(signal.SIGINT, signal.SIG_IGN)
