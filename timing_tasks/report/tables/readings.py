"""Readings of the paper, each with the conditions that come out under it as in the paper."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from timing_tasks.report.tables import Table
from timing_tasks.report.tables.cells import Columns, asked, by_condition, factor, net
from timing_tasks.results.compared import COMPATIBLE, UNDECIDED, compare_solved, compare_streams
from timing_tasks.results.published import Published
from timing_tasks.results.row import Row
from timing_tasks.results.statistics import summarise

AS_PUBLISHED, OTHERWISE, UNKNOWN = "=", "≠", "?"
_NOTES = (
    "In each cell the nets solved, the mean of their training streams divided by the paper's, and whether both are "
    "compatible with "
    f"the paper ({AS_PUBLISHED}), one is not ({OTHERWISE}), or the paper's value is not known or nets were given up "
    f"too early to say ({UNKNOWN}): Fisher's exact test and Welch's test at 5%, as in the other tables.",
    "The last column counts the conditions that come out as published, and those that come out otherwise.",
)


def readings(title: str, runs: Mapping[str, Sequence[Row]], published: Sequence[Published]) -> Table:
    """For each reading and net a line, for each task a column.

    Args:
        title: of the table.
        runs: the rows of each reading, by its name; of the same conditions.
        published: the paper's values.
    """
    columns = Columns()
    for name, rows in runs.items():
        nets: dict[str, list[list[Row]]] = {}
        for some in by_condition(rows):
            nets.setdefault(net(some[0]), []).append(some)
        for number, (net_name, conditions) in enumerate(nets.items()):
            columns.add("reading", "" if number else name)
            columns.add("net", net_name)
            marks = [_add(columns, some, published) for some in conditions]
            columns.add(f"{AS_PUBLISHED}, {OTHERWISE}", f"{marks.count(AS_PUBLISHED)}, {marks.count(OTHERWISE)}")
    unchecked = any(not value.verified for value in published)
    notes = (
        *_NOTES,
        *(["The paper's values are recalled, but for those that its data files call verified."] if unchecked else []),
    )
    tasks = [name for name in columns.header if name not in ("reading", "net", f"{AS_PUBLISHED}, {OTHERWISE}")]
    return Table(title, columns.header, columns.lines, notes, tuple(reversed(tasks)))


def _add(columns: Columns, rows: Sequence[Row], published: Sequence[Published]) -> str:
    """A cell, and its mark."""
    row, ours = rows[0], summarise(rows)
    paper = next((value for value in published if value.is_of(row)), None)
    verdicts = {UNDECIDED} if paper is None else {compare_solved(ours, paper).said, compare_streams(ours, paper).said}
    as_far_as_known = AS_PUBLISHED if COMPATIBLE in verdicts else UNKNOWN
    mark = OTHERWISE if verdicts - {COMPATIBLE, UNDECIDED} else as_far_as_known
    ratio = ours.mean / paper.mean if paper else math.nan
    text = f"{ours.solved}/{ours.nets}" + (f" {factor(ratio)}" if math.isfinite(ratio) else "")
    columns.add(f"{row.task.upper()} {row.interval} {asked(row)}", f"{text} {mark}")
    return mark
