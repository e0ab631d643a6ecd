"""What a terminal or a log shows of a run: its state, and one line for each condition that is finished."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ProgressBar
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar as Bar
from rich.table import Table
from rich.text import Text

from timing_tasks.experiment.standing import Finished, Standing, not_in, standings
from timing_tasks.experiment.status import Speedometer, Status, duration
from timing_tasks.learning.online.population import Verdict
from timing_tasks.learning.population import PopulationModule

_LEAST_BAR, _MOST_BAR = 10, 40  # columns
_REFRESH = 0.25  # seconds between two states of the bar
_FIRST_LINE, _LINE = 3.0, 60.0  # seconds until the first line of a log, and from one to the next


class TerminalProgress(ProgressBar):
    """The state of the run as a line that stays up to date, or, where there is no terminal, as one line a minute.

    A condition whose last net has its verdict gets a line of its own.

    Args:
        before: nets that were finished before this fit.
    """

    def __init__(self, before: Sequence[Finished] = ()) -> None:
        super().__init__()
        self.before = before
        self.is_enabled = True
        self._console: Console | None = None
        self._live: Live | None = None
        self._speed = Speedometer()
        self._running = 0
        self._unfinished: set[int] = set()
        self._widest = 0  # of the names of conditions
        self._began = self._due = 0.0

    def disable(self) -> None:
        """Lightning calls this in all processes but rank 0."""
        self.is_enabled = False

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Show the line."""
        assert isinstance(module, PopulationModule)
        if not self.is_enabled:
            return
        self._console = Console()
        self._began = time.monotonic()
        self.before = not_in(module, self.before)
        status = self._speed.status(module, self.before)
        self._running = status.running
        self._unfinished = {place for place, one in standings(module, self.before).items() if not one.is_finished}
        self._widest = max(len(str(module.population.conditions[place])) for place in self._unfinished)
        if self._console.is_terminal:
            self._live = Live(StatusLine(status), console=self._console, refresh_per_second=1 / _REFRESH)
            self._live.start()
        else:
            self._due = self._began + _FIRST_LINE

    def on_train_batch_end(self, trainer: L.Trainer, module: L.LightningModule, *_: Any) -> None:
        """Bring it up to date, if it is time."""
        assert isinstance(module, PopulationModule)
        if self._console is None:
            return
        running = int((module.state.verdict == Verdict.RUNNING).sum())
        if running < self._running:
            self._tell_finished(self._console, module)
            self._running = running
        now = time.monotonic()
        if now < self._due and not module.is_finished:
            return
        status = self._speed.status(module, self.before)
        if self._live is not None:
            self._live.update(StatusLine(status))
            self._due = now + _REFRESH
        elif not module.is_finished:
            passed, left = f"{duration(now - self._began)}  ", f", {status.left}" if status.left else ""
            text = status.fitting(self._console.width - len(passed) - len(left))
            _print(self._console, f"{passed}{text}{left}")
            self._due = now + _LINE

    def _tell_finished(self, console: Console, module: PopulationModule) -> None:
        """A line for each condition whose last net has just got its verdict."""
        for place, one in standings(module, self.before).items():
            if place in self._unfinished and one.is_finished:
                self._unfinished.remove(place)
                result = outcome(one)
                name = Text(str(module.population.conditions[place]))
                room = max(console.width - len(result) - 2, 1)
                if console.is_terminal:
                    name.truncate(room, overflow="ellipsis")
                _print(console, f"{name.plain:<{min(self._widest, room)}}  {result}")

    def on_train_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Leave it as it is."""
        if self._live is not None:
            self._live.stop()

    def on_exception(self, trainer: L.Trainer, module: L.LightningModule, exception: BaseException) -> None:
        """Give the terminal back."""
        if self._live is not None:
            self._live.stop()


class StatusLine:
    """A status as one line of a terminal: text, bar, share done, time left. Whatever does not fit, the time does."""

    def __init__(self, status: Status) -> None:
        self.status = status

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """As wide as the terminal is now."""
        left = self.status.left
        end = f"{math.floor(100 * self.status.done)}%"
        end += f" {left}" if left else ""
        width = options.max_width
        text = self.status.fitting(width - len(end) - _LEAST_BAR - 2)
        bar = min(width - len(end) - len(text) - 1 - bool(text), _MOST_BAR)
        if bar < _LEAST_BAR:  # a narrow terminal
            yield Text(end if len(end) <= width else left or end, no_wrap=True)
            return
        line = Table.grid(padding=(0, 1, 0, 0), pad_edge=False)
        cells: list[Text | Bar] = [Text(text)] if text else []
        cells += [Bar(total=1.0, completed=self.status.done, width=bar), Text(end)]
        for _ in cells:
            line.add_column(no_wrap=True)
        line.add_row(*cells)
        yield line


def outcome(standing: Standing) -> str:
    """What became of a condition whose nets are finished, such as `solved 9/10, median 12,345 streams`."""
    text = f"solved {standing.solved}/{standing.nets}"
    if math.isfinite(standing.median_streams):
        return f"{text}, median {standing.median_streams:,.0f} streams"
    return f"{text}, median > {standing.given_up_at:,.0f} streams" if math.isfinite(standing.given_up_at) else text


def _print(console: Console, text: str) -> None:
    """One line, at once, also into a file."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)
