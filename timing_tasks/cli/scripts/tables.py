"""The tables that a config can name, as functions of the rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from timing_tasks.conditions.condition import Condition
from timing_tasks.report.tables import Table
from timing_tasks.report.tables.answers import answers
from timing_tasks.report.tables.comparison import comparison
from timing_tasks.report.tables.horizon import horizon
from timing_tasks.report.tables.pairs import initial_states, test_time, variants
from timing_tasks.report.tables.phases import phases
from timing_tasks.report.tables.recipes import recipes, summary
from timing_tasks.results.published import Published
from timing_tasks.results.reliability import Reliability
from timing_tasks.results.row import Key, Row


@dataclass(frozen=True)
class Sources:
    """What tables are made of.

    Attributes:
        rows: of the experiment.
        published: the paper's values.
        seconds: that nets have cost, by `Row.replica_key`.
        reliability: of solved nets.
        conditions: of the experiment.
    """

    rows: Sequence[Row]
    published: Sequence[Published]
    seconds: Mapping[Key, float]
    reliability: Mapping[Key, Reliability]
    conditions: Sequence[Condition]


TABLES: dict[str, Callable[[str, Sources], Table | None]] = {
    "comparison": lambda title, of: comparison(title, of.rows, of.published, of.reliability),
    "variants": lambda title, of: variants(f"{title}: net against net", of.rows),
    "initial_states": lambda title, of: initial_states(title, of.rows, of.reliability),
    "test_time": lambda title, of: test_time(f"{title} at test time", of.rows),
    "recipes_summary": lambda title, of: summary(title, of.rows, of.seconds),
    "recipes": lambda title, of: recipes(f"{title}, condition by condition", of.rows, of.seconds),
    "phases": lambda title, of: phases(title, of.rows),
    "answers": lambda title, of: answers(f"{title}: the two answers", of.rows),
    "horizon": lambda title, of: horizon(title, of.rows, of.conditions[0].protocol.forget_gate_bias),
}
