"""What happens inside solved nets, over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from timing_tasks.conditions.model import PEEPHOLE_LSTM
from timing_tasks.errors import NothingToDrawError
from timing_tasks.models.trajectory import Trajectory, trajectory
from timing_tasks.report.figures.style import BLACK, BLUE, PAGE, SMALL, VERMILION, in_style, note
from timing_tasks.report.tables.cells import asked, net
from timing_tasks.results.row import Row
from timing_tasks.tasks import Purpose, Stream, stream


@dataclass(frozen=True)
class Column:
    """What a column of panels shows.

    Attributes:
        title: above it.
        first_step: the number of the first step.
        asked_for: the stream, or a part of it.
        units: what happens along it.
    """

    title: str
    first_step: int
    asked_for: Stream
    units: Trajectory


_NO_UNIT = "Vertical axes have no unit."
_SOME_UNITS = (
    "Targets and outputs of NMSD and MSD and the input of GTS are in steps; "
    "nothing else on the vertical axes has a unit."
)
_TARGET: dict[str, Any] = {"color": "0.75", "linewidth": 3.5, "solid_capstyle": "round"}
_MAIN: dict[str, Any] = {"color": BLACK}
_SECOND: dict[str, Any] = {"color": BLUE, "linestyle": (0, (4, 1.5))}
_THIRD: dict[str, Any] = {"color": VERMILION, "linestyle": (0, (1, 1))}


def delays(rows: Sequence[Row]) -> Figure:
    """How nets measure delays: NMSD and MSD, without peepholes and with."""
    columns: list[Column] = []
    for task in ("nmsd", "msd"):
        for peepholes in (False, True):
            row = first_solved(rows, task=task, interval=10, offsets=(0, 1), peepholes=peepholes, initial_state="zero")
            columns += _every_input(row) if task == "nmsd" else [periods(row, 0, 3)]
    return units_over_time(columns)


def spikes(rows: Sequence[Row]) -> Figure:
    """How nets generate timed spikes: GTS, with peepholes and without."""
    wanted = [((0,), True), ((0, 1), True), ((0,), False)]
    found = [first_solved(rows, task="gts", interval=10, offsets=o, peepholes=p, forget_gate=True) for o, p in wanted]
    return units_over_time([periods(row, 5, 10) for row in found])


def functions(rows: Sequence[Row]) -> Figure:
    """How nets generate the three periodic functions, in the last periods of a test stream."""
    return units_over_time([periods(row, 995, 999) for row in _generators(rows)])


@in_style
def start(rows: Sequence[Row]) -> Figure:
    """The first periods of a periodic function: how the state leaves 0, and where it stays afterwards."""
    figure = Figure(figsize=(PAGE, 3.2), layout="constrained")
    axes = figure.subplots(2, 3, sharex="col")
    for column, row in enumerate(_generators(rows)):
        asked_for, units = _simulate(row, 0, 1000)
        steps = 5 * row.interval
        t = np.arange(1, steps + 1)
        late = units.cell_state[-100 * row.interval :]
        above, below = axes[0, column], axes[1, column]
        above.plot(t, asked_for.targets[:steps], label="target d", **_TARGET)
        above.plot(t, units.output[:steps], label="output z", **_MAIN)
        below.axhspan(late.min(), late.max(), color="0.88", label="range of s in the\nlast 100 of 1000\nperiods")
        below.axhline(0.0, color="0.6", linewidth=0.6)
        below.plot(
            np.arange(steps + 1), [0.0, *units.cell_state[:steps]], label="cell state s,\nfrom s(0) = 0", **_MAIN
        )
        above.set_title(_name(row))
        below.set_xlabel("time t (steps)")
    axes[0, 0].set_ylabel("target, output")
    axes[1, 0].set_ylabel("cell state")
    _legends(axes)
    note(figure, _NO_UNIT)
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
    """Of the solved (or other) nets with these values, the one with the lowest number: none is hand-picked."""
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
    return f"{row.task.upper()} F={row.interval} {asked(row)}\n{net(row)} (net {row.replica}{solved})"


def periods(row: Row, first: int, last: int) -> Column:
    """A column: the periods from `first` to before `last` of the first test stream."""
    asked_for, units = _simulate(row, 0, last)
    shown = np.flatnonzero(asked_for.period >= first)
    cut_stream = Stream(*(getattr(asked_for, name)[shown] for name in Stream.__dataclass_fields__))
    cut_units = Trajectory(*(getattr(units, name)[shown] for name in Trajectory.__dataclass_fields__))
    return Column(_name(row), int(shown[0]) + 1, cut_stream, cut_units)


def _every_input(row: Row) -> list[Column]:
    """The test streams of a single-period task, a column each."""
    columns = []
    for test, offset in enumerate(row.offsets):
        asked_for, units = _simulate(row, test, 1)
        columns.append(
            Column(
                f"{row.task.upper()} F={row.interval}\n{net(row)}\n(net {row.replica}), I={offset}", 1, asked_for, units
            )
        )
    return columns


@in_style
def units_over_time(columns: Sequence[Column]) -> Figure:
    """Input, target and output, the cell, and the gates, below one another, a stream a column."""
    figure = Figure(figsize=(min(PAGE, 2.6 * len(columns) + 0.9), 4.0), layout="constrained")
    widths = [max(len(column.asked_for.inputs), 18) for column in columns]
    axes = figure.subplots(
        3, len(columns), sharex="col", sharey="row", squeeze=False, gridspec_kw={"width_ratios": widths}
    )
    has_input = any(column.asked_for.inputs.any() for column in columns)
    for column, (outputs, cell, gates) in zip(columns, axes.T, strict=True):
        asked_for, units = column.asked_for, column.units
        t = np.arange(column.first_step, column.first_step + len(asked_for.inputs))
        if asked_for.has_target.all():
            outputs.plot(t, asked_for.targets, label="target d", **_TARGET)
        else:
            at_spike = asked_for.has_target
            outputs.plot(
                t[at_spike],
                asked_for.targets[at_spike],
                "o",
                color="0.75",
                markersize=6,
                clip_on=False,
                label="target d",
            )
        if asked_for.inputs.any():
            outputs.plot(t, asked_for.inputs, drawstyle="steps-mid", label="input x", **_THIRD)
        outputs.plot(t, units.output, label="output z", **_MAIN)
        cell.plot(t, units.cell_state, label="cell state s", **_MAIN)
        cell.plot(t, units.cell_output, label="cell output y", **_SECOND)
        gates.plot(t, units.input_gate, label="input gate i", **_SECOND)
        gates.plot(t, units.forget_gate, label="forget gate f", **_MAIN)
        gates.plot(t, units.output_gate, label="output gate o", **_THIRD)
        gates.set_ylim(-0.05, 1.05)
        outputs.set_title(column.title, fontsize=SMALL if len(columns) > 3 else 8)
    for name, panel in zip(
        ("input, target,\noutput" if has_input else "target, output", "cell", "gates"), axes[:, 0], strict=True
    ):
        panel.set_ylabel(name)
    for panel in axes[-1]:
        panel.set_xlabel("t (steps)" if len(columns) > 3 else "time t (steps)")
    _legends(axes)
    note(figure, _SOME_UNITS if has_input else _NO_UNIT)
    return figure


def _legends(axes: Any) -> None:
    """One legend for each row of panels, at its end: inside a panel it would hide a curve somewhere."""
    for panels in axes:
        fullest = max(panels, key=lambda panel: len(panel.get_legend_handles_labels()[0]))
        panels[-1].legend(
            *fullest.get_legend_handles_labels(),
            loc="center left",
            bbox_to_anchor=(1.01, 0.5),
            fontsize=SMALL,
            frameon=False,
            handlelength=1.5,
            borderpad=0,
        )
