"""What a learned initial state changes, which one is learned, and what happens if a net is started from another at test time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from timing_tasks.figures.trajectories import first_solved
from timing_tasks.models.timing_network import INITIAL_STATE, WEIGHT_NAMES
from timing_tasks.models.trajectory import trajectory
from timing_tasks.results import Row
from timing_tasks.statistics import paired_ratio
from timing_tasks.tables.cells import asked, by_condition, net
from timing_tasks.tasks import Purpose, stream
from timing_tasks.tasks.philox import uniform
from timing_tasks.tasks.verdict import is_correct

State = tuple[float, float]  # s and y
_S_0, _Y_0 = (WEIGHT_NAMES.index(name) for name in INITIAL_STATE)
_LATE = 20  # periods at the end of a test stream
_FOLLOWED = 40  # periods after a start at test time
_DRAWS = 4  # starts of one kind for each net
_SHAPES = ("cos", "tri", "rect")


def ratios(rows: Sequence[Row]) -> Figure:
    """Training streams with a learned state over those with the zero state, net by net."""
    conditions = by_condition([row for row in rows if row.initial_state in ("zero", "learned")])
    pairs: dict[tuple[str, ...], dict[str, list[Row]]] = {}
    for some in conditions:
        pairs.setdefault(replace(some[0], initial_state="").condition, {})[some[0].initial_state] = some
    shown = [
        pair for pair in pairs.values() if len(pair) == 2 and any(r.status == "solved" for some in pair.values() for r in some)
    ]
    figure = Figure(figsize=(8.5, 0.24 * len(shown) + 1.3), layout="constrained")
    axes = figure.subplots()
    axes.axvline(1.0, color="0.6", linewidth=0.8)
    for place, pair in enumerate(shown):
        first, result = pair["zero"][0], paired_ratio(pair["learned"], pair["zero"])
        solved = {name: sum(row.status == "solved" for row in some) for name, some in pair.items()}
        if result.pairs > 1:
            low, high = result.interval
            face = "black" if first.peepholes == "true" else "white"
            axes.plot([low, high], [place, place], color="black", linewidth=1.2)
            axes.plot([result.ratio], [place], "o", color="black", markerfacecolor=face, markersize=5)
        else:
            axes.axhline(place, color="0.7", linewidth=0.8, linestyle=":")
        counts = f"{solved['zero']}/{len(pair['zero'])} → {solved['learned']}/{len(pair['learned'])}"
        axes.annotate(counts, (1.02, place), xycoords=("axes fraction", "data"), va="center", fontsize=8)
    axes.set_yticks(
        range(len(shown)),
        [f"{p['zero'][0].task.upper()} F={p['zero'][0].interval} {asked(p['zero'][0])}, {net(p['zero'][0])}" for p in shown],
    )
    axes.tick_params(axis="y", labelsize=8)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xscale("log")
    axes.set_xlabel("training streams, learned state / zero state (filled: peephole LSTM, open: LSTM)")
    axes.grid(axis="x", color="0.92")
    return figure


def learned_states(rows: Sequence[Row]) -> Figure:
    """Where the learned state lies, against the curve on which the periodic solution moves."""
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    axes = figure.subplots(2, 3)
    generators = [row for row in rows if row.task == "pfg" and row.tolerance == "0.3" and row.peepholes == "true"]
    for panel, shape in zip(axes[0], _SHAPES, strict=True):
        row = first_solved(generators, waveform=shape, interval="10", initial_state="learned")
        orbit, anchor = _orbit(row)
        closed = np.concatenate([orbit[-int(row.interval) :], orbit[-int(row.interval) :][:1]])
        panel.plot(closed[:, 0], closed[:, 1], color="0.65", linewidth=2, marker=".")
        panel.plot(*anchor, "o", markersize=11, markerfacecolor="none", color="black", label="state before a late period")
        panel.plot(row.net_weights[_S_0], row.net_weights[_Y_0], "o", markersize=5, color="black", label="learned state")
        panel.plot(0.0, 0.0, "x", color="black", label="zero state")
        panel.set_title(f"PFG F=10 {shape}, peephole (net {row.replica})", fontsize=9)
        panel.set_xlabel("cell state s")
    axes[0, 0].set_ylabel("cell output y")
    axes[0, 2].legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8, frameon=False)
    for panel, shape in zip(axes[1], _SHAPES, strict=True):
        for place, (interval, name) in enumerate([(f, n) for f in ("10", "25") for n in ("learned", "zero")]):
            solved = [
                r for r in generators if (r.waveform, r.interval, r.initial_state, r.status) == (shape, interval, name, "solved")
            ]
            distances = np.array([_distance(row) for row in solved])
            jitter = (np.arange(len(distances)) % 7 - 3) / 20
            face = "black" if name == "learned" else "white"
            panel.plot(place + jitter, distances, "o", color="black", markerfacecolor=face, markersize=3.5, linestyle="none")
        panel.set_xticks(range(4), ["F=10\nlearned", "F=10\nzero", "F=25\nlearned", "F=25\nzero"], fontsize=8)
        panel.set_xlim(-0.5, 3.5)
        panel.set_yscale("log")
        panel.grid(axis="y", color="0.92")
    axes[1, 0].set_ylabel("|start − state before a late period|\nin units of the curve's extent", fontsize=9)
    return figure


def test_time(rows: Sequence[Row]) -> Figure:
    """Nets with a learned state, started from other states."""
    columns = [
        {"task": "pfg", "interval": "10", "waveform": "cos", "tolerance": "0.3"},
        {"task": "pfg", "interval": "10", "waveform": "rect", "tolerance": "0.3"},
        {"task": "gts", "interval": "10", "offsets": "0"},
        {"task": "gts", "interval": "10", "offsets": "0 1"},
    ]
    looks: list[tuple[str, Callable[[Row, np.ndarray], list[State]], dict[str, Any]]] = [
        ("learned", lambda row, orbit: [_learned(row)], {"color": "black", "linewidth": 1.8}),
        ("learned, noise 0.1", _noisy(0.1), {"color": "black", "linestyle": (0, (5, 2))}),
        ("learned, noise 0.3", _noisy(0.3), {"color": "black", "linestyle": (0, (1, 1.5))}),
        ("learned, noise 1", _noisy(1.0), {"color": "0.55", "linestyle": "-"}),
        ("a random phase", _random_phase, {"color": "0.4", "marker": "s", "markersize": 3, "linestyle": (0, (5, 2))}),
        ("zero", lambda row, orbit: [(0.0, 0.0)], {"color": "0.4", "marker": "x", "markersize": 4, "linestyle": "-"}),
    ]
    figure = Figure(figsize=(12, 5.6), layout="constrained")
    axes = figure.subplots(2, len(columns), sharex=True, sharey=True)
    for column, wanted in enumerate(columns):
        solved = _solved(rows, peepholes="true", initial_state="learned", forget_gate="true", **wanted)
        orbits = [_orbit(row)[0] for row in solved]
        for name, starts, look in looks:
            pairs = [(row, start) for row, orbit in zip(solved, orbits, strict=True) for start in starts(row, orbit)]
            right = [_right_periods(row, start) for row, start in pairs]
            for panel, which in zip(axes[:, column], range(2), strict=True):
                share = np.mean([r[which] for r in right], axis=0)
                panel.plot(np.arange(1, _FOLLOWED + 1), share, label=name, **look)
        example = solved[0]
        axes[0, column].set_title(f"{example.task.upper()} F={example.interval} {asked(example)} ({len(solved)} nets)", fontsize=9)
        axes[1, column].set_xlabel("period after the start")
    axes[0, 0].set_ylabel("share of right periods,\nat the time asked for")
    axes[1, 0].set_ylabel("share of right periods,\nat the best phase")
    axes[0, 0].set_ylim(-0.03, 1.05)
    axes[0, -1].legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8, frameon=False, title="start", title_fontsize=8)
    return figure


def _solved(rows: Sequence[Row], **wanted: str) -> list[Row]:
    first_solved(rows, **wanted)  # an error if there is none
    return [r for r in rows if r.status == "solved" and all(getattr(r, name) == value for name, value in wanted.items())]


def _learned(row: Row) -> State:
    return float(row.net_weights[_S_0]), float(row.net_weights[_Y_0])


def _orbit(row: Row) -> tuple[np.ndarray, State]:
    """S and y at the steps of the last periods of a test stream, [T, 2], and the state before the first step of the last period."""
    asked_for = stream(row.asked, int(row.seed), int(row.replica), int(row.training_streams), Purpose.TEST)
    units = trajectory(row.net_weights, asked_for.inputs, row.output_activation, row.forget_gate == "true")
    states = np.stack([units.cell_state, units.cell_output], axis=1)
    last = int(np.argmax(asked_for.period == asked_for.period[-1]))
    late = states[asked_for.period > asked_for.period[-1] - _LATE]
    return late, (float(states[last - 1, 0]), float(states[last - 1, 1]))


def _extent(orbit: np.ndarray) -> np.ndarray:
    """Of the curve in s and in y."""
    extent: np.ndarray = orbit.max(axis=0) - orbit.min(axis=0)
    return extent


def _distance(row: Row) -> float:
    """From the state that a net starts from to the one before a late period, each coordinate in units of the curve's extent."""
    orbit, anchor = _orbit(row)
    return float(np.linalg.norm((np.array(_learned(row)) - anchor) / _extent(orbit)))


def _noisy(size: float) -> Callable[[Row, np.ndarray], list[State]]:
    """The learned state with normal noise of `size` times the curve's extent."""

    def starts(row: Row, orbit: np.ndarray) -> list[State]:
        drawn = uniform(int(row.seed), int(row.replica), int(Purpose.TEST), 2 * _DRAWS).reshape(_DRAWS, 2)
        moved = np.array(_learned(row)) + size * _extent(orbit) * stats.norm.ppf(drawn)
        return [(float(s), float(y)) for s, y in moved]

    return starts


def _random_phase(row: Row, orbit: np.ndarray) -> list[State]:
    """States that the net passes through late in a stream."""
    drawn = uniform(int(row.seed), int(row.replica), int(Purpose.TRAINING), _DRAWS)
    return [(float(s), float(y)) for s, y in orbit[(drawn * len(orbit)).astype(int)]]


def _right_periods(row: Row, start: State) -> tuple[np.ndarray, np.ndarray]:
    """Whether every prediction of a period is right, [periods]: at the time asked for, and shifted by what fits the period best."""
    asked_for = stream(row.asked, int(row.seed), int(row.replica), 0, Purpose.TEST, 0, _FOLLOWED + 1)
    weights = row.net_weights
    weights[[_S_0, _Y_0]] = start
    units = trajectory(weights, asked_for.inputs, row.output_activation, row.forget_gate == "true")
    tolerance = float(row.tolerance)
    ends = np.flatnonzero(np.diff(asked_for.period, append=math.inf)) + 1
    on_time, at_best = np.zeros(_FOLLOWED, dtype=bool), np.zeros(_FOLLOWED, dtype=bool)
    for period, (begin, end) in enumerate(zip([0, *ends[: _FOLLOWED - 1]], ends[:_FOLLOWED], strict=True)):
        target = asked_for.targets[begin:end]
        on_time[period] = is_correct(target, units.output[begin:end], tolerance).all()
        shifts = range(min(int(row.interval), len(units.output) - end + 1))
        at_best[period] = any(is_correct(target, units.output[begin + k : end + k], tolerance).all() for k in shifts)
    return on_time, at_best
