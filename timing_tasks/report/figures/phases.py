"""Training streams against the phase that a periodic function begins with."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.figure import Figure

from timing_tasks.errors import NothingToDrawError
from timing_tasks.report.figures.style import BLUE, GREEN, ORANGE, PAGE, PURPLE, VERMILION, in_style, note
from timing_tasks.report.tables.phases import by_phase
from timing_tasks.results.row import Row
from timing_tasks.results.statistics import summarise

_LOOKS = {
    "zero": {"color": BLUE, "marker": "s"},
    "learned": {"color": VERMILION, "marker": "o"},
    "learned_cell_state": {"color": ORANGE, "marker": "^"},
    "learned_cell_output": {"color": GREEN, "marker": "v"},
    "fixed 1.0": {"color": PURPLE, "marker": "D"},
}
_NOTE = (
    "Median over all nets. Open, at the top: fewer than half of the nets were\nsolved when they were given up, all "
    "after as many streams."
)


@in_style
def phases(rows: Sequence[Row]) -> Figure:
    """Median training streams against the first phase, a panel for each function, above without peepholes.

    Raises:
        NothingToDrawError: no rows of a periodic function.
    """
    found = by_phase([row for row in rows if row.task == "pfg"])
    if not found:
        raise NothingToDrawError("no rows of a periodic function")
    functions = list(dict.fromkeys(key[:2] for key in found))
    figure = Figure(figsize=(PAGE * min(1.0, 0.25 + 0.25 * len(functions)), 4.2), layout="constrained")
    panels = figure.subplots(2, len(functions), squeeze=False, sharex="col", sharey=True)
    for place, (waveform, period) in enumerate(functions):
        for axes, peepholes in zip(panels[:, place], (False, True), strict=True):
            for number, (state, some) in enumerate(found.get((waveform, period, peepholes), {}).items()):
                look = {**_LOOKS.get(state, {"color": "black", "marker": "x"}), "markersize": 3.5}
                summaries = [(phase, summarise(some[phase])) for phase in sorted(some)]
                shift = 0.12 * (number - 1)  # side by side
                medians = [s.median if math.isfinite(s.median) else math.nan for _, s in summaries]
                where = [phase + shift for phase, _ in summaries]
                axes.plot(where, medians, label=state.replace("_", " "), **look)
                censored = [(phase + shift, s.censored_at) for phase, s in summaries if not math.isfinite(s.median)]
                open_look = look | {"markerfacecolor": "none", "linestyle": "none"}
                axes.plot(*zip(*censored, strict=True) if censored else ((), ()), **open_look)
            axes.set_yscale("log")
            axes.set_title(f"{waveform} F={period}, {'peephole' if peepholes else 'LSTM'}")
            axes.grid(axis="y", color="0.92")
        panels[1, place].set_xlabel("first phase m of f(m)")
    for across in panels:
        across[0].set_ylabel("training streams until solved")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
    note(figure, _NOTE)
    return figure
