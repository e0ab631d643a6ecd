"""What a learned initial state changes, which one is learned, and what happens if a net is started from another at test time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from timing_tasks.conditions.model import PEEPHOLE_LSTM
from timing_tasks.report.figures.trajectories import first_solved, periods, units_over_time
from timing_tasks.report.restarts import FOLLOWED, STARTS, distance, orbit, outcome, own_state, restarted
from timing_tasks.report.tables.cells import asked, by_condition, net
from timing_tasks.results.row import Key, Row
from timing_tasks.results.statistics import paired_ratio

_SHAPES = ("cos", "tri", "rect")


def ratios(rows: Sequence[Row]) -> Figure:
    """Training streams with a learned state over those with the zero state, net by net."""
    conditions = by_condition([row for row in rows if row.initial_state in ("zero", "learned")])
    pairs: dict[Key, dict[str, list[Row]]] = {}
    for some in conditions:
        pairs.setdefault(replace(some[0], initial_state="").condition, {})[some[0].initial_state] = some
    shown = [
        pair
        for pair in pairs.values()
        if len(pair) == 2 and any(r.status == "solved" for some in pair.values() for r in some)
    ]
    figure = Figure(figsize=(8.5, 0.24 * len(shown) + 1.3), layout="constrained")
    axes = figure.subplots()
    axes.axvline(1.0, color="0.6", linewidth=0.8)
    for place, pair in enumerate(shown):
        first, result = pair["zero"][0], paired_ratio(pair["learned"], pair["zero"])
        solved = {name: sum(row.status == "solved" for row in some) for name, some in pair.items()}
        if result.pairs > 1:
            low, high = result.interval
            face = "black" if first.peepholes else "white"
            axes.plot([low, high], [place, place], color="black", linewidth=1.2)
            axes.plot([result.ratio], [place], "o", color="black", markerfacecolor=face, markersize=5)
        else:
            axes.axhline(place, color="0.7", linewidth=0.8, linestyle=":")
        counts = f"{solved['zero']}/{len(pair['zero'])} → {solved['learned']}/{len(pair['learned'])}"
        axes.annotate(counts, (1.02, place), xycoords=("axes fraction", "data"), va="center", fontsize=8)
    axes.set_yticks(
        range(len(shown)),
        [
            f"{p['zero'][0].task.upper()} F={p['zero'][0].interval} {asked(p['zero'][0])}, {net(p['zero'][0])}"
            for p in shown
        ],
    )
    axes.tick_params(axis="y", labelsize=8)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("training streams, learned state / zero state (filled: peephole LSTM, open: LSTM)")
    axes.grid(axis="x", color="0.92")
    return figure


def learned_states(rows: Sequence[Row]) -> Figure:
    """Where the learned state lies, against the curve on which the periodic solution moves."""
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    axes = figure.subplots(2, 3)
    for panel in axes[1, 1:]:
        panel.sharey(axes[1, 0])
    paper = str(PEEPHOLE_LSTM)
    generators = [r for r in rows if (r.task, r.tolerance, r.peepholes, r.model) == ("pfg", 0.3, True, paper)]
    for panel, shape in zip(axes[0], _SHAPES, strict=True):
        panel.set_title(f"PFG F=10 {shape}, peephole", fontsize=9)
        panel.set_xlabel("cell state s")
        if not any(
            (r.waveform, r.interval, r.initial_state, r.status) == (shape, 10, "learned", "solved") for r in generators
        ):
            panel.text(
                0.5, 0.5, "no net solved\nwith a learned state", transform=panel.transAxes, ha="center", va="center"
            )
            continue
        row = first_solved(generators, waveform=shape, interval=10, initial_state="learned")
        curve, anchor = orbit(row)
        closed = np.concatenate([curve[-row.interval :], curve[-row.interval :][:1]])
        panel.plot(closed[:, 0], closed[:, 1], color="0.65", linewidth=2, marker=".")
        panel.plot(
            *anchor, "o", markersize=11, markerfacecolor="none", color="black", label="state before a late period"
        )
        panel.plot(*own_state(row), "o", markersize=5, color="black", label="learned state")
        panel.plot(0.0, 0.0, "x", color="black", label="zero state")
        panel.set_title(f"PFG F=10 {shape}, peephole (net {row.replica})", fontsize=9)
    axes[0, 0].set_ylabel("cell output y")
    axes[0, 2].legend(
        *axes[0, 0].get_legend_handles_labels(),
        loc="center left",
        bbox_to_anchor=(1.01, 0.5),
        fontsize=8,
        frameon=False,
    )
    for panel, shape in zip(axes[1], _SHAPES, strict=True):
        for place, (interval, name) in enumerate([(f, n) for f in (10, 25) for n in ("learned", "zero")]):
            solved = [
                r
                for r in generators
                if (r.waveform, r.interval, r.initial_state, r.status) == (shape, interval, name, "solved")
            ]
            distances = np.array([distance(row) for row in solved])
            jitter = (np.arange(len(distances)) % 7 - 3) / 20
            face = "black" if name == "learned" else "white"
            panel.plot(
                place + jitter, distances, "o", color="black", markerfacecolor=face, markersize=3.5, linestyle="none"
            )
        panel.set_xticks(range(4), ["F=10\nlearned", "F=10\nzero", "F=25\nlearned", "F=25\nzero"], fontsize=8)
        panel.set_xlim(-0.5, 3.5)
        panel.set_yscale("log")
        panel.grid(axis="y", color="0.92")
    axes[1, 0].set_ylabel("|start − state before a late period|\nin units of the curve's extent", fontsize=9)
    return figure


def stuck(rows: Sequence[Row]) -> Figure:
    """Where a learned state hurts: rect, F = 10, a net that solved it from zero and one that did not with a learned state."""
    wanted: dict[str, Any] = {"task": "pfg", "interval": 10, "waveform": "rect", "peepholes": True}
    zero = first_solved(rows, initial_state="zero", **wanted)
    learned = first_solved(rows, status="unsolved", initial_state="learned", **wanted)
    return units_over_time([periods(zero, 0, 4), periods(learned, 0, 4)])


def test_time(rows: Sequence[Row]) -> Figure:
    """Nets with a learned state, started from other states."""
    looks: dict[str, dict[str, Any]] = {
        "learned": {"color": "black", "linewidth": 1.8},
        "learned, noise 0.1": {"color": "black", "linestyle": (0, (5, 2))},
        "learned, noise 0.3": {"color": "black", "linestyle": (0, (1, 1.5))},
        "learned, noise 1": {"color": "0.55", "linestyle": "-"},
        "a random phase": {"color": "0.4", "marker": "s", "markersize": 3, "linestyle": (0, (5, 2))},
        "zero": {"color": "0.4", "marker": "x", "markersize": 4, "linestyle": "-"},
    }
    figure = Figure(figsize=(12, 5.6), layout="constrained")
    groups = restarted(rows)
    axes = figure.subplots(2, len(groups), sharex=True, sharey=True, squeeze=False)
    for column, solved in enumerate(groups):
        for start in STARTS:
            result = outcome(solved, start)
            for panel, share in zip(axes[:, column], (result.on_time, result.at_best), strict=True):
                panel.plot(np.arange(1, FOLLOWED + 1), share, label=start, **looks[start])
        first = solved[0]
        axes[0, column].set_title(
            f"{first.task.upper()} F={first.interval} {asked(first)} ({len(solved)} nets)", fontsize=9
        )
        axes[1, column].set_xlabel("period after the start")
        if first.asked.is_random:
            note = "no other phase:\nthe intervals are drawn"
            axes[1, column].text(
                0.5, 0.5, note, transform=axes[1, column].transAxes, ha="center", va="center", fontsize=9
            )
    axes[0, 0].set_ylabel("share of right periods,\nat the time asked for")
    axes[1, 0].set_ylabel("share of right periods,\nat the best phase")
    axes[0, 0].set_ylim(-0.03, 1.05)
    axes[0, -1].legend(
        loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8, frameon=False, title="start", title_fontsize=8
    )
    return figure
