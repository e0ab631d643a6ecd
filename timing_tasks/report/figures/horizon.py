"""How many training streams recipes take as the intervals get longer and longer."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.figure import Figure

from timing_tasks.errors import NothingToDrawError
from timing_tasks.report.tables.cells import by_condition
from timing_tasks.results.row import Row
from timing_tasks.results.statistics import summarise

_LOOKS = (("o", "-", "black"), ("s", "--", "0.4"), ("^", ":", "0.2"))


def horizon(rows: Sequence[Row]) -> Figure:
    """Median training streams against F, one panel for each task, one line for each recipe; given-up ones with an arrow.

    Raises:
        NothingToDrawError: rows of no task with several intervals.
    """
    conditions = by_condition(rows)
    tasks = [
        t for t in dict.fromkeys(row.task for row in rows) if len({row.interval for row in rows if row.task == t}) > 1
    ]
    if not tasks:
        raise NothingToDrawError("no task with several intervals among the rows")
    figure = Figure(figsize=(4.6 * len(tasks) + 0.6, 4.4), layout="constrained")
    panels = figure.subplots(1, len(tasks), squeeze=False, sharey=True)[0]
    recipes = list(dict.fromkeys(row.recipe for row in rows))
    for axes, task in zip(panels, tasks, strict=True):
        for recipe, (marker, line, color) in zip(recipes, _LOOKS, strict=False):
            shift = 1.03 ** (2 * recipes.index(recipe) - 1)  # side by side
            mine = [some for some in conditions if (some[0].task, some[0].recipe) == (task, recipe)]
            points = sorted((some[0].interval, summarise(some)) for some in mine)
            half = [(f, s) for f, s in points if math.isfinite(s.median)]
            axes.plot(
                [f * shift for f, _ in half],
                [s.median for _, s in half],
                marker + line,
                color=color,
                label=f"{recipe}, median",
            )
            for f, s in points:
                if math.isinf(s.median) and math.isfinite(s.censored_at):
                    axes.plot([f * shift], [s.censored_at], marker, color=color, markerfacecolor="white")
                    ends = (f * shift, 1.9 * s.censored_at), (f * shift, 1.1 * s.censored_at)
                    axes.annotate("", *ends, arrowprops={"arrowstyle": "->", "color": color})
                if s.solved < s.nets:
                    at = s.median if math.isfinite(s.median) else s.censored_at
                    if math.isfinite(at):
                        below = {"textcoords": "offset points", "xytext": (0, -12), "fontsize": 7, "ha": "center"}
                        axes.annotate(f"{s.solved}/{s.nets}", (f * shift, at), color=color, **below)
        intervals = sorted({some[0].interval for some in conditions if some[0].task == task})
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(intervals, map(str, intervals))
        axes.margins(y=0.1)  # room for the arrows
        axes.minorticks_off()
        axes.set_xlabel("minimum interval F / steps")
        axes.set_title(task.upper(), fontsize=10)
        axes.grid(which="major", color="0.9")
    panels[0].set_ylabel("training streams until solved")
    panels[0].legend(fontsize=8)
    return figure
