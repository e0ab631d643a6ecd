"""Figures of the learned initial state: what it changes, which one is learned, and the state at test time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from timing_tasks.conditions.model import PEEPHOLE_LSTM
from timing_tasks.report.figures.style import (
    BLACK,
    BLUE,
    LSTM,
    ORANGE,
    PAGE,
    PEEPHOLE,
    PURPLE,
    SKY,
    SMALL,
    VERMILION,
    in_style,
    note,
)
from timing_tasks.report.figures.trajectories import first_solved, periods, units_over_time
from timing_tasks.report.restarts import FOLLOWED, STARTS, distance, orbit, outcome, own_state, restarted
from timing_tasks.report.tables.cells import asked, by_condition, net
from timing_tasks.results.row import Key, Row
from timing_tasks.results.statistics import paired_ratio

_SHAPES = ("cos", "tri", "rect")


@in_style
def ratios(rows: Sequence[Row]) -> Figure:
    """Training streams with a learned state over those with the zero state, net by net, and the nets solved by each."""
    conditions = by_condition([row for row in rows if row.initial_state in ("zero", "learned")])
    pairs: dict[Key, dict[str, list[Row]]] = {}
    for some in conditions:
        pairs.setdefault(replace(some[0], initial_state="").condition, {})[some[0].initial_state] = some
    shown = [
        pair for pair in pairs.values() if len(pair) == 2 and any(r.is_solved for some in pair.values() for r in some)
    ]
    figure = Figure(figsize=(PAGE, 0.16 * len(shown) + 1.1), layout="constrained")
    streams, solved = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    streams.axvline(1.0, color="0.6", linewidth=0.6)
    for place, pair in enumerate(shown):
        first, result = pair["zero"][0], paired_ratio(pair["learned"], pair["zero"])
        look = PEEPHOLE if first.peepholes else LSTM
        if result.pairs > 1:
            streams.plot(result.interval, [place, place], color=look["color"])
            streams.plot([result.ratio], [place], "o", color=look["color"])
        else:
            center = {"ha": "center", "va": "center", "fontsize": 6, "color": "0.45"}
            streams.text(1.0, place, "no pairs of solved nets", backgroundcolor="white", **center)
        shares = [100 * sum(r.is_solved for r in pair[name]) / len(pair[name]) for name in ("zero", "learned")]
        solved.plot(shares, [place, place], color=look["color"], linewidth=0.8)
        solved.plot(shares[:1], [place], look["marker"], color=look["color"], markerfacecolor="white")
        solved.plot(shares[1:], [place], look["marker"], color=look["color"], markersize=3)
    names = [(p["zero"][0], net(p["zero"][0])) for p in shown]
    streams.set_yticks(range(len(shown)), [f"{r.task.upper()} F={r.interval} {asked(r)}, {name}" for r, name in names])
    streams.set_ylim(len(shown) - 0.4, -0.6)
    streams.set_xscale("log")
    streams.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    streams.xaxis.set_major_formatter("{x:g}")
    streams.xaxis.set_minor_formatter(NullFormatter())
    streams.set_xlabel("training streams, learned state / zero state")
    solved.set_xlabel("nets solved (%)")
    solved.set_xlim(-4, 104)
    for axes in (streams, solved):
        axes.grid(axis="x", color="0.92")
        axes.set_axisbelow(True)
    note(
        figure,
        "Left: geometric mean over the pairs of nets that both solved it, with its 95% interval (Student's t of the "
        "logarithms); left of 1 the learned\nstate is faster. Right: open with the zero state, filled with the learned "
        "one. Circles: peephole LSTM; squares: LSTM.",
    )
    return figure


@in_style
def learned_states(rows: Sequence[Row]) -> Figure:
    """Where the learned state lies, against the curve on which the periodic solution moves."""
    figure = Figure(figsize=(PAGE, 4.6), layout="constrained")
    axes = figure.subplots(2, 3)
    for panel in axes[1, 1:]:
        panel.sharey(axes[1, 0])
    paper = str(PEEPHOLE_LSTM)
    generators = [r for r in rows if (r.task, r.tolerance, r.peepholes, r.model) == ("pfg", 0.3, True, paper)]
    for panel, shape in zip(axes[0], _SHAPES, strict=True):
        panel.set_title(f"PFG F=10 {shape}, peephole")
        panel.set_xlabel("cell state s")
        wanted = (shape, 10, "learned", "solved")
        if not any((r.waveform, r.interval, r.initial_state, r.status) == wanted for r in generators):
            center = {"transform": panel.transAxes, "ha": "center", "va": "center"}
            panel.text(0.5, 0.5, "no net solved\nwith a learned state", **center)
            continue
        row = first_solved(generators, waveform=shape, interval=10, initial_state="learned")
        curve, anchor = orbit(row)
        closed = np.concatenate([curve[-row.interval :], curve[-row.interval :][:1]])
        panel.plot(closed[:, 0], closed[:, 1], color="0.65", marker=".")
        before = {"markersize": 8, "markerfacecolor": "none", "color": BLACK, "linestyle": "none"}
        panel.plot(*anchor, marker="o", label="before a\nlate period", **before)
        panel.plot(*own_state(row), "o", color=VERMILION, label="learned")
        panel.plot(0.0, 0.0, "x", color=BLUE, label="zero")
        panel.set_title(f"PFG F=10 {shape}, peephole (net {row.replica})")
    axes[0, 0].set_ylabel("cell output y")
    handles = axes[0, 0].get_legend_handles_labels()
    axes[0, 2].legend(
        *handles, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, title="state", handlelength=1
    )
    kinds = [(f, name) for f in (10, 25) for name in ("learned", "zero")]
    for panel, shape in zip(axes[1], _SHAPES, strict=True):
        for place, kind in enumerate(kinds):
            group = [r for r in generators if (r.waveform, r.interval, r.initial_state) == (shape, *kind)]
            distances = np.array([distance(row) for row in group if row.is_solved])
            jitter = (np.arange(len(distances)) % 7 - 3) / 20
            color = VERMILION if kind[1] == "learned" else BLUE
            panel.plot(place + jitter, distances, "o", color=color, markersize=2.5, linestyle="none")
            count = f"{len(distances)} of\n{len(group)}" if group else "not\nrun"
            above = {"transform": panel.get_xaxis_transform(), "ha": "center", "va": "top", "fontsize": SMALL}
            panel.text(place, 0.99, count, color=color, **above)
        panel.set_xticks(range(4), [f"F={f}\n{name}" for f, name in kinds])
        panel.set_xlim(-0.5, 3.5)
        panel.set_yscale("log")
        panel.grid(axis="y", color="0.92")
    if any(len(line.get_ydata()) for panel in axes[1] for line in panel.get_lines()):
        low, high = axes[1, 0].get_ylim()
        axes[1, 0].set_ylim(low, high * (high / low) ** 0.25)  # room for the counts
    axes[1, 0].set_ylabel("|start − state before a late\nperiod| (extents of the curve)")
    note(
        figure,
        "Below: every solved net is a dot; the numbers say how many were solved of how many. s and y have no unit.",
    )
    return figure


def stuck(rows: Sequence[Row]) -> Figure:
    """Where a learned state hurts: rect, F = 10, solved from the zero state and not from a learned one."""
    wanted: dict[str, Any] = {"task": "pfg", "interval": 10, "waveform": "rect", "peepholes": True}
    zero = first_solved(rows, initial_state="zero", **wanted)
    learned = first_solved(rows, status="unsolved", initial_state="learned", **wanted)
    return units_over_time([periods(zero, 0, 4), periods(learned, 0, 4)])


@in_style
def test_time(rows: Sequence[Row]) -> Figure:
    """Nets with a learned state, started from other states."""
    looks: dict[str, dict[str, Any]] = {
        "learned": {"color": BLACK, "linewidth": 1.6},
        "learned, noise 0.1": {"color": SKY, "marker": "o"},
        "learned, noise 0.3": {"color": BLUE, "marker": "s"},
        "learned, noise 1": {"color": PURPLE, "marker": "^"},
        "a random phase": {"color": ORANGE, "marker": "D"},
        "zero": {"color": VERMILION, "marker": "x"},
    }
    figure = Figure(figsize=(PAGE, 3.8), layout="constrained")
    groups = restarted(rows)
    axes = figure.subplots(2, len(groups), sharex=True, sharey=True, squeeze=False)
    period = np.arange(1, FOLLOWED + 1)
    for column, group in enumerate(groups):
        for place, start in enumerate(STARTS):
            result = outcome(group, start)
            apart = {"markevery": (place, 9), "markersize": 3.5}  # curves lie over one another: markers take turns
            for panel, share in zip(axes[:, column], (result.on_time, result.at_best), strict=True):
                panel.plot(period, 100 * share, label=start, **apart, **looks[start])
        first = group[0]
        axes[0, column].set_title(f"{first.task.upper()} F={first.interval} {asked(first)}\n({len(group)} nets)")
        axes[1, column].set_xlabel("period after the start")
        if first.asked.is_random:
            center = {"transform": axes[1, column].transAxes, "ha": "center", "va": "center"}
            axes[1, column].text(0.5, 0.5, "no other phase:\nthe intervals\nare drawn", **center)
    axes[0, 0].set_ylabel("periods right, at the\ntime asked for (%)")
    axes[1, 0].set_ylabel("periods right, at the\nbest phase (%)")
    axes[0, 0].set_ylim(-3, 105)
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, frameon=False, title="start")
    return figure
