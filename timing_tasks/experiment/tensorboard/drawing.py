"""Pictures of nets as pixels, legible at the size at which TensorBoard shows them: small, with large text."""

from __future__ import annotations

import itertools

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from timing_tasks.models.trajectory import Trajectory
from timing_tasks.tasks import Stream, Task, is_correct

_INCHES, _DPI = (4.0, 2.5), 120  # TensorBoard's cards are about four inches wide
_GREY, _BLUE, _ORANGE, _GREEN = "0.72", "#0072B2", "#D55E00", "#009E73"


class Drawing:
    """A figure that is used again and again: to make one anew costs more than all the rest."""

    def __init__(self, panels: int = 1) -> None:
        figure = Figure(figsize=_INCHES, dpi=_DPI)
        self.canvas = FigureCanvasAgg(figure)
        self.axes: list[Axes] = figure.subplots(panels, sharex=True, squeeze=False)[:, 0].tolist()
        figure.subplots_adjust(left=0.13, right=0.97 if panels == 1 else 0.92, top=0.88, bottom=0.2, hspace=0.15)

    def output(self, task: Task, stream: Stream, output: np.ndarray, title: str) -> np.ndarray:
        """The output z of a net along a stream, with its targets d, and where the first prediction is wrong.

        Args:
            task: that the stream is of.
            stream: what the net saw.
            output: z, shape [T].
            title: of the picture.

        Returns:
            The picture, uint8, shape [height, width, 3].
        """
        [axes] = self.axes
        axes.clear()
        t, spikes, at = np.arange(1, len(output) + 1), stream.inputs != 0, stream.has_target
        _mark_periods(axes, stream)
        if task.has_dense_targets:
            axes.plot(t, stream.targets, color=_GREY, linewidth=4, label="target d")
        else:
            axes.vlines(t[spikes], 0, stream.inputs[spikes], color=_BLUE, linewidth=1.5, label="input x")
            axes.plot(t[at], stream.targets[at], "o", color=_GREY, markersize=9, label="target d")
            axes.plot(t[at], output[at], "o", color="black", markersize=3.5)
        axes.plot(t, output, color="black", linewidth=1.3, label="output z")
        wrong = np.flatnonzero(at & ~is_correct(stream.targets, output, task.tolerance))[:1]
        if len(wrong):
            axes.plot(t[wrong], output[wrong], "x", color=_ORANGE, markersize=9, markeredgewidth=2.5, label="wrong")
        axes.set_ylim(-0.6, max(1.0, float(stream.targets.max())) * 1.3 + 0.3)  # alike for all pictures of a task
        axes.set_xlim(0, len(t) + 1)
        axes.legend(
            loc="upper center",
            ncols=4,
            fontsize=9,
            framealpha=0.85,
            edgecolor="none",
            handlelength=0.9,
            handletextpad=0.4,
            columnspacing=1.0,
        )
        axes.set_xlabel("time step t")
        return self._pixels(title)

    def gates(self, stream: Stream, units: Trajectory, title: str) -> np.ndarray:
        """The gates i, f, o of a net along a stream, and below them its cell state s and output z; else as `output`."""
        above, below = self.axes
        t = np.arange(1, len(units.output) + 1)
        gates = (("i", units.input_gate, _BLUE), ("f", units.forget_gate, _ORANGE), ("o", units.output_gate, _GREEN))
        states = (("s", units.cell_state, _BLUE), ("z", units.output, "black"))
        for axes, lines in ((above, gates), (below, states)):
            axes.clear()
            _mark_periods(axes, stream)
            for _, values, color in lines:
                axes.plot(t, values, color=color, linewidth=1.5)
            axes.set_xlim(0, len(t) + 1)
        above.set_ylim(-0.05, 1.05)
        for axes, lines in ((above, gates), (below, states)):
            low, high = axes.get_ylim()
            ends = _spread([float(values[-1]) for _, values, _ in lines], 0.2 * (high - low), high)
            for (name, _, color), end in zip(lines, ends, strict=True):
                axes.text(len(t) * 1.03 + 1, end, name, color=color, va="center", fontweight="bold")
        below.set_xlabel("time step t")
        return self._pixels(title)

    def _pixels(self, title: str) -> np.ndarray:
        self.axes[0].set_title(title, fontsize=10)
        self.canvas.draw()  # type: ignore[no-untyped-call]
        return np.asarray(self.canvas.buffer_rgba())[:, :, :3].copy()  # type: ignore[no-untyped-call]


def _mark_periods(axes: Axes, stream: Stream) -> None:
    """A line where one period, or stream, ends and the next begins."""
    for last in np.flatnonzero(np.diff(stream.period)) + 1:
        axes.axvline(last + 0.5, color="0.88", linewidth=1, zorder=0)


def _spread(places: list[float], least: float, highest: float) -> list[float]:
    """Places of labels, moved apart where one would cover another, none above the highest."""
    moved = list(places)
    order = np.argsort(places).tolist()
    for lower, upper in itertools.pairwise(order):
        moved[upper] = max(moved[upper], moved[lower] + least)
    for upper, place in zip(reversed(order), itertools.count(), strict=False):
        moved[upper] = min(moved[upper], highest - place * least)
    return moved
