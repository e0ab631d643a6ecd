"""Where the two answers of nets that measure a delay lie at the end of their training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from timing_tasks.models.weights import WEIGHT_NAMES
from timing_tasks.report.answers import has_run_away, is_right_again, off_centre
from timing_tasks.report.tables import Table
from timing_tasks.report.tables.cells import PAPERS_MODEL, Columns, by_condition, identify
from timing_tasks.results.row import Row

_NOTE = (
    "At the end of training. Right again: solved nets whose answers are right in arithmetic that rounds otherwise. "
    "Run away: of the nets that were given up, those whose output unit is flat at both spikes, "
    "so that nothing is learned any longer. Crosses zero: nets whose y has different signs at the two spikes, of those "
    "solved and of those given up. |w_kh|: the weight from the cell to the output unit, median over the solved nets."
)
_W_KH = WEIGHT_NAMES.index("w_kh")


def answers(title: str, rows: Sequence[Row]) -> Table | None:
    """What becomes of the two answers, condition by condition; None without nets of the paper's layer.

    Args:
        title: of the table.
        rows: of NMSD.
    """
    mine = [row for row in rows if row.model == PAPERS_MODEL]
    columns = Columns()
    for some in by_condition(mine):
        identify(columns, some[0], mine, with_net=False)
        columns.add("peepholes", "yes" if some[0].peepholes else "no")
        columns.add("state", some[0].initial_state.replace("_", " "))
        solved, others = [row for row in some if row.is_solved], [row for row in some if not row.is_solved]
        columns.add("solved", f"{len(solved)}/{len(some)}")
        columns.add("right again", f"{sum(map(is_right_again, solved))} of {len(solved)}" if solved else "")
        columns.add("run away", f"{sum(map(has_run_away, others))} of {len(others)}" if others else "")
        for name, group in (("solved", solved), ("given up", others)):
            crossing = sum(off_centre(row) < 0.5 for row in group)
            columns.add(f"crosses zero, {name}", f"{crossing} of {len(group)}" if group else "")
        median = f"{np.median([abs(row.weights[_W_KH]) for row in solved]):.2g}" if solved else ""
        columns.add("|w_kh|, solved", median)
    return (
        Table(title, columns.header, columns.lines, (_NOTE,), ("|w_kh|, solved", "right again"))
        if columns.header
        else None
    )
