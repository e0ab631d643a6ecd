"""What happens inside solved nets, over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from timing_tasks.conditions.model import PEEPHOLE_LSTM
from timing_tasks.errors import NothingToDrawError
from timing_tasks.models.trajectory import Trajectory, trajectory
from timing_tasks.report.tables.cells import asked, net
from timing_tasks.results.row import Row
from timing_tasks.tasks import Purpose, Stream, stream

Column = tuple[str, list[tuple[int, Stream, Trajectory]]]  # a title; first steps, streams and what happens along them

_TARGET: dict[str, Any] = {"color": "0.72", "linewidth": 4, "solid_capstyle": "round"}
_PLAIN: dict[str, Any] = {"color": "black", "linewidth": 1.2}
_DASHED: dict[str, Any] = {"color": "0.35", "linewidth": 1.2, "linestyle": (0, (5, 2))}
_DOTTED: dict[str, Any] = {"color": "0.2", "linewidth": 1.6, "linestyle": (0, (1, 1.5))}


def delays(rows: Sequence[Row]) -> Figure:
    """How nets measure delays: NMSD and MSD, without peepholes and with."""
    columns = []
    for task in ("nmsd", "msd"):
        for peepholes in (False, True):
            row = first_solved(rows, task=task, interval=10, offsets=(0, 1), peepholes=peepholes, initial_state="zero")
            columns.append(_both_inputs(row) if task == "nmsd" else periods(row, 0, 5))
    return units_over_time(columns)


def spikes(rows: Sequence[Row]) -> Figure:
    """How nets generate timed spikes: GTS, with peepholes and without."""
    wanted = [((0,), True), ((0, 1), True), ((0,), False)]
    found = [first_solved(rows, task="gts", interval=10, offsets=o, peepholes=p, forget_gate=True) for o, p in wanted]
    return units_over_time([periods(row, 5, 10) for row in found])


def functions(rows: Sequence[Row]) -> Figure:
    """How nets generate the three periodic functions, in the last periods of a test stream."""
    return units_over_time([periods(row, 995, 999) for row in _generators(rows)])


def start(rows: Sequence[Row]) -> Figure:
    """The first periods of a periodic function: how the state leaves 0, and where it stays afterwards."""
    figure = Figure(figsize=(11, 5), layout="constrained")
    axes = figure.subplots(2, 3, sharex="col")
    for column, row in enumerate(_generators(rows)):
        asked_for, units = _simulate(row, 0, 1000)
        steps = 5 * row.interval
        t = np.arange(1, steps + 1)
        late = units.cell_state[-100 * row.interval :]
        above, below = axes[0, column], axes[1, column]
        above.plot(t, asked_for.targets[:steps], label="target d", **_TARGET)
        above.plot(t, units.output[:steps], label="output z", **_PLAIN)
        below.axhspan(late.min(), late.max(), color="0.9", label="range of s in the last 100 of 1000 periods")
        below.axhline(0.0, color="0.6", linewidth=0.8)
        below.plot(
            np.arange(steps + 1), [0.0, *units.cell_state[:steps]], label="cell state s, from s(0) = 0", **_PLAIN
        )
        above.set_title(_name(row), fontsize=9)
        below.set_xlabel("time step t")
    axes[0, 0].set_ylabel("target and output")
    axes[1, 0].set_ylabel("cell state")
    _legends(axes)
    return figure


def _generators(rows: Sequence[Row]) -> list[Row]:
    shapes = ("cos", "tri", "rect")
    wanted: dict[str, Any] = {
        "task": "pfg",
        "interval": 10,
        "peepholes": True,
        "forget_gate": True,
        "initial_state": "zero",
    }
    return [first_solved(rows, waveform=shape, **wanted) for shape in shapes]


def first_solved(rows: Sequence[Row], status: str = "solved", **wanted: Any) -> Row:
    """Of the solved (or other) nets that have these values, the one with the lowest number: none is picked for its looks."""
    wanted = {"model": str(PEEPHOLE_LSTM)} | wanted
    found = [r for r in rows if r.status == status and all(getattr(r, name) == value for name, value in wanted.items())]
    if not found:
        raise NothingToDrawError(
            f"no {status} net to draw among the rows ({', '.join(f'{k}={v}' for k, v in wanted.items())})"
        )
    return min(found, key=lambda row: row.order)


def _simulate(row: Row, test: int, periods: int | None) -> tuple[Stream, Trajectory]:
    """A test stream of a net and what happens inside the net along it."""
    asked_for = stream(row.asked, row.seed, row.replica, row.training_streams, Purpose.TEST, test, periods)
    return asked_for, trajectory(
        row.net_weights, asked_for.inputs, row.output_activation, row.forget_gate, row.cell_output_activation
    )


def _name(row: Row) -> str:
    solved = "" if row.status == "solved" else f", {row.status}"
    return f"{row.task.upper()} F={row.interval} {asked(row)}, {net(row)} (net {row.replica}{solved})"


def periods(row: Row, first: int, last: int) -> Column:
    """A column: the periods from `first` to before `last` of the first test stream."""
    asked_for, units = _simulate(row, 0, last)
    shown = np.flatnonzero(asked_for.period >= first)
    cut_stream = Stream(*(getattr(asked_for, name)[shown] for name in Stream.__dataclass_fields__))
    cut_units = Trajectory(*(getattr(units, name)[shown] for name in Trajectory.__dataclass_fields__))
    return _name(row), [(int(shown[0]) + 1, cut_stream, cut_units)]


def _both_inputs(row: Row) -> Column:
    """The test streams of a single-period task, beside one another with a gap."""
    parts, at = [], 1
    for test in range(len(row.offsets)):
        asked_for, units = _simulate(row, test, 1)
        parts.append((at, asked_for, units))
        at += len(asked_for.inputs) + 3
    return _name(row), parts


def units_over_time(columns: Sequence[Column]) -> Figure:
    """Input, target and output, the cell, and the gates, below one another, a column a net."""
    figure = Figure(figsize=(3.4 * len(columns) + 0.6, 6.4), layout="constrained")
    axes = figure.subplots(3, len(columns), sharex="col", squeeze=False)
    for column, (title, parts) in enumerate(columns):
        outputs, cell, gates = axes[:, column]
        for number, (at, asked_for, units) in enumerate(parts):
            t = np.arange(at, at + len(asked_for.inputs))

            def label(text: str, first: bool = number == 0) -> str | None:
                return text if first else None

            if asked_for.has_target.all():
                outputs.plot(t, asked_for.targets, label=label("target d"), **_TARGET)
            else:
                at_spike = asked_for.has_target
                outputs.plot(
                    t[at_spike], asked_for.targets[at_spike], "o", color="0.72", markersize=9, label=label("target d")
                )
            if asked_for.inputs.any():
                outputs.plot(t, asked_for.inputs, drawstyle="steps-mid", label=label("input x"), **_DOTTED)
            outputs.plot(t, units.output, label=label("output z"), **_PLAIN)
            cell.plot(t, units.cell_state, label=label("cell state s"), **_PLAIN)
            cell.plot(t, units.cell_output, label=label("cell output y"), **_DASHED)
            gates.plot(t, units.input_gate, label=label("input gate i"), **_DASHED)
            gates.plot(t, units.forget_gate, label=label("forget gate f"), **_PLAIN)
            gates.plot(t, units.output_gate, label=label("output gate o"), **_DOTTED)
        gates.set_ylim(-0.05, 1.05)
        outputs.set_title(title, fontsize=8)
        gates.set_xlabel("time step t")
    for row, name in enumerate(("input, target, output", "cell", "gate activation")):
        axes[row, 0].set_ylabel(name)
    _legends(axes)
    return figure


def _legends(axes: Any) -> None:
    """One legend for each row of panels, at its end: inside a panel it would hide a curve somewhere."""
    for panels in axes:
        fullest = max(panels, key=lambda panel: len(panel.get_legend_handles_labels()[0]))
        panels[-1].legend(
            *fullest.get_legend_handles_labels(),
            loc="center left",
            bbox_to_anchor=(1.01, 0.5),
            fontsize=8,
            frameon=False,
        )
