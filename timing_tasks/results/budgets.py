"""A larger budget for a folder whose nets a smaller one gave up: those nets are trained again, all other rows stay.

A net learns the same whatever its budget is, and it is given up at the first failed test at which a limit is reached.
So the rows of solved and diverged nets do not depend on the budget, nor do those of nets that have reached a limit of
the larger one, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from timing_tasks.results.row import Row

_LIMITS = ("training_streams", "net_steps")


def raised(known: Mapping[str, Any], mine: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """The budgets of the conditions that have a larger one in `mine` than in `known`, by name.

    Args:
        known: conditions in full by name, as `run.json` has them.
        mine: the conditions of the run that begins, in the same form.
    """
    found = {}
    for name in known.keys() & mine.keys():
        before, now = (_budget(conditions[name]) for conditions in (known, mine))
        if before and now and before != now and all(now[limit] >= before[limit] for limit in _LIMITS):
            found[name] = now
    return found


def kept(rows: Sequence[Row], larger: Mapping[str, Mapping[str, int]]) -> list[Row]:
    """The rows that are the same with larger budgets, which `larger` has by the names of conditions."""
    return [row for row in rows if row.status != "unsolved" or not _goes_on(row, larger.get(row.condition_name))]


def _goes_on(row: Row, budget: Mapping[str, int] | None) -> bool:
    return budget is not None and all(getattr(row, limit) < budget[limit] for limit in _LIMITS)


def _budget(condition: Any) -> dict[str, int]:
    """Nothing, if there is none that can be compared."""
    budget = condition.get("budget") if isinstance(condition, Mapping) else None
    if not isinstance(budget, Mapping) or budget.keys() != set(_LIMITS):
        return {}
    return dict(budget) if all(isinstance(budget[limit], int) for limit in _LIMITS) else {}
