"""How a command begins and ends: output, one-line errors, Ctrl-C. Hydra, torch and Lightning are imported later."""

from __future__ import annotations

import io
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import timing_tasks
from timing_tasks.errors import ConfigurationError, StoppedError, UserError


def script(module: str, path: str) -> None:
    """Run a script of `reproduce/`, if it is the program.

    Args:
        module: the script's `__name__`.
        path: its `__file__`; beside its folder there is that of the configs.
    """
    if module == "__mp_main__":  # a process that the script has spawned: the script passes Ctrl-C on
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    elif module == "__main__":
        _run(Path(path).stem, Path(path).resolve().parents[1])


def command() -> None:
    """The console command: `timing-tasks table1 ...` is `python reproduce/table1.py ...` of the installed package."""
    home = share()
    scripts = sorted(path.stem for path in (home / "reproduce").glob("*.py"))
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("-h", "--help"):
        print("usage: timing-tasks SCRIPT [KEY=VALUE ...]; timing-tasks SCRIPT --help tells more")
        print("scripts:", ", ".join(scripts))
        return
    with told():
        if name not in scripts:
            raise ConfigurationError("script", name, f"one of {', '.join(scripts)}")
    sys.argv = [f"timing-tasks {name}", *sys.argv[2:]]
    _run(name, home)


def share() -> Path:
    """The folder with `configs/` and `reproduce/`: the clone's if the package is run from one, else its own."""
    package = Path(timing_tasks.__file__).resolve().parent
    clone = package.parent
    return clone if (clone / "configs" / "base.yaml").exists() else package / "_share"


def _run(name: str, home: Path) -> None:
    for number, stream in ((1, "stdout"), (2, "stderr")):
        setattr(sys, stream, _steady(getattr(sys, stream), number))
    warnings.formatwarning = lambda message, *_: f"warning: {message}\n"
    with told():
        from timing_tasks.cli.application import main

        main(name, home)


@contextmanager
def told() -> Iterator[None]:
    """A mistake of the user ends in one line and exit status 2, a stop in a line that says how to go on."""
    try:
        yield
    except UserError as error:
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        sys.exit(2)
    except (KeyboardInterrupt, StoppedError) as stop:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one would be a traceback from what is left to do
        print("stopped; the same command goes on from here")
        sys.exit(128 + (stop.number if isinstance(stop, StoppedError) else signal.SIGINT))


class _Output(io.FileIO):
    """A standard stream that goes on into nothing when nobody reads it any longer, as after `| head`."""

    def write(self, data: object) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except BrokenPipeError:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self.fileno())
            os.close(nothing)
            return len(data)  # type: ignore[arg-type]


def _steady(stream: object, number: int) -> object:
    """The stream, if it is the process's own, as one that neither a closed pipe nor a sign that it cannot show ends."""
    try:
        if not isinstance(stream, io.TextIOWrapper) or stream.fileno() != number:
            return stream
    except OSError:  # it has no number
        return stream
    stream.flush()
    raw = _Output(number, "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=stream.encoding, errors="replace", line_buffering=stream.line_buffering
    )
