"""Style for print: 8 pt at a journal's column width, 300 dpi, colours that colour-blind readers can distinguish."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

COLUMN, PAGE = 3.5, 7.2  # widths in inches: of one column, and of both
SMALL = 7  # points, for numbers beside points and for notes
# Okabe and Ito (2008).
BLACK, BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY = (
    *("#000000", "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9"),
)
LSTM: dict[str, Any] = {"color": BLUE, "marker": "s"}
PEEPHOLE: dict[str, Any] = {"color": VERMILION, "marker": "o"}
_STYLE: Any = {
    **{"font.size": 8, "axes.titlesize": 8, "axes.labelsize": 8, "legend.fontsize": 8},
    **{"xtick.labelsize": SMALL, "ytick.labelsize": SMALL, "axes.linewidth": 0.6, "lines.linewidth": 1.0},
    **{"lines.markersize": 4, "xtick.major.width": 0.6, "ytick.major.width": 0.6, "grid.linewidth": 0.5},
    **{"svg.fonttype": "none", "svg.hashsalt": "timing-tasks", "path.simplify": True},
}
Arguments = ParamSpec("Arguments")


def in_style(draw: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Draw a figure in this style, whatever matplotlib's settings are."""

    @wraps(draw)
    def styled(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Figure:
        with matplotlib.rc_context(_STYLE):
            return draw(*args, **kwargs)

    return styled


def note(figure: Figure, text: str) -> None:
    """A line under a figure that says what its symbols mean."""
    figure.supxlabel(text, x=0.01, ha="left", fontsize=SMALL)


def label(axes: Axes, text: str, at: tuple[float, float], color: str, **more: Any) -> None:
    """A curve's name beside one of its points."""
    place = {"textcoords": "offset points", "xytext": (6, 0), "va": "center"} | more
    axes.annotate(text, at, color=color, fontsize=8, annotation_clip=False, **place)


def png(figure: Figure) -> bytes:
    """The figure as a PNG file with 300 dots an inch: the same bytes for the same figure."""
    drawn, file = io.BytesIO(), io.BytesIO()
    with matplotlib.rc_context(_STYLE):
        FigureCanvasAgg(figure)
        figure.savefig(drawn, format="png", dpi=300, metadata={"Software": None})
    drawn.seek(0)
    # Line art needs no more than 64 colours; the file is a third of the size.
    image = Image.open(drawn).convert("RGB").quantize(64, dither=Image.Dither.NONE)
    image.save(file, format="png", optimize=True, dpi=(300, 300))
    return file.getvalue()


def svg(figure: Figure) -> bytes:
    """The figure as an SVG file: the same bytes for the same figure."""
    file = io.BytesIO()
    with matplotlib.rc_context(_STYLE):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()
