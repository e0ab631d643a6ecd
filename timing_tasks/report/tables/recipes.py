"""Tables that set recipes, nets and initial states side by side: solved nets, training streams, seconds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from timing_tasks.report.tables import Table
from timing_tasks.report.tables.cells import STATES, Columns, by_condition, factor, identify, median, task_of
from timing_tasks.results.row import Key, Row
from timing_tasks.results.statistics import kaplan_meier_median, observations, summarise, wilson_interval

Seconds = Mapping[Key, float]  # by Row.replica_key

_NOTE = (
    "Weights: of the net, the learned state and the output unit included. Streams: training streams in thousands, the "
    "Kaplan-Meier median over all nets; > where fewer than half were solved: what the first was given up at. Seconds: "
    "of wall-clock time that a net costs until it is solved, likewise; nets run side by side, and what they share is "
    "divided among them. They are those of one run on one machine, the streams are the same in every run."
)
_SUMMARY_NOTE = (
    "Whole: conditions of which every net was solved. Streams, seconds: divided by those of the first line, geometric "
    "mean over the conditions of which at least half of the nets were solved by both (their number in brackets)."
)


def weights_of(row: Row) -> int:
    """How many weights the row's net learns."""
    if row.model.startswith("peephole_lstm(") and row.initial_state == "zero":
        # 4h² + 14h + 1 numbers, of which 2h are of the initial state, which is not learned.
        h = round((math.sqrt(196 - 16 * (1 - len(row.weights))) - 14) / 8)
        return len(row.weights) - 2 * h
    name, _, size = row.model.rpartition(" ")
    if name not in ("peephole_lstm", "lstm", "gru"):
        return len(row.weights)
    h = int(size)
    per_unit = h + 2 if name == "peephole_lstm" else h + 3  # from x, from the units, one bias; torch's layers have two
    gates = {"peephole_lstm": 4 if row.forget_gate else 3, "lstm": 4, "gru": 3}[name]
    peepholes = (gates - 1) * h if row.peepholes else 0
    states = {"zero": 0, "learned_cell_state": 1, "learned_cell_output": 1}.get(
        row.initial_state.split()[0], 1 if name == "gru" else 2
    )
    return gates * h * per_unit + peepholes + states * h + h + 1


def recipes(title: str, rows: Sequence[Row], seconds: Seconds) -> Table:
    """Condition by condition: what every recipe does with every net.

    Args:
        title: of the table.
        rows: at least one for every line.
        seconds: that nets have cost; those that are not there have none.
    """
    columns = Columns()
    for some in by_condition(rows):
        identify(columns, some[0], rows, with_net=False)
        _add_learner(columns, some[0])
        summary = summarise(some)
        low, high = summary.interval
        diverged = f", {summary.diverged} diverged" if summary.diverged else ""
        columns.add("solved", f"{summary.solved}/{summary.nets}")
        columns.add("95%", f"{100 * low:.0f}–{100 * high:.0f}%{diverged}")
        columns.add("streams", median(summary))
        columns.add("seconds", _seconds_text(_median_seconds(some, seconds), some, seconds))
    protocols = ", ".join(dict.fromkeys(row.protocol for row in rows))
    return Table(
        title, columns.header, columns.lines, (f"Protocol: {protocols}. {_NOTE}",), ("95%", "weights", "seconds")
    )


def summary(title: str, rows: Sequence[Row], seconds: Seconds) -> Table:
    """The same over all conditions, one line for each recipe, net and initial state; arguments as in `recipes`."""
    learners: dict[Key, dict[Key, list[Row]]] = {}
    for some in by_condition(rows):
        learners.setdefault(_learner(some[0]), {})[task_of(some[0])] = some
    first = next(iter(learners.values()))
    columns = Columns()
    for by_task in learners.values():
        groups = list(by_task.values())
        _add_learner(columns, groups[0][0])
        solved, nets = sum(row.status == "solved" for some in groups for row in some), sum(map(len, groups))
        low, high = wilson_interval(solved, nets)
        whole = sum(all(row.status == "solved" for row in some) for some in groups)
        columns.add("whole", f"{whole} of {len(groups)}")
        columns.add("nets solved", f"{solved}/{nets}")
        columns.add("95%", f"{100 * low:.0f}–{100 * high:.0f}%")
        pairs = [(some, first[task]) for task, some in by_task.items() if task in first]
        columns.add("streams", _mean_ratio([(summarise(a).median, summarise(b).median) for a, b in pairs]))
        columns.add(
            "seconds", _mean_ratio([(_median_seconds(a, seconds), _median_seconds(b, seconds)) for a, b in pairs])
        )
    return Table(title, columns.header, columns.lines, (_SUMMARY_NOTE,), ("95%", "weights", "seconds"))


def _learner(row: Row) -> Key:
    return row.recipe, row.model, row.peepholes, row.forget_gate, row.initial_state


def _add_learner(columns: Columns, row: Row) -> None:
    columns.add("recipe", row.recipe)
    columns.add("net", row.model + ("" if row.peepholes or not row.model.startswith("peephole_lstm ") else ", none"))
    columns.add("state", STATES.get(row.initial_state, row.initial_state))
    columns.add("weights", str(weights_of(row)))


def _median_seconds(rows: Sequence[Row], seconds: Seconds) -> float:
    """Kaplan-Meier; infinity if fewer than half are solved, NaN where some are not known."""
    times = [seconds.get(row.replica_key, math.nan) for row in rows]
    if any(map(math.isnan, times)):
        return math.nan
    return kaplan_meier_median(times, observations(rows)[1].tolist())


def _seconds_text(value: float, rows: Sequence[Row], seconds: Seconds) -> str:
    if math.isnan(value):
        return ""
    if math.isinf(value):
        return f"> {min(seconds[row.replica_key] for row in rows if row.status != 'solved'):.2g}"
    return f"{value:.2g}"


def _mean_ratio(pairs: Sequence[tuple[float, float]]) -> str:
    logarithms = [math.log(a / b) for a, b in pairs if math.isfinite(a) and math.isfinite(b) and a > 0 and b > 0]
    if not logarithms:
        return ""
    ratio = math.exp(float(np.mean(logarithms)))
    return f"{factor(ratio) if ratio >= 0.1 else f'1/{1 / ratio:.0f}'} ({len(logarithms)})"
