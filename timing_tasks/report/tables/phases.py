"""What another initial state than zero changes, over all phases that a periodic function can begin with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from timing_tasks.conditions.initial_state import INITIAL_STATE_NAMES
from timing_tasks.report.tables import Table
from timing_tasks.report.tables.cells import Columns, factor, identify
from timing_tasks.results.row import Key, Row
from timing_tasks.results.statistics import summarise

_NOTE = (
    "Nets of all phases together. None: the phases of which no net is solved. Ratio: of the median training streams, "
    "those from the state over those from the zero state, geometric mean over the phases at which half of the nets are "
    "solved from both, with its 95% interval (Student's t over the phases). Where the zero state fails there is no "
    "ratio: the two columns before it count."
)


def by_phase(rows: Sequence[Row]) -> dict[Key, dict[str, dict[int, list[Row]]]]:
    """The rows of periodic functions by (waveform, period, peepholes), initial state and first phase."""
    found: dict[Key, dict[str, dict[int, list[Row]]]] = {}
    for row in sorted(rows, key=lambda one: (one.interval, one.peepholes, _place(one))):
        phases = found.setdefault((row.waveform, row.interval, row.peepholes), {}).setdefault(row.initial_state, {})
        phases.setdefault(int(getattr(row.asked, "first_phase", 0)), []).append(row)
    return found


def _place(row: Row) -> int:
    return INITIAL_STATE_NAMES.index(row.initial_state.split()[0])


def ratio(some: Mapping[int, Sequence[Row]], zero: Mapping[int, Sequence[Row]]) -> tuple[float, float, float, int]:
    """See the table's note: the geometric mean of the ratios, its interval, and over how many phases."""
    medians = [(summarise(some[phase]).median, summarise(zero[phase]).median) for phase in some if phase in zero]
    logs = np.log([a / b for a, b in medians if math.isfinite(a) and math.isfinite(b)])
    if len(logs) < 2:
        return math.nan, math.nan, math.nan, len(logs)
    width = float(stats.t.ppf(0.975, len(logs) - 1)) * float(logs.std(ddof=1)) / math.sqrt(len(logs))
    return math.exp(logs.mean()), math.exp(logs.mean() - width), math.exp(logs.mean() + width), len(logs)


def phases(title: str, rows: Sequence[Row]) -> Table:
    """Function by function and net by net.

    Args:
        title: of the table.
        rows: of PFG, from the zero state and from others, at several first phases.
    """
    columns = Columns()
    for states in by_phase(rows).values():
        for name, some in states.items():
            nets = [row for group in some.values() for row in group]
            identify(columns, nets[0], rows, with_net=False)
            columns.add("net", "peephole" if nets[0].peepholes else "LSTM")
            columns.add("state", name.replace("_", " "))
            columns.add("solved", f"{sum(row.is_solved for row in nets)}/{len(nets)}")
            none = sum(not any(row.is_solved for row in group) for group in some.values())
            columns.add("none", f"{none} of {len(some)}")
            mean, low, high, count = ratio(some, states.get("zero", {}))
            is_shown = name != "zero" and count > 1
            columns.add("ratio (95%)", f"{factor(mean)} ({factor(low)}–{factor(high)})" if is_shown else "")
            columns.add("phases", str(count) if is_shown else "")
    return Table(title, columns.header, columns.lines, (_NOTE,))
