"""How many training streams NMSD takes, against F."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from timing_tasks.report.tables.cells import by_condition
from timing_tasks.results.published import Published
from timing_tasks.results.row import Row
from timing_tasks.results.statistics import summarise


def streams_against_interval(rows: Sequence[Row], published: Sequence[Published]) -> Figure:
    """Figure 4: how many training streams NMSD takes, against F, beside the paper's points."""
    figure = Figure(figsize=(7, 4.8), layout="constrained")
    axes = figure.subplots()
    looks = {False: ("LSTM", "s", -0.5), True: ("peephole LSTM", "o", 0.5)}
    conditions = by_condition([row for row in rows if row.task == "nmsd"])
    tips = []  # of the arrows
    for peepholes, (name, marker, shift) in looks.items():
        mine = [some for some in conditions if some[0].peepholes == peepholes]
        summaries = [(some[0].interval, summarise(some)) for some in mine]
        solved = [(f, s) for f, s in summaries if s.solved > 0]
        # The interval of a mean of logarithms would hide how skewed they are: Student's, of the mean itself.
        half = [stats.t.ppf(0.975, s.solved - 1) * s.standard_error if s.solved > 1 else 0.0 for _, s in solved]
        means = np.array([s.mean for _, s in solved])
        lower = np.minimum(half, 0.9 * means)  # a logarithmic axis has no 0
        axes.errorbar(
            [f + shift for f, _ in solved],
            means,
            yerr=np.array([lower, half]) if solved else None,
            marker=marker,
            linestyle="-" if peepholes else "--",
            color="black",
            capsize=3,
            label=f"{name}, here (mean of the solved nets, 95% interval)",
        )
        for f, s in solved:
            if s.solved < s.nets:
                axes.annotate(
                    f"{s.solved}/{s.nets}", (f + shift, s.mean), textcoords="offset points", xytext=(7, -3), fontsize=8
                )
        unsolved = [(f, s) for f, s in summaries if s.solved == 0 and math.isfinite(s.censored_at)]
        axes.plot(
            [f + shift for f, _ in unsolved],
            [s.censored_at for _, s in unsolved],
            linestyle="none",
            marker=marker,
            markerfacecolor="white",
            color="black",
            markersize=5,
        )
        for f, s in unsolved:
            tips.append(2.2 * s.censored_at)
            axes.annotate(
                "",
                (f + shift, tips[-1]),
                (f + shift, s.censored_at * 1.1),
                arrowprops={"arrowstyle": "->", "color": "black"},
            )
        of = ("nmsd", (0, 1), peepholes, "sigmoid")
        paper = [
            v
            for v in published
            if (v.task, v.offsets, v.peepholes, v.output_activation) == of and v.streams is not None
        ]
        checked = "" if all(v.verified for v in paper) else "; recalled, not checked"
        axes.errorbar(
            [v.interval + 2.2 * shift for v in paper],
            [v.mean for v in paper],
            yerr=[v.deviation for v in paper],
            marker=marker,
            markerfacecolor="white",
            linestyle="none",
            color="0.5",
            capsize=3,
            label=f"{name}, paper (mean ± as printed{checked})",
        )
    axes.set_yscale("log")
    axes.set_ylim(top=max([axes.get_ylim()[1], *(1.2 * tip for tip in tips)]))
    axes.set_xticks(sorted({some[0].interval for some in conditions}))
    axes.set_xlabel("minimum interval F / steps")
    axes.set_ylabel("training streams until solved")
    axes.set_title("NMSD, I(n) from {0,1}. Open symbols with arrows: no net solved when given up there", fontsize=9)
    axes.grid(which="major", color="0.9")
    axes.legend(fontsize=8, loc="lower right")
    return figure
