"""Tables that set nets against nets, two by two."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from timing_tasks.report.restarts import FOLLOWED, STARTS, outcome, restarted
from timing_tasks.report.tables import Table
from timing_tasks.report.tables.cells import (
    RELIABILITY_NOTE,
    Columns,
    by_condition,
    factor,
    identify,
    median,
    net,
    p_text,
    reliable,
    task_of,
)
from timing_tasks.results.reliability import Reliability
from timing_tasks.results.row import Key, Row
from timing_tasks.results.statistics import LogRank, log_rank, paired_ratio, summarise

_RATIO_NOTE = (
    "The rate ratio says how many times as often, at any moment, an unsolved net of the first kind gets solved as one "
    "of the second: Peto's estimate of the hazard ratio, nets that were given up being censored. It understates large "
    "effects; where all nets of one kind are solved before any of the other, it has the largest value that so many "
    "nets can give. p of the log-rank test, which takes the nets as independent though the two kinds share initial "
    "weights and streams. Pairs of which no net was solved are left out."
)

_STATES = {"learned": "s(0), y(0)", "learned_cell_state": "s(0)", "learned_cell_output": "y(0)"}
_STATES_NOTE = (
    "Solved: with the 95% interval of the fraction. Nets with the zero state and with a learned one have their initial "
    "weights and streams in common. Median training streams, in thousands (over all nets; > where fewer than half were "
    "solved before the first was given up, there). Ratio: of the training streams, learned over zero, geometric mean "
    "over the pairs of which both nets are solved; below 1 the learned state is faster. Earlier: of the pairs in which "
    "it is known which net is solved first, those in which it is the one with the learned state, with p of the sign "
    "test. Earlier and the rate ratio count streams up to where the first of the nets was given up, so many as all "
    "had. Rate ratio: how many times as often, at any moment, an unsolved net with the learned state gets solved as "
    "one with the zero state (Peto's estimate, which understates large effects; p of the log-rank test, which does not "
    "use the pairs; nets that were given up are censored)."
)

_TEST_TIME_NOTE = (
    "Peephole nets that learned their initial state and solved the task, started from that state, from it with normal "
    "noise (in units of the extent of the curve on which s and y move), from states of that curve, and from zero: the "
    "share of the starts after which every prediction of a period is right, at the time that is asked for or at "
    "whatever phase fits best; and the median number of steps until all that follow are right at one phase (never: "
    "half of them are not by the middle of the periods). Where the intervals are drawn there is no other phase: the "
    "input would have to shift with the output."
)


def variants(title: str, rows: Sequence[Row]) -> Table | None:
    """Nets that differ in one thing, two by two: when are they solved? None where there are no two.

    Args:
        title: of the table.
        rows: as for `comparison`.
    """
    conditions = by_condition(rows)
    columns = Columns()
    for number, second in enumerate(conditions):
        for first in conditions[number + 1 :]:
            differing = sum(a != b for a, b in zip(first[0].condition, second[0].condition, strict=True))
            if differing == 1 and task_of(first[0]) == task_of(second[0]) and _solved(first) + _solved(second) > 0:
                identify(columns, first[0], rows, with_net=False)
                for name, some in (("first", first), ("second", second)):
                    columns.add(name, net(some[0]))
                    columns.add(f"{name} solved", f"{_solved(some)}/{len(some)}")
                _add_ratio(columns, log_rank(first, second))
    if not columns.header:
        return None
    dispensable = ("p (log-rank)", "second solved", "first solved", "rate ratio (95%)")
    return Table(title, columns.header, columns.lines, (_RATIO_NOTE,), dispensable)


def initial_states(title: str, rows: Sequence[Row], reliability: Mapping[Key, Reliability] | None = None) -> Table:
    """What another initial state than zero changes, net by net.

    Args:
        title: of the table.
        rows: of conditions with the zero state and with others.
        reliability: of solved nets, by `Row.replica_key`.
    """
    conditions = by_condition(rows)
    zero = {_but_for_the_state(some[0]): some for some in conditions if some[0].initial_state == "zero"}
    columns = Columns()
    for some in conditions:
        plain = zero.get(_but_for_the_state(some[0]))
        if plain is None or some is plain:
            continue
        identify(columns, plain[0], rows)
        columns.add("learned", _STATES.get(some[0].initial_state, some[0].initial_state))
        for name, group in (("zero", plain), ("learned", some)):
            summary = summarise(group)
            low, high = summary.interval
            columns.add(f"{name} solved", f"{summary.solved}/{summary.nets}")
            columns.add(f"{name} 95%", f"{100 * low:.0f}–{100 * high:.0f}%")
            columns.add(f"{name} median", median(summary))
            columns.add(f"{name} reliable (95%)", reliable(group, reliability or {}))
        paired, result = paired_ratio(some, plain), log_rank(some, plain)
        low, high = paired.interval
        columns.add("ratio", factor(paired.ratio) if paired.pairs > 1 else "")
        columns.add("ratio 95%", f"{factor(low)}–{factor(high)}" if paired.pairs > 1 else "")
        columns.add("pairs", str(paired.pairs))
        decided = paired.earlier + paired.later
        columns.add("earlier", f"{paired.earlier} of {decided}" if decided else "")
        columns.add("p (sign)", p_text(paired.p_value) if decided else "")
        if math.isnan(result.p_value):
            columns.add("rate ratio (95%)", "")
            columns.add("p (log-rank)", "")
        else:
            _add_ratio(columns, result)
        for name, group in (("zero", plain), ("learned", some)):
            summary = summarise(group)
            columns.add(f"{name} RMSE", f"{summary.rmse:.3f}" if summary.solved and some[0].task == "pfg" else "")
    notes = [f"Protocol: {', '.join(dict.fromkeys(row.protocol for row in rows))}. {_STATES_NOTE}"]
    if any(text for name, cells in columns.cells.items() if "reliable" in name for text in cells):
        notes.append(RELIABILITY_NOTE)
    else:
        columns = columns.without("reliable")
    dispensable = (
        *(
            "zero RMSE",
            "learned RMSE",
            "p (log-rank)",
            "rate ratio (95%)",
            "pairs",
            "earlier",
            "zero 95%",
            "learned 95%",
        ),
        *("ratio 95%", "zero reliable (95%)", "learned reliable (95%)", "p (sign)"),
    )
    return Table(title, columns.header, columns.lines, tuple(notes), dispensable)


def _but_for_the_state(row: Row) -> Key:
    return replace(row, initial_state="").condition


def _solved(rows: Sequence[Row]) -> int:
    return sum(row.status == "solved" for row in rows)


def _add_ratio(columns: Columns, result: LogRank) -> None:
    low, high = (factor(bound) for bound in result.interval)
    columns.add("rate ratio (95%)", f"{factor(result.ratio)} ({low}–{high})")
    columns.add("p (log-rank)", p_text(result.p_value))


def test_time(title: str, rows: Sequence[Row]) -> Table:
    """What nets with a learned state do when they are started from other states.

    Args:
        title: of the table.
        rows: with solved nets of the tasks of `restarts.restarted`.
    """
    columns = Columns()
    for solved in restarted(rows):
        for start in STARTS:
            result = outcome(solved, start)
            identify(columns, solved[0], [row for group in restarted(rows) for row in group], with_net=False)
            columns.add("nets", str(len(solved)))
            columns.add("start", start)
            for name, share in (("", result.on_time), (", best phase", result.at_best)):
                for period in (1, FOLLOWED):
                    text = "" if math.isnan(share[period - 1]) else f"{100 * share[period - 1]:.0f}%"
                    columns.add(f"period {period}{name}", text)
            back = f"{result.steps_back:.0f}" if math.isfinite(result.steps_back) else "never"
            columns.add("steps until back", "" if math.isnan(result.steps_back) else back)
    dispensable = ("period 1, best phase", "period 1", "nets")
    return Table(title, columns.header, columns.lines, (_TEST_TIME_NOTE,), dispensable)
