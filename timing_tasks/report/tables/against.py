"""The paper's value and ours in one line of a table: the numbers, the tests and their power."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal

from timing_tasks.report.tables.cells import Columns, factor, p_text, thousands
from timing_tasks.results.compared import (
    SIGNIFICANCE,
    UNDECIDED,
    Comparison,
    compare_solved,
    compare_streams,
    is_cut_short,
)
from timing_tasks.results.published import Published
from timing_tasks.results.row import Row
from timing_tasks.results.statistics import Summary, holm

Pair = tuple[Comparison, Comparison]  # of the nets solved and of their streams
NOTE = (
    "Against the paper's ten nets, at 5%: the nets solved by Fisher's exact test; the streams by Welch's test, over "
    "the nets that were solved before any was given up, the paper's ± read as the standard error of its mean. p: plain "
    "and, in brackets, after Holm's correction over all tests of this table. Seen: the true values of ours that the "
    "test would have told apart from the paper's with a probability of 80%, shares of solved nets, and streams as "
    "multiples of the paper's; anything in between passes for compatible."
)
OTHER_READING_NOTE = (
    "‡ Read as the standard deviation of its sample, the paper's ± gives another verdict on the streams: {}."
)
CUT_SHORT_NOTE = (
    "† A net was given up earlier than in the paper (10⁸ streams for NMSD and MSD, 10⁷ for GTS and PFG), so that "
    "fewer, faster and compatible cannot be said."
)
RECALLED_NOTE = "? The paper's values are recalled; nobody has checked them against the journal's pages."
# The first to go where a terminal is too narrow stand first.
DISPENSABLE = (
    *("streams p (Holm)", "solved p (Holm)", "streams seen", "solved seen", "paper ±", "streams s.e.", "solved 95%"),
    *("paper %", "paper streams"),
)


def add_paper(columns: Columns, value: Published | None) -> None:
    """The paper's nets solved, and their streams in thousands; nothing in the cells where it has no value."""
    columns.add("paper %", percent(value) if value else "")
    columns.add("paper streams", printed(value, value.streams) if value else "")
    columns.add("paper ±", str(value.streams_deviation) if value and value.streams_deviation is not None else "")


def add_ours(columns: Columns, ours: Summary, row: Row) -> None:
    """Our nets solved, and their streams in thousands."""
    low, high = ours.interval
    columns.add("solved", f"{ours.solved}/{ours.nets}" + ("†" if is_cut_short(ours, row.task) else ""))
    columns.add("solved 95%", f"{100 * low:.0f}–{100 * high:.0f}%")
    columns.add("streams", thousands(ours.mean) if ours.solved else "-")
    columns.add("streams s.e.", thousands(ours.standard_error) if ours.solved > 1 else "")


def compared(ours: Summary, value: Published | None) -> Pair:
    """Both comparisons; without a value nothing can be compared."""
    if value is None:
        return Comparison(UNDECIDED), Comparison(UNDECIDED)
    return compare_solved(ours, value), compare_streams(ours, value)


def add_verdicts(
    columns: Columns, pairs: Sequence[Pair], summaries: Sequence[Summary], values: Sequence[Published | None]
) -> list[str]:
    """For all lines of a table what the tests say, and what they could have shown.

    Returns:
        Notes about them.
    """
    adjusted = holm([one.p_value for pair in pairs for one in pair])
    others = []
    for place, (pair, ours, value) in enumerate(zip(pairs, summaries, values, strict=True)):
        other = pair[1].said if value is None else compare_streams(ours, value, as_standard_error=False).said
        differs = other != pair[1].said
        others += [other] * differs
        known = value is not None and (value.solved_percent is not None or value.streams is not None)
        columns.add("solved is", pair[0].said if known else "")
        columns.add("streams are", (pair[1].said + "‡" * differs) if known else "")
        for part, (name, one) in enumerate(zip(("solved", "streams"), pair, strict=True)):
            columns.add(f"{name} seen", _seen(one, name == "solved"))
            p = "" if math.isnan(one.p_value) else f"{p_text(one.p_value)} ({p_text(adjusted[2 * place + part])})"
            columns.add(f"{name} p (Holm)", p)
    tests = [p for p in adjusted if not math.isnan(p)]
    significant = sum(one.p_value < SIGNIFICANCE for pair in pairs for one in pair)
    left = sum(p < SIGNIFICANCE for p in tests)
    counts = f"Of {len(tests)} tests {significant} say that something differs, {left} of them after Holm's correction."
    return [
        *([NOTE, counts] if tests else []),
        *([OTHER_READING_NOTE.format(", ".join(dict.fromkeys(others)))] if others else []),
    ]


def _seen(one: Comparison, is_share: bool) -> str:
    def text(value: float) -> str:
        return f"{100 * value:.0f}%" if is_share else factor(value)

    bounds = (("<", one.below), (">", one.above))
    return ", ".join(f"{sign} {text(value)}" for sign, value in bounds if not math.isnan(value))


def printed(value: Published, number: Decimal | None) -> str:
    """A number of the paper as it stands there, with a question mark where nobody has checked it; `-` for a failure."""
    if number is None:
        return "-" if value.failed else ""
    return f"{number}" + unchecked(value)


def percent(value: Published) -> str:
    """The paper's solved nets."""
    return "" if value.solved_percent is None else f"{value.solved_percent}{unchecked(value)}"


def unchecked(value: Published) -> str:
    """The mark of what nobody has checked."""
    return "" if value.verified else "?"
