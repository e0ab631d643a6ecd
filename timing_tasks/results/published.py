"""The paper's values as data."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from timing_tasks.conditions.model import PEEPHOLE_LSTM
from timing_tasks.results.row import Row, key_of_texts

PAPERS_NETS = 10  # of each condition
_CONDITION = ("task", "interval", "offsets", "waveform", "peepholes", "forget_gate", "output_activation", "tolerance")


@dataclass(frozen=True)
class Published:
    """A value of the paper. Numbers keep the digits that are printed; None is unknown.

    Attributes:
        table: in which it stands.
        task, interval, offsets, waveform, peepholes, forget_gate, output_activation, tolerance: see `Row`.
        solved_percent: of the paper's ten nets.
        streams: training streams in thousands, the mean over the solved nets.
        streams_deviation: what stands after its ±.
        rmse: root mean square error, the mean over the solved nets.
        rmse_deviation: what stands after its ±.
        page: of the journal.
        row: of the table, in words.
        verified: whether somebody has compared it with the printed page.
        failed: whether the paper reports that no net solves the task.
    """

    table: str
    task: str
    interval: int
    offsets: tuple[int, ...]
    waveform: str
    peepholes: bool
    forget_gate: bool
    output_activation: str
    tolerance: float
    solved_percent: int | None
    streams: Decimal | None
    streams_deviation: Decimal | None
    rmse: Decimal | None
    rmse_deviation: Decimal | None
    page: str
    row: str
    verified: bool
    failed: bool = False

    @property
    def solved(self) -> int | None:
        """Nets that solved it, of ten; None if unknown."""
        return None if self.solved_percent is None else round(self.solved_percent * PAPERS_NETS / 100)

    @property
    def mean(self) -> float:
        """Training streams; NaN without a value."""
        return math.nan if self.streams is None else float(1000 * self.streams)

    @property
    def deviation(self) -> float:
        """What stands after the ± of the training streams; NaN without a value."""
        return math.nan if self.streams_deviation is None else float(1000 * self.streams_deviation)

    def is_of(self, row: Row) -> bool:
        """Whether the paper means the row's condition."""
        return (row.initial_state, row.recipe, row.model) == ("zero", "online", str(PEEPHOLE_LSTM)) and all(
            getattr(self, name) == getattr(row, name) for name in _CONDITION
        )


def _published(texts: dict[str, str]) -> Published:
    """A line of a data file: an empty text is unknown, `-` a reported failure."""
    values: dict[str, Any] = dict(texts)
    values |= zip(_CONDITION, key_of_texts(_CONDITION, [texts[name] for name in _CONDITION]), strict=True)
    for name in ("streams", "streams_deviation", "rmse", "rmse_deviation"):
        values[name] = None if texts[name] in ("", "-") else Decimal(texts[name])
    return Published(
        **values
        | {
            "solved_percent": int(texts["solved_percent"]) if texts["solved_percent"] else None,
            "verified": texts["verified"] == "true",
            "failed": texts["streams"] == "-",
        }
    )


def read_published(folder: Path) -> list[Published]:
    """The paper's values from all data files of a folder."""
    values: list[Published] = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            values += map(_published, csv.DictReader(file))
    return values
