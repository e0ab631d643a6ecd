"""The verdict on the paper: which conditions come out as printed, and whether peepholes are better."""

from __future__ import annotations

import math
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from timing_tasks.report.tables import Table
from timing_tasks.report.tables.against import (
    CUT_SHORT_NOTE,
    DISPENSABLE,
    RECALLED_NOTE,
    Pair,
    add_ours,
    add_paper,
    add_verdicts,
    compared,
)
from timing_tasks.report.tables.cells import (
    RELIABILITY_NOTE,
    Columns,
    by_condition,
    factor,
    identify,
    p_text,
    reliable,
    task_of,
    thousands,
)
from timing_tasks.results.compared import (
    NO_DIFFERENCE,
    UNDECIDED,
    compare_nets,
    compare_papers_nets,
    is_cut_short,
)
from timing_tasks.results.published import Published
from timing_tasks.results.reliability import Reliability
from timing_tasks.results.row import Key, Row
from timing_tasks.results.statistics import log_rank, summarise
from timing_tasks.tasks.task import usual_tolerance

SEARCHED, HELD_OUT = "searched", "not searched"
_ORIGINS = {SEARCHED: "of the searches for the closest protocol", HELD_OUT: "that are not in these searches"}
_ALONE, _USUAL_NETS = "python reproduce/condition.py budget=paper", 10
_ALONE_NOTE = (
    f"A line alone: `{_ALONE}`, what its last column says, and `output=FOLDER`. Minutes: what its nets have taken in "
    "all, at 10⁸ "
    "net-steps a second."
)
_NETS_NOTE = (
    "There and here by one rule: by the nets solved (Fisher's exact test); where as many are solved, by their streams "
    "(Welch's test, the paper's ± read as the standard error), at 5%, over as many training streams as every net of "
    "both had. Beside it, for our nets, what uses more of the rows: the rate ratio, how many times as often an "
    "unsolved peephole net gets solved as one without (Peto's estimate), and p of the log-rank test. Only here: the "
    "paper's ten nets show no difference, and may have been too few to show it."
)


def verdict(
    title: str,
    rows: Sequence[Row],
    published: Sequence[Published],
    searched: Collection[Key] = (),
    reliability: Mapping[Key, Reliability] | None = None,
) -> Table:
    """Every condition of the paper, compared with it.

    Args:
        title: of the table.
        rows: of all tables.
        published: the paper's values.
        searched: the tasks, as `cells.task_of` has them, of the searches for the closest protocol.
        reliability: of solved nets, by `Row.replica_key`.
    """
    values = {some[0].condition: next((v for v in published if v.is_of(some[0])), None) for some in by_condition(rows)}
    conditions = [some for some in by_condition(rows) if values[some[0].condition] is not None]
    papers, summaries = [values[some[0].condition] for some in conditions], [summarise(some) for some in conditions]
    pairs = [compared(ours, value) for ours, value in zip(summaries, papers, strict=True)]
    origins = [SEARCHED if task_of(some[0]) in searched and some[0].forget_gate else HELD_OUT for some in conditions]
    columns = Columns()
    for some, ours, value in zip(conditions, summaries, papers, strict=True):
        identify(columns, some[0], rows)
        add_paper(columns, value)
        add_ours(columns, ours, some[0])
        columns.add("reliable (95%)", reliable(some, reliability or {}))
    notes = [
        f"Protocol: {', '.join(dict.fromkeys(row.protocol for row in rows))}. Streams: in thousands, mean and its "
        "standard error.",
        *(
            _counts(origin, said)
            for origin in _ORIGINS
            if (said := [p for p, o in zip(pairs, origins, strict=True) if o == origin])
        ),
        *add_verdicts(columns, pairs, summaries, papers),
    ]
    if any(columns.cells.get("reliable (95%)", ())):
        notes.append(RELIABILITY_NOTE)
    else:
        columns = columns.without("reliable")
    for some, ours, origin in zip(conditions, summaries, origins, strict=True):
        columns.add("protocol", origin)
        minutes = sum(row.net_steps for row in some) / 1e8 / 60
        columns.add("minutes", f"{minutes:.1f}" if minutes >= 0.1 else "< 0.1")
        limit = f" budget.net_steps={_limit(some)}" if is_cut_short(ours, some[0].task) else ""
        replicas = "" if ours.nets == _USUAL_NETS else f" replicas={ours.nets}"
        columns.add("alone", f"`{_overrides(some[0])}{limit}{replicas}`")
    if any("†" in cell for cell in columns.cells.get("solved", ())):
        notes.append(CUT_SHORT_NOTE)
    notes.append(_ALONE_NOTE)
    if any(value is not None and not value.verified for value in papers):
        notes.append(RECALLED_NOTE)
    dispensable = ("alone", "minutes", "protocol", *DISPENSABLE, "reliable (95%)")
    return Table(title, columns.header, columns.lines, tuple(notes), dispensable)


def peepholes(title: str, rows: Sequence[Row], published: Sequence[Published]) -> Table:
    """Where the paper reports nets with peepholes and without, which are better, there and here.

    Args:
        title: of the table.
        rows: of all tables.
        published: the paper's values.
    """
    columns = Columns()
    conditions = [some for some in by_condition(rows) if some[0].forget_gate]
    without = {_but_for_peepholes(some[0]): some for some in conditions if not some[0].peepholes}
    for some in conditions:
        plain = without.get(_but_for_peepholes(some[0]))
        values = [
            next((v for v in published if v.is_of(group[0])), None) for group in (some, plain) if group is not None
        ]
        if some is plain or plain is None or None in values:
            continue
        first, second = (value for value in values if value is not None)
        if (paper := compare_papers_nets(first, second)) == UNDECIDED:
            continue
        result = log_rank(some, plain)
        nothing = math.isnan(result.p_value)
        here = compare_nets(some, plain)
        identify(columns, some[0], rows, with_net=False)
        for name, value in (("peephole", first), ("LSTM", second)):
            columns.add(
                f"paper: {name}",
                f"{value.solved_percent}%" + ("" if value.streams is None else f", {value.streams}"),
            )
        columns.add("paper: peepholes are", paper)
        for name, group in (("peephole", some), ("LSTM", plain)):
            ours = summarise(group)
            mean = f", {thousands(ours.mean)}" if ours.solved else ""
            columns.add(f"here: {name}", f"{ours.solved}/{ours.nets}{mean}")
        low, high = result.interval
        columns.add("rate ratio (95%)", "" if nothing else f"{factor(result.ratio)} ({factor(low)}–{factor(high)})")
        columns.add("p (log-rank)", "" if nothing else p_text(result.p_value))
        columns.add("here: peepholes are", "none solved" if nothing else here)
        differs = "only here" if paper == NO_DIFFERENCE else "otherwise"
        columns.add("verdict", "open" if nothing else "as printed" if paper == here else differs)
    dispensable = ("p (log-rank)", "rate ratio (95%)", "paper: peephole", "paper: LSTM")
    return Table(title, columns.header, columns.lines, (_NETS_NOTE,), dispensable)


def _limit(rows: Sequence[Row]) -> int:
    """The net-steps at which nets were given up, to two digits: a last stream adds a few."""
    least = min(row.net_steps for row in rows if row.status == "unsolved")
    unit: int = 10 ** (len(str(least)) - 2)
    return least // unit * unit


def _counts(origin: str, said: Sequence[Pair]) -> str:
    texts = []
    for name, comparisons in zip(("solved", "streams"), zip(*said, strict=True), strict=True):
        found = [one.said for one in comparisons]
        texts.append(f"{name}: " + ", ".join(f"{found.count(text)} {text}" for text in sorted(set(found))))
    return f"Of the {len(said)} conditions {_ORIGINS[origin]} – {'; '.join(texts)}."


def _but_for_peepholes(row: Row) -> Key:
    return replace(row, peepholes=False).condition


def _overrides(row: Row) -> str:
    """What makes `condition.py` run the row's condition."""
    if row.waveform:
        parts = [f"task.waveform={row.waveform}", f"task.period={row.interval}"]
    else:
        parts = [f"task.min_interval={row.interval}", f"task.offsets=[{','.join(map(str, row.offsets))}]"]
    if row.tolerance != usual_tolerance(row.task):
        parts.append(f"task.tolerance={row.tolerance}")
    if not row.forget_gate:
        parts.append("forget_gate=false")
    return shlex.join([f"task={row.task}", *parts, f"peepholes={str(row.peepholes).lower()}"])
