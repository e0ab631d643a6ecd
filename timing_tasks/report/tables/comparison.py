"""The paper's tables: for each task, net by net, the paper's values and ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from timing_tasks.report.tables import Table
from timing_tasks.report.tables.against import (
    CUT_SHORT_NOTE,
    DISPENSABLE,
    RECALLED_NOTE,
    add_ours,
    add_paper,
    add_verdicts,
    compared,
    printed,
)
from timing_tasks.report.tables.cells import (
    RELIABILITY_NOTE,
    Columns,
    asked,
    by_condition,
    identify,
    median,
    net,
    thousands,
)
from timing_tasks.report.tables.cells import reliable as reliable_text
from timing_tasks.results.published import Published
from timing_tasks.results.reliability import Reliability
from timing_tasks.results.row import Key, Row
from timing_tasks.results.statistics import Summary, summarise

_OURS_NOTE = (
    "Training streams in thousands: mean and its standard error over the solved nets; median over all nets, > where "
    "fewer than half were solved before the first was given up, there. Restricted: the mean over all nets, each "
    "counted up to where the first was given up. Given up: nets whose budget was spent, from how many thousand streams "
    "on, and the most periods that one of them had right in its last test; nets that diverged."
)


def comparison(
    title: str,
    rows: Sequence[Row],
    published: Sequence[Published],
    reliability: Mapping[Key, Reliability] | None = None,
) -> Table:
    """For each task, net by net, the paper's values and ours.

    Args:
        title: of the table.
        rows: at least one for every line; tasks stand in the order of their first rows.
        published: the paper's values; conditions that are not among them have none.
        reliability: of solved nets, by `Row.replica_key`.
    """
    conditions = by_condition(rows)
    values = [next((value for value in published if value.is_of(some[0])), None) for some in conditions]
    summaries = [summarise(some) for some in conditions]
    columns = Columns()
    for some, value, ours in zip(conditions, values, summaries, strict=True):
        identify(columns, some[0], rows)
        add_paper(columns, value)
        add_ours(columns, ours, some[0])
        columns.add("reliable (95%)", reliable_text(some, reliability or {}))
        columns.add("median", median(ours))
        columns.add("restricted", thousands(ours.restricted_mean))
        columns.add("paper RMSE", _error_of_paper(value) if value else "")
        columns.add("RMSE", f"{ours.rmse:.3f} ± {ours.rmse_deviation:.3f}" if ours.solved > 1 else _error(ours))
        columns.add("given up", _given_up(ours, some))
    notes = [f"Protocol: {', '.join(dict.fromkeys(row.protocol for row in rows))}. {_OURS_NOTE}"]
    notes += add_verdicts(columns, [compared(o, v) for o, v in zip(summaries, values, strict=True)], summaries, values)
    if not any(row.task == "pfg" for row in rows):
        columns = columns.without("RMSE")
    if not any(values):
        columns = columns.without("paper", " is", " are", "seen", "p (Holm)")
    if any(columns.cells.get("reliable (95%)", ())):
        notes.append(RELIABILITY_NOTE)
    else:
        columns = columns.without("reliable")
    identity = [some[0] for some in conditions if some[0].output_activation == "identity" and some[0].task != "pfg"]
    if identity:
        names = "; ".join(f"{row.task.upper()} F={row.interval} {asked(row)} {net(row)}" for row in identity)
        notes.append("Identity output." if len(identity) == len(conditions) else f"Identity output: {names}.")
    if any("†" in cell for cell in columns.cells["solved"]):
        notes.append(CUT_SHORT_NOTE)
    if any(value and not value.verified for value in values):
        notes.append(RECALLED_NOTE)
    if not any(values):
        notes.append("No values of the paper are known for these.")
    dispensable = ("given up", "restricted", "paper RMSE", "RMSE", "median", *DISPENSABLE, "reliable (95%)")
    return Table(title, columns.header, columns.lines, tuple(notes), dispensable)


def _error(ours: Summary) -> str:
    return f"{ours.rmse:.3f}" if ours.solved else "-"


def _error_of_paper(value: Published) -> str:
    text = printed(value, value.rmse)
    return (
        text if value.rmse_deviation is None else f"{value.rmse} ± {value.rmse_deviation}{text[len(str(value.rmse)) :]}"
    )


def _given_up(ours: Summary, rows: Sequence[Row]) -> str:
    some = [row for row in rows if row.status == "unsolved"]
    best = max((row.test_size for row in some), default=0)
    parts = [f"{len(some)} from {thousands(ours.censored_at)} on, best {best}"] if some else []
    return "; ".join([*parts, *([f"{ours.diverged} diverged"] if ours.diverged else [])])
