"""The paper's tables: for each task, net by net, the paper's values and ours."""

from __future__ import annotations

from collections.abc import Sequence

from timing_tasks.report.tables import Table
from timing_tasks.report.tables.cells import (
    Columns,
    asked,
    by_condition,
    identify,
    median,
    net,
    percent,
    printed,
    thousands,
)
from timing_tasks.results.published import Published, compare_solved, compare_streams, is_cut_short
from timing_tasks.results.row import Row
from timing_tasks.results.statistics import Summary, summarise

_OURS_NOTE = (
    "Training streams in thousands: mean ± standard deviation (standard error) over the solved nets; over all nets the "
    "Kaplan-Meier median."
)
_DETAILS_NOTE = (
    "Restricted: the mean over all nets, as far as the longest time observed. Given up: nets whose budget was spent, from how "
    "many thousand streams on, and the most periods that one of them had right in its last test."
)
_CUT_SHORT_NOTE = (
    "† Cut short: a net was given up earlier than in the paper (10⁸ streams for NMSD and MSD, 10⁷ for GTS and PFG)."
)
_HELD_NOTE = (
    "Against the paper: first the nets solved (Fisher's exact test), then the streams (Welch's test, the paper's ± read as the "
    "deviation of the sample and as that of the mean: both must differ), at 5%."
)


def comparison(title: str, rows: Sequence[Row], published: Sequence[Published]) -> Table:
    """For each task, net by net, the paper's values and ours.

    Args:
        title: of the table.
        rows: at least one for every line; tasks stand in the order of their first rows.
        published: the paper's values; conditions that are not among them have none.
    """
    conditions = by_condition(rows)
    values = [next((value for value in published if value.is_of(some[0])), None) for some in conditions]
    columns = Columns()
    for some, value in zip(conditions, values, strict=True):
        summary = summarise(some)
        identify(columns, some[0], rows)
        _add_paper(columns, value)
        _add_ours(columns, summary, some)
        columns.add("against the paper", _held(summary, value))
    if not any(row.task == "pfg" for row in rows):
        columns = columns.without("RMSE")
    if not any(values):
        columns = columns.without("paper")
    notes = [f"Protocol: {', '.join(dict.fromkeys(row.protocol for row in rows))}. {_OURS_NOTE}"]
    identity = [some[0] for some in conditions if some[0].output_activation == "identity" and some[0].task != "pfg"]
    if identity:
        names = "; ".join(f"{row.task.upper()} F={row.interval} {asked(row)} {net(row)}" for row in identity)
        notes.append("Identity output." if len(identity) == len(conditions) else f"Identity output: {names}.")
    if any("†" in cell for cell in columns.cells["solved (95%)"]):
        notes.append(_CUT_SHORT_NOTE)
    if any(value and not value.verified for value in values):
        notes.append("? The paper's values are recalled; nobody has checked them against the journal's pages.")
    notes.append(_HELD_NOTE if any(values) else "No values of the paper are known for these.")
    return Table(title, columns.header, columns.lines, tuple(notes), ("restricted", "given up"), _DETAILS_NOTE)


def _add_paper(columns: Columns, value: Published | None) -> None:
    for column, text in (
        ("paper %", value and percent(value)),
        ("paper streams", value and printed(value.streams, value.streams_deviation, value)),
        ("paper RMSE", value and printed(value.rmse, value.rmse_deviation, value)),
    ):
        columns.add(column, text or "")


def _add_ours(columns: Columns, summary: Summary, rows: Sequence[Row]) -> None:
    low, high = summary.interval
    diverged = f", {summary.diverged} diverged" if summary.diverged else ""
    cut = "†" if is_cut_short(summary, rows[0].task) else ""
    columns.add("solved (95%)", f"{summary.solved}/{summary.nets}{cut} ({100 * low:.0f}–{100 * high:.0f}%{diverged})")
    mean, rmse = ("-", "-") if not summary.solved else (thousands(summary.mean), f"{summary.rmse:.3f}")
    if summary.solved > 1:
        mean += f" ± {thousands(summary.deviation)} ({thousands(summary.standard_error)})"
        rmse += f" ± {summary.rmse_deviation:.3f}"
    columns.add("streams (s.e.)", mean)
    columns.add("median", median(summary))
    columns.add("restricted", thousands(summary.restricted_mean))
    columns.add("RMSE", rmse)
    some = [row for row in rows if row.status == "unsolved"]
    best = max((row.test_size for row in some), default=0)
    columns.add("given up", f"{len(some)} from {thousands(summary.censored_at)} on, best {best}" if some else "")


def _held(summary: Summary, value: Published | None) -> str:
    if value is None or (value.solved_percent is None and value.streams is None):
        return ""
    return "; ".join(dict.fromkeys((compare_solved(summary, value), compare_streams(summary, value))))
