"""How many training streams NMSD takes, against F."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from timing_tasks.report.figures.style import COLUMN, LSTM, PEEPHOLE, SMALL, in_style, note
from timing_tasks.report.tables.cells import by_condition
from timing_tasks.results.published import Published
from timing_tasks.results.row import Row
from timing_tasks.results.statistics import summarise

_NOTE = (
    "Filled: our nets, mean over the solved ones with its 95% interval\n(Student's t); n/N: solved, where not all "
    "were. With an arrow: none\nwas solved; where the first was given up. Open: the paper's\nmean ± as printed{}."
)


@in_style
def streams_against_interval(rows: Sequence[Row], published: Sequence[Published]) -> Figure:
    """Figure 4: how many training streams NMSD takes, against F, beside the paper's points."""
    figure = Figure(figsize=(COLUMN, 3.7), layout="constrained")
    axes = figure.subplots()
    conditions = by_condition([row for row in rows if row.task == "nmsd"])
    tips, checked = [], True  # of the arrows
    for peepholes, name, look, shift in ((False, "LSTM", LSTM, -0.5), (True, "peephole LSTM", PEEPHOLE, 0.5)):
        summaries = [(some[0].interval, summarise(some)) for some in conditions if some[0].peepholes == peepholes]
        solved = [(f, s) for f, s in summaries if s.solved > 0]
        half = [stats.t.ppf(0.975, s.solved - 1) * s.standard_error if s.solved > 1 else 0.0 for _, s in solved]
        means = np.array([s.mean for _, s in solved])
        lower = np.minimum(half, 0.9 * means)  # a logarithmic axis has no 0
        places = [f + shift for f, _ in solved]
        yerr = np.array([lower, half]) if solved else None
        axes.errorbar(places, means, yerr=yerr, linestyle="none", capsize=2, label=f"{name}, here", **look)
        several = [(f + shift, s.mean) for f, s in solved if s.solved > 1]  # the mean of one net is not on the curve
        axes.plot(*zip(*several, strict=True) if several else ((), ()), linestyle="-", color=look["color"])
        for f, s in solved:
            if s.solved < s.nets:
                beside: dict[str, Any] = {"textcoords": "offset points", "xytext": (5, -3), "fontsize": SMALL}
                axes.annotate(f"{s.solved}/{s.nets}", (f + shift, s.mean), color=look["color"], **beside)
        for f, s in summaries:
            if s.solved == 0 and math.isfinite(s.censored_at):
                axes.plot([f + shift], [s.censored_at], linestyle="none", **look)
                tips.append(2.2 * s.censored_at)
                arrow = {"arrowstyle": "->", "color": look["color"]}
                axes.annotate("", (f + shift, tips[-1]), (f + shift, s.censored_at * 1.1), arrowprops=arrow)
        of = ("nmsd", (0, 1), peepholes, "sigmoid")
        paper = [
            v
            for v in published
            if (v.task, v.offsets, v.peepholes, v.output_activation) == of and v.streams is not None
        ]
        checked &= all(v.verified for v in paper)
        axes.errorbar(
            [v.interval + 2.2 * shift for v in paper],
            [v.mean for v in paper],
            yerr=[v.deviation for v in paper],
            markerfacecolor="white",
            linestyle="none",
            capsize=2,
            label=f"{name}, paper",
            **look,
        )
    axes.set_yscale("log")
    axes.set_ylim(top=max([axes.get_ylim()[1], *(1.4 * tip for tip in tips)]))
    axes.set_xticks(sorted({some[0].interval for some in conditions}))
    axes.set_xlabel("minimum interval F (steps)")
    axes.set_ylabel("training streams until solved")
    axes.set_title("NMSD, I(n) from {0, 1} steps")
    axes.grid(which="major", color="0.9")
    axes.set_axisbelow(True)
    axes.legend(loc="upper left", handlelength=1.2, borderpad=0.3)
    note(figure, _NOTE.format("" if checked else " (recalled)"))
    return figure
