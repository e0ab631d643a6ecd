"""How far recipes get with longer and longer intervals, and what stops them, as the rows tell it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from timing_tasks.conditions.model import PEEPHOLE_LSTM
from timing_tasks.models.weights import WEIGHT_NAMES
from timing_tasks.report.tables import Table
from timing_tasks.report.tables.cells import Columns, by_condition, identify, median
from timing_tasks.results.row import Row
from timing_tasks.results.statistics import summarise

_NOTE = (
    "Streams: training streams in thousands, Kaplan-Meier median; > where fewer than half of the nets were solved: "
    "what the first was given up at. Of the nets that were given up: how many, after how many thousand streams and "
    "million net-steps (medians); the most periods that one had right in its last test stream; and how much of a cell "
    "state would be left F steps later if the forget gate stayed at σ(b_f), at the end of training and (in brackets) "
    "before it: where that is nearly nothing, neither the state nor the gradient crosses the interval."
)
_B_F = WEIGHT_NAMES.index("b_f")


def horizon(title: str, rows: Sequence[Row], initial_forget_bias: float) -> Table:
    """For each task, interval and recipe: what is solved and what stops the rest.

    Args:
        title: of the table.
        rows: of the paper's net, at least one for every line.
        initial_forget_bias: b_f before training.
    """
    columns = Columns()
    for some in by_condition(rows):
        identify(columns, some[0], rows, with_net=False)
        columns.add("recipe", some[0].recipe)
        summary = summarise(some)
        columns.add("solved", f"{summary.solved}/{summary.nets}")
        columns.add("streams", median(summary))
        others = [row for row in some if row.status == "unsolved"]
        columns.add("diverged", str(summary.diverged) if summary.diverged else "")
        columns.add("given up", _given_up(others))
        columns.add("best", str(max(row.test_size for row in others)) if others else "")
        columns.add("left after F", _left(others, initial_forget_bias))
    protocols = ", ".join(dict.fromkeys(row.protocol for row in rows))
    return Table(
        title, columns.header, columns.lines, (f"Protocol: {protocols}. {_NOTE}",), ("diverged", "best", "left after F")
    )


def _given_up(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    streams = float(np.median([row.training_streams for row in rows])) / 1e3
    steps = float(np.median([row.net_steps for row in rows])) / 1e6
    return f"{len(rows)}: {streams:.3g}, {steps:.3g}"


def _left(rows: Sequence[Row], initial_forget_bias: float) -> str:
    """The share of a cell state that outlives the interval, median over the nets."""
    papers = [row for row in rows if row.model == str(PEEPHOLE_LSTM)]
    if not papers:
        return ""
    steps = papers[0].interval

    def share(bias: float) -> float:
        return float(np.exp(-steps * np.logaddexp(0.0, -bias)))

    return f"{np.median([share(row.weights[_B_F]) for row in papers]):.1g} ({share(initial_forget_bias):.1g})"
