"""Nets of any kind side by side: streams that each task takes, and tasks that each number of weights solves."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from matplotlib.figure import Figure

from timing_tasks.errors import NothingToDrawError
from timing_tasks.report.figures.style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PAGE,
    PURPLE,
    SKY,
    SMALL,
    VERMILION,
    in_style,
    note,
)
from timing_tasks.report.tables.cells import asked, by_condition, net, task_of
from timing_tasks.report.tables.recipes import weights_of
from timing_tasks.results.row import Row
from timing_tasks.results.statistics import summarise

_LOOKS = tuple(zip("os^Dv<>phX*", itertools.cycle((VERMILION, BLUE, GREEN, ORANGE, PURPLE, SKY, BLACK)), strict=False))


@in_style
def streams_by_task(rows: Sequence[Row]) -> Figure:
    """Median training streams until solved, a line for each task, a marker for each net.

    Raises:
        NothingToDrawError: no row.
    """
    conditions = by_condition(rows)
    if not conditions:
        raise NothingToDrawError("no rows")
    tasks = list(dict.fromkeys(task_of(some[0]) for some in conditions))
    nets = list(dict.fromkeys(net(some[0]) for some in conditions))
    looks = dict(zip(nets, itertools.cycle(_LOOKS), strict=False))
    figure = Figure(figsize=(PAGE, 1.2 + 0.22 * len(tasks)), layout="constrained")
    axes = figure.subplots()
    named = set()
    for some in conditions:
        name, summary = net(some[0]), summarise(some)
        marker, color = looks[name]
        height = tasks.index(task_of(some[0])) + 0.5 * ((nets.index(name) + 0.5) / len(nets) - 0.5)
        at = summary.median if math.isfinite(summary.median) else summary.censored_at
        if not math.isfinite(at):  # all diverged
            continue
        fill = color if math.isfinite(summary.median) else "white"
        label = name if name not in named else None
        named.add(name)
        axes.plot([at], [height], marker, color=color, markerfacecolor=fill, label=label)
        if summary.solved < summary.nets:
            axes.annotate(
                f"{summary.solved}/{summary.nets}",
                (at, height),
                xytext=(5, 0),
                textcoords="offset points",
                color=color,
                va="center",
                fontsize=SMALL,
            )
    labels = [next(_task_name(some[0]) for some in conditions if task_of(some[0]) == task) for task in tasks]
    axes.set_yticks(range(len(tasks)), labels)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("training streams until solved")
    axes.grid(axis="x", color="0.9")
    if named:
        figure.legend(loc="outside right upper")
    note(figure, "Filled: median over all nets. Open: fewer than half were solved when the first was given up, there.")
    return figure


@in_style
def tasks_against_weights(rows: Sequence[Row]) -> Figure:
    """How many tasks at least half of a cell's nets solve, against their number of weights.

    Raises:
        NothingToDrawError: no row.
    """
    if not rows:
        raise NothingToDrawError("no rows")
    counts: dict[tuple[str, str, int], list[int]] = {}  # by cell, initial state and weights: solved, all
    for some in by_condition(rows):
        row = some[0]
        kind = (row.model.partition("(")[0].replace("_", " "), row.initial_state, weights_of(row))
        count = counts.setdefault(kind, [0, 0])
        count[0] += 2 * sum(one.is_solved for one in some) >= len(some)
        count[1] += 1
    cells = list(dict.fromkeys(cell for cell, _, _ in counts))
    looks = dict(zip(cells, itertools.cycle(_LOOKS), strict=False))
    figure = Figure(figsize=(PAGE, 3.2), layout="constrained")
    axes = figure.subplots()
    for (cell, state), group in itertools.groupby(
        sorted(counts, key=lambda k: (cells.index(k[0]), k[1] == "zero", k[2])), lambda k: k[:2]
    ):
        marker, color = looks[cell]
        points = [(weights, counts[cell, state, weights][0]) for *_, weights in group]
        is_learned = state != "zero"
        axes.plot(
            *zip(*points, strict=True),
            marker + ("-" if is_learned else ":"),
            color=color,
            markerfacecolor=color if is_learned else "white",
            label=cell + (", learned state" if is_learned else ""),
        )
    axes.set_xscale("log")
    axes.set_xlabel("weights")
    axes.set_ylabel(f"solved tasks of {max(of for _, of in counts.values())}")
    axes.grid(color="0.9")
    figure.legend(loc="outside right upper")
    note(figure, "A task counts if at least half of the nets solved it. Open, dotted: from the zero state.")
    return figure


def _task_name(row: Row) -> str:
    return f"{row.task.replace('_', ' ')} F={row.interval} {asked(row)}"
