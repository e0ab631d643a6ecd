"""Figures: pure functions of rows (and published values) to matplotlib figures. Readable without colour."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy import stats

from timing_tasks.errors import ResultsError
from timing_tasks.models.trajectory import Trajectory, trajectory
from timing_tasks.published import Published
from timing_tasks.results import Row
from timing_tasks.statistics import summarise
from timing_tasks.tables import asked, by_condition, net
from timing_tasks.tasks import Purpose, Stream, stream

Drawing = Callable[[Sequence[Row], Sequence[Published]], Figure]

_TARGET: dict[str, Any] = {"color": "0.72", "linewidth": 4, "solid_capstyle": "round"}
_PLAIN: dict[str, Any] = {"color": "black", "linewidth": 1.2}
_DASHED: dict[str, Any] = {"color": "0.35", "linewidth": 1.2, "linestyle": (0, (5, 2))}
_DOTTED: dict[str, Any] = {"color": "0.2", "linewidth": 1.6, "linestyle": (0, (1, 1.5))}


def png(figure: Figure) -> bytes:
    """The figure as a PNG file: the same bytes for the same figure."""
    file = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(file, format="png", dpi=130, metadata={"Software": None})
    return file.getvalue()


def streams_against_interval(rows: Sequence[Row], published: Sequence[Published]) -> Figure:
    """Figure 4: how many training streams NMSD takes, against F, beside the paper's points."""
    figure = Figure(figsize=(7, 4.8), layout="constrained")
    axes = figure.subplots()
    looks = {"false": ("LSTM", "s", -0.5), "true": ("peephole LSTM", "o", 0.5)}
    conditions = by_condition([row for row in rows if row.task == "nmsd"])
    for peepholes, (name, marker, shift) in looks.items():
        mine = [some for some in conditions if some[0].peepholes == peepholes]
        summaries = [(int(some[0].interval), summarise(some)) for some in mine]
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
            linestyle="-" if peepholes == "true" else "--",
            color="black",
            capsize=3,
            label=f"{name}, here (mean of the solved nets, 95% interval)",
        )
        for f, s in solved:
            if s.solved < s.nets:
                axes.annotate(f"{s.solved}/{s.nets}", (f + shift, s.mean), textcoords="offset points", xytext=(7, -3), fontsize=8)
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
            axes.annotate(
                "",
                (f + shift, s.censored_at * 2.2),
                (f + shift, s.censored_at * 1.1),
                arrowprops={"arrowstyle": "->", "color": "black"},
            )
        of = ("nmsd", "0 1", peepholes, "sigmoid")
        paper = [v for v in published if (v.task, v.offsets, v.peepholes, v.output_activation) == of and v.streams]
        checked = "" if all(v.verified == "true" for v in paper) else "; recalled, not checked"
        axes.errorbar(
            [int(v.interval) + 2.2 * shift for v in paper],
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
    axes.set_xticks(sorted({int(some[0].interval) for some in conditions}))
    axes.set_xlabel("minimum interval F / steps")
    axes.set_ylabel("training streams until solved")
    axes.set_title("NMSD, I(n) from {0,1}. Open symbols with arrows: no net solved when given up there", fontsize=9)
    axes.grid(which="major", color="0.9")
    axes.legend(fontsize=8, loc="lower right")
    return figure


def delays(rows: Sequence[Row], published: Sequence[Published] = ()) -> Figure:
    """How nets measure delays: NMSD and MSD, without peepholes and with."""
    columns = []
    for task in ("nmsd", "msd"):
        for peepholes in ("false", "true"):
            row = _first_solved(rows, task=task, interval="10", offsets="0 1", peepholes=peepholes)
            columns.append(_both_inputs(row) if task == "nmsd" else _column(row, 0, 5))
    return _trajectories(columns)


def spikes(rows: Sequence[Row], published: Sequence[Published] = ()) -> Figure:
    """How nets generate timed spikes: GTS, with peepholes and without."""
    wanted = [("0", "true"), ("0 1", "true"), ("0", "false")]
    found = [_first_solved(rows, task="gts", interval="10", offsets=o, peepholes=p, forget_gate="true") for o, p in wanted]
    return _trajectories([_column(row, 5, 10) for row in found])


def functions(rows: Sequence[Row], published: Sequence[Published] = ()) -> Figure:
    """How nets generate the three periodic functions, in the last periods of a test stream."""
    return _trajectories([_column(row, 995, 999) for row in _generators(rows)])


def start(rows: Sequence[Row], published: Sequence[Published] = ()) -> Figure:
    """The first periods of a periodic function: how the state leaves 0, and where it stays afterwards."""
    figure = Figure(figsize=(11, 5), layout="constrained")
    axes = figure.subplots(2, 3, sharex="col")
    for column, row in enumerate(_generators(rows)):
        asked_for, units = _simulate(row, 0, 1000)
        steps = 5 * int(row.interval)
        t = np.arange(1, steps + 1)
        late = units.cell_state[-100 * int(row.interval) :]
        above, below = axes[0, column], axes[1, column]
        above.plot(t, asked_for.targets[:steps], label="target d", **_TARGET)
        above.plot(t, units.output[:steps], label="output z", **_PLAIN)
        below.axhspan(late.min(), late.max(), color="0.9", label="range of s in the last 100 of 1000 periods")
        below.axhline(0.0, color="0.6", linewidth=0.8)
        below.plot(np.arange(steps + 1), [0.0, *units.cell_state[:steps]], label="cell state s, from s(0) = 0", **_PLAIN)
        above.set_title(_name(row), fontsize=9)
        below.set_xlabel("time step t")
    axes[0, 0].set_ylabel("target and output")
    axes[1, 0].set_ylabel("cell state")
    _legends(figure, axes[:, 0])
    return figure


def _generators(rows: Sequence[Row]) -> list[Row]:
    shapes = ("cos", "tri", "rect")
    return [_first_solved(rows, task="pfg", interval="10", waveform=w, peepholes="true", forget_gate="true") for w in shapes]


def _first_solved(rows: Sequence[Row], **wanted: str) -> Row:
    """Of the solved nets that have these values, the one with the lowest number: none is picked for its looks."""
    found = [r for r in rows if r.status == "solved" and all(getattr(r, name) == value for name, value in wanted.items())]
    if not found:
        raise ResultsError(f"no solved net to draw among the rows ({', '.join(f'{k}={v}' for k, v in wanted.items())})")
    return min(found, key=lambda row: row.order)


def _simulate(row: Row, test: int, periods: int | None) -> tuple[Stream, Trajectory]:
    """A test stream of a net and what happens inside the net along it."""
    asked_for = stream(row.asked, int(row.seed), int(row.replica), int(row.training_streams), Purpose.TEST, test, periods)
    return asked_for, trajectory(row.net_weights, asked_for.inputs, row.output_activation, row.forget_gate == "true")


def _name(row: Row) -> str:
    return f"{row.task.upper()} F={row.interval} {asked(row)}, {net(row)} (net {row.replica})"


def _column(row: Row, first: int, last: int) -> tuple[str, list[tuple[int, Stream, Trajectory]]]:
    """The periods from `first` to before `last` of the first test stream."""
    asked_for, units = _simulate(row, 0, last)
    shown = np.flatnonzero(asked_for.period >= first)
    cut_stream = Stream(*(getattr(asked_for, name)[shown] for name in Stream.__dataclass_fields__))
    cut_units = Trajectory(*(getattr(units, name)[shown] for name in Trajectory.__dataclass_fields__))
    return _name(row), [(int(shown[0]) + 1, cut_stream, cut_units)]


def _both_inputs(row: Row) -> tuple[str, list[tuple[int, Stream, Trajectory]]]:
    """The test streams of a single-period task, beside one another with a gap."""
    parts, at = [], 1
    for test in range(len(row.offsets.split())):
        asked_for, units = _simulate(row, test, 1)
        parts.append((at, asked_for, units))
        at += len(asked_for.inputs) + 3
    return _name(row), parts


def _trajectories(columns: Sequence[tuple[str, list[tuple[int, Stream, Trajectory]]]]) -> Figure:
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
                outputs.plot(t[at_spike], asked_for.targets[at_spike], "o", color="0.72", markersize=9, label=label("target d"))
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
    _legends(figure, [max(axes[r], key=lambda a: len(a.get_legend_handles_labels()[0])) for r in range(3)])
    return figure


def _legends(figure: Figure, axes: Sequence[Any]) -> None:
    """One legend for all panels, below them: inside, it would hide a curve somewhere."""
    handles, labels = [], []
    for panel in axes:
        for handle, text in zip(*panel.get_legend_handles_labels(), strict=True):
            handles.append(handle)
            labels.append(text)
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 8), fontsize=8, frameon=False)


DRAWINGS: dict[str, Drawing] = {draw.__name__: draw for draw in (streams_against_interval, delays, spikes, functions, start)}
