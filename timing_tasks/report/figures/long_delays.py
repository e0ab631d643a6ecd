"""Delays of many steps: which nets solve them from which initial state, and how soon."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from timing_tasks.conditions.recipe import ONLINE
from timing_tasks.errors import NothingToDrawError
from timing_tasks.models.weights import WEIGHT_NAMES
from timing_tasks.report.answers import answers, off_centre
from timing_tasks.report.figures.style import BLUE, GREEN, ORANGE, PAGE, PURPLE, VERMILION, in_style, note
from timing_tasks.report.tables.cells import PAPERS_MODEL, by_condition
from timing_tasks.results.published import PAPERS_NETS, Published
from timing_tasks.results.row import Row
from timing_tasks.results.statistics import Summary, summarise

_NETS = {  # by layer and peepholes; colour, marker and place beside the others
    (PAPERS_MODEL, True): ("peephole LSTM", VERMILION, "o"),
    (PAPERS_MODEL, False): ("LSTM", BLUE, "s"),
    ("lstm 1", False): ("nn.LSTM", GREEN, "^"),
    ("gru 1", False): ("nn.GRU", ORANGE, "D"),
}
_NOTE = (
    "Filled, solid: learned initial state. Open, dashed: zero state. Share of nets solved with its 95% interval; "
    "median training streams over all\nnets, only where half of them are solved. Grey: the on-line rule from the zero "
    "state, with peepholes (circle) and without (square);\nlarge: ours, where half of the nets are solved; small: the "
    "paper's means{}."
)
_STATES = {  # colour and marker
    "zero": (BLUE, "s"),
    "learned": (VERMILION, "o"),
    "learned_cell_state": (ORANGE, "^"),
    "learned_cell_output": (GREEN, "v"),
    "fixed 1.0": (PURPLE, "D"),
}
_RUNAWAY_NOTE = (
    "At the end of training, one point a net, with and without peepholes; filled: solved, open: given up. Left: the "
    "state of one net along the longer\nof its two streams. Right: how far the mean of the two answers' y is from 0, "
    "in units of their difference; below 0.5 they have different signs."
)


@in_style
def long_delays(rows: Sequence[Row], published: Sequence[Published]) -> Figure:
    """Share of nets solved, and median training streams, against F (NMSD).

    Args:
        rows: of nets that learn by back-propagation, and of others that learn by the on-line rule, drawn in grey.
        published: the paper's values, for points in grey.

    Raises:
        NothingToDrawError: no rows of nets that learn by back-propagation.
    """
    measured = [row for row in rows if (row.task, row.offsets) == ("nmsd", (0, 1))]
    conditions = by_condition([row for row in measured if row.initial_state in ("zero", "learned")])
    kinds: dict[tuple[str, bool, bool], list[tuple[int, Summary]]] = {}
    online: dict[bool, list[tuple[int, Summary]]] = {}
    for some in conditions:
        first = some[0]
        if first.recipe != ONLINE.name:
            key = first.model, first.peepholes and first.model == PAPERS_MODEL, first.initial_state != "zero"
            kinds.setdefault(key, []).append((first.interval, summarise(some)))
        elif first.initial_state == "zero":
            online.setdefault(first.peepholes, []).append((first.interval, summarise(some)))
    if not kinds:
        raise NothingToDrawError("no rows of nets that learn by back-propagation")
    figure = Figure(figsize=(PAGE, 3.6), layout="constrained")
    shares, streams = figure.subplots(1, 2)
    for (model, peepholes, learned), points in kinds.items():
        name, color, marker = _NETS.get((model, peepholes), (model, "black", "x"))
        place = list(_NETS).index((model, peepholes)) if (model, peepholes) in _NETS else len(_NETS)
        shift = 1.05 ** (2 * place - 3 + 0.5 * learned)  # side by side
        look = {
            "color": color,
            "marker": marker,
            "markerfacecolor": color if learned else "white",
            "linestyle": "-" if learned else "--",
            "label": f"{name}, {'learned' if learned else 'zero'}",
        }
        points = sorted(points, key=lambda point: point[0])
        where = [f * shift for f, _ in points]
        share = np.array([s.solved / s.nets for _, s in points])
        bars = np.abs(np.array([s.interval for _, s in points]).T - share)
        shares.errorbar(where, share, yerr=bars, capsize=1.5, elinewidth=0.6, **look)
        half = [s.median if math.isfinite(s.median) else math.nan for _, s in points]
        streams.plot(where, half, **look)
    papers = [v for v in published if (v.task, v.offsets, v.output_activation) == ("nmsd", (0, 1), "sigmoid")]
    for peepholes, marker in ((True, "o"), (False, "s")):
        grey = {"color": "0.55", "marker": marker, "linestyle": "none"}
        ours = online.get(peepholes, [])
        shares.plot([f for f, _ in ours], [s.solved / s.nets for _, s in ours], **grey, markersize=6, zorder=0)
        finite = [(f, s.median) for f, s in ours if math.isfinite(s.median)]
        streams.plot([f for f, _ in finite], [median for _, median in finite], **grey, markersize=6, zorder=0)
        mine = [v for v in papers if v.peepholes == peepholes and v.streams is not None]
        streams.plot([v.interval for v in mine], [v.mean for v in mine], **grey, markersize=3, zorder=0)
    for axes in (shares, streams):
        _finish(axes, sorted({some[0].interval for some in conditions if some[0].recipe != ONLINE.name}))
    shares.set_ylim(-0.03, 1.03)
    shares.set_ylabel("share of nets solved")
    streams.set_yscale("log")
    streams.set_ylabel("training streams until solved")
    figure.legend(*shares.get_legend_handles_labels(), loc="outside upper center", ncols=4, handlelength=2.5)
    checked = all(v.verified for v in papers)
    note(figure, _NOTE.format(f" over {PAPERS_NETS} nets" + ("" if checked else " (recalled)")))
    return figure


def _finish(axes: Axes, intervals: Sequence[int]) -> None:
    axes.set_xscale("log")
    axes.set_xticks(intervals, map(str, intervals))
    axes.minorticks_off()
    axes.set_xlabel("minimum interval F (steps)")
    axes.grid(which="major", color="0.9")
    axes.set_axisbelow(True)


@in_style
def runaway(rows: Sequence[Row]) -> Figure:
    """What becomes of nets that fail: the cell state of each net at the end of its training, just before the spike.

    Args:
        rows: of nets that learn by back-propagation.

    Raises:
        NothingToDrawError: no rows of such nets of the paper's layer.
    """
    mine = [row for row in rows if row.recipe != ONLINE.name and row.model == PAPERS_MODEL]
    if not mine:
        raise NothingToDrawError("no rows of the paper's nets that learn by back-propagation")
    longest = max(row.interval for row in mine)
    figure = Figure(figsize=(PAGE, 3.2), layout="constrained")
    path, state, apart = figure.subplots(1, 3)
    pair = [row for row in mine if (row.interval, row.peepholes, row.replica) == (longest, False, 0)]
    for row in pair:
        if row.initial_state in ("zero", "learned"):
            color, _ = _STATES[row.initial_state]
            values = [row.net_weights[WEIGHT_NAMES.index("s_0")], *answers(row)[1].cell_state]
            path.plot(values, color=color, label=f"{row.initial_state}, {row.status}")
    path.set_yscale("symlog", linthresh=1e-3)
    path.set_title(f"net 0 without peepholes, F={longest}")
    path.set_xlabel("step")
    path.set_ylabel("cell state s")
    path.legend(loc="lower left")
    intervals = sorted({row.interval for row in mine})
    kinds = [name for name in _STATES if any(row.initial_state == name for row in mine)]
    for place, name in enumerate(kinds):
        color, marker = _STATES[name]
        for solved in (True, False):
            some = [row for row in mine if row.initial_state == name and row.is_solved == solved]
            where = np.array([intervals.index(row.interval) for row in some]) + 0.22 * (place - (len(kinds) - 1) / 2)
            look = {"color": color, "marker": marker, "linestyle": "none", "markersize": 3}
            look |= {} if solved else {"markerfacecolor": "none"}
            ends = [abs(answers(row)[1].cell_state[-2]) for row in some]
            state.plot(where, ends, label=name.replace("_", " ") if solved else None, **look)
            apart.plot(where, [off_centre(row) for row in some], **look)
    for axes, text in ((state, "|s| before the spike"), (apart, "|mean of the two y| / their difference")):
        axes.set_yscale("log")
        axes.set_xticks(range(len(intervals)), map(str, intervals))
        axes.set_xlabel("minimum interval F (steps)")
        axes.set_ylabel(text)
        axes.grid(axis="y", color="0.92")
    figure.legend(*state.get_legend_handles_labels(), loc="outside upper center", ncols=len(kinds))
    note(figure, _RUNAWAY_NOTE)
    return figure
