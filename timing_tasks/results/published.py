"""The paper's values, and the rule by which a result of ours is held against them: it allows for what is not known.

The paper reports ten nets a condition, and the mean number of training streams of those that solved it, with a number
after ±. It does not say whether that is the standard deviation of the sample or the standard error of the mean.

The solved fraction: Fisher's exact test, two-sided, at 5%, the paper's percentage being of ten nets.

The training streams: Welch's t-test between the means over the solved nets, two-sided, at 5%, once with the paper's ±
read as a standard deviation and once as a standard error. `faster` or `slower` is said only if both readings say so.

Either is `not comparable` where its numbers are missing: the paper's value or its ±, fewer than two solved nets on
either side for the means. And a net that was given up before the paper would have given it up might have been solved
later: the solved fraction then is too low and the mean too small, so that neither `fewer` nor `faster` nor `compatible`
is said.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from scipy import stats

from timing_tasks.conditions.model import PEEPHOLE_LSTM
from timing_tasks.results.row import Row, key_of_texts
from timing_tasks.results.statistics import Summary

COMPATIBLE, FASTER, SLOWER, MORE, FEWER = "compatible", "faster", "slower", "more", "fewer"
NOT_COMPARABLE = "not comparable"
BETTER, WORSE, NO_DIFFERENCE = "better", "worse", "no difference"
PAPERS_NETS = 10
PAPERS_BUDGET = {"nmsd": 10**8, "msd": 10**8, "gts": 10**7, "pfg": 10**7}  # training streams, PAPER.md 3
SIGNIFICANCE = 0.05
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


def is_cut_short(ours: Summary, task: str) -> bool:
    """Whether a net was given up before the paper would have given it up."""
    return ours.censored_at < PAPERS_BUDGET[task]


def compare_solved(ours: Summary, paper: Published) -> str:
    """`more`, `fewer`, `compatible` or `not comparable`, by the rule above."""
    if paper.solved is None:
        return NOT_COMPARABLE
    table = [[ours.solved, ours.nets - ours.solved], [paper.solved, PAPERS_NETS - paper.solved]]
    differs = stats.fisher_exact(table).pvalue < SIGNIFICANCE
    if differs and ours.solved / ours.nets > paper.solved / PAPERS_NETS:
        return MORE
    if is_cut_short(ours, paper.task):
        return NOT_COMPARABLE
    return FEWER if differs else COMPATIBLE


def compare_streams(ours: Summary, paper: Published) -> str:
    """`faster`, `slower`, `compatible` or `not comparable`, by the rule above."""
    if ours.solved < 2 or not _has_streams(paper):
        return NOT_COMPARABLE
    p_values = [_welch((ours.mean, ours.deviation, ours.solved), its) for its in _as_read(paper)]
    differs = max(p_values) < SIGNIFICANCE
    if differs and ours.mean > paper.mean:
        return SLOWER
    if is_cut_short(ours, paper.task):
        return NOT_COMPARABLE
    return FASTER if differs else COMPATIBLE


def compare_nets(first: Published, second: Published) -> str:
    """Whether the first of two of the paper's nets is `better` or `worse` than the second, or shows `no difference`.

    By the solved fraction, if that differs significantly; where it is the same, by the training streams.
    """
    if first.solved is None or second.solved is None:
        return NOT_COMPARABLE
    both = _has_streams(first) and _has_streams(second)
    readings = list(zip(_as_read(first), _as_read(second), strict=True)) if both else []
    return _better((first.solved, PAPERS_NETS), (second.solved, PAPERS_NETS), readings)


def compare_summaries(first: Summary, second: Summary) -> str:
    """Likewise of two of ours, by the same rule."""
    both = min(first.solved, second.solved) >= 2
    readings = (
        [((first.mean, first.deviation, first.solved), (second.mean, second.deviation, second.solved))] if both else []
    )
    return _better((first.solved, first.nets), (second.solved, second.nets), readings)


Streams = tuple[float, float, int]  # of solved nets: mean, standard deviation, how many


def _better(first: tuple[int, int], second: tuple[int, int], readings: Sequence[tuple[Streams, Streams]]) -> str:
    """By the nets solved of all; where as many are solved, by their streams, if they differ however they are read.

    Where fewer are solved, they may be the fastest: their streams say nothing of the others'.
    """
    table = [[solved, nets - solved] for solved, nets in (first, second)]
    share, other = (solved / nets for solved, nets in (first, second))
    if stats.fisher_exact(table).pvalue < SIGNIFICANCE:
        return BETTER if share > other else WORSE
    if share == other and readings and max(_welch(*pair) for pair in readings) < SIGNIFICANCE:
        return BETTER if readings[0][0][0] < readings[0][1][0] else WORSE
    return NO_DIFFERENCE


def _has_streams(paper: Published) -> bool:
    return paper.solved is not None and paper.solved >= 2 and not math.isnan(paper.mean + paper.deviation)


def _as_read(paper: Published) -> list[Streams]:
    """Mean, standard deviation and nets, the paper's ± read as a sample's deviation and as a mean's."""
    nets = paper.solved or 0
    return [(paper.mean, deviation, nets) for deviation in (paper.deviation, paper.deviation * math.sqrt(nets))]


def _welch(one: Streams, other: Streams) -> float:
    return float(stats.ttest_ind_from_stats(*one, *other, equal_var=False).pvalue)
