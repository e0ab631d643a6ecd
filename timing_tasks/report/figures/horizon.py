"""How many training streams recipes take as the intervals get longer and longer."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.figure import Figure

from timing_tasks.errors import NothingToDrawError
from timing_tasks.report.figures.style import BLUE, GREEN, PAGE, SMALL, VERMILION, in_style, note
from timing_tasks.report.tables.cells import by_condition, net
from timing_tasks.results.row import Row
from timing_tasks.results.statistics import summarise

_LOOKS = (("o", VERMILION), ("s", BLUE), ("^", GREEN))
_NOTE = (
    "Filled: median over all nets. Open, with an arrow: fewer than half of the nets were solved when the first was "
    "given up, there. n/N: nets solved."
)


@in_style
def horizon(rows: Sequence[Row]) -> Figure:
    """Median training streams against F, one panel for each task, one line for each net and recipe.

    Raises:
        NothingToDrawError: rows of no task with several intervals.
    """
    conditions = by_condition(rows)
    tasks = [
        t for t in dict.fromkeys(row.task for row in rows) if len({row.interval for row in rows if row.task == t}) > 1
    ]
    if not tasks:
        raise NothingToDrawError("no task with several intervals among the rows")
    figure = Figure(figsize=(PAGE * min(1, 0.25 + 0.375 * len(tasks)), 3.2), layout="constrained")
    panels = figure.subplots(1, len(tasks), squeeze=False, sharey=True)[0]
    nets = list(dict.fromkeys(_name(some[0]) for some in conditions))
    for axes, task in zip(panels, tasks, strict=True):
        for place, (name, (marker, color)) in enumerate(zip(nets, _LOOKS, strict=False)):
            shift = 1.03 ** (2 * place - 1)  # side by side
            mine = [some for some in conditions if (some[0].task, _name(some[0])) == (task, name)]
            points = sorted(((some[0].interval, summarise(some)) for some in mine), key=lambda point: point[0])
            half = [(f * shift, s.median) for f, s in points if math.isfinite(s.median)]
            axes.plot(*zip(*half, strict=True) if half else ((), ()), marker + "-", color=color, label=name)
            for f, s in points:
                at = s.median if math.isfinite(s.median) else s.censored_at
                if math.isinf(s.median) and math.isfinite(s.censored_at):
                    axes.plot([f * shift], [s.censored_at], marker, color=color, markerfacecolor="white")
                    ends = (f * shift, 1.9 * s.censored_at), (f * shift, 1.1 * s.censored_at)
                    axes.annotate("", *ends, arrowprops={"arrowstyle": "->", "color": color})
                if s.solved < s.nets and math.isfinite(at):
                    below = {
                        "textcoords": "offset points",
                        "xytext": (0, -10),
                        "fontsize": SMALL,
                        "ha": "center" if math.isinf(s.median) else "left",
                    }
                    axes.annotate(f"{s.solved}/{s.nets}", (f * shift, at), color=color, **below)
        intervals = sorted({some[0].interval for some in conditions if some[0].task == task})
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(intervals, map(str, intervals))
        axes.margins(y=0.1)  # room for the arrows
        axes.minorticks_off()
        axes.set_xlabel("minimum interval F (steps)")
        axes.set_title(task.upper())
        axes.grid(which="major", color="0.9")
    panels[0].set_ylabel("training streams until solved")
    panels[0].legend(loc="lower right", handlelength=1.5)
    note(figure, _NOTE)
    return figure


def _name(row: Row) -> str:
    return f"{net(row)}, {row.recipe}" if row.recipe == "online" else net(row)
