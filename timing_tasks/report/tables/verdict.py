"""The verdict on the paper: condition by condition, whether it comes out as printed, and whether peepholes are better."""

from __future__ import annotations

import math
import shlex
from collections.abc import Collection, Sequence
from dataclasses import replace

from scipy import stats

from timing_tasks.report.tables import Table
from timing_tasks.report.tables.cells import Columns, by_condition, factor, identify, p_text, task_of, thousands
from timing_tasks.results.published import (
    NO_DIFFERENCE,
    NOT_COMPARABLE,
    Published,
    compare_nets,
    compare_solved,
    compare_streams,
    compare_summaries,
    is_cut_short,
)
from timing_tasks.results.row import Row
from timing_tasks.results.statistics import Summary, log_rank, summarise
from timing_tasks.tasks.paper import USUAL_TOLERANCE

SEARCHED, HELD_OUT = "searched", "not searched"
_ORIGINS = {SEARCHED: "of the searches for the closest protocol", HELD_OUT: "that are not in these searches"}
_ALONE, _USUAL_NETS = "python reproduce/condition.py budget=paper", 10
_NOTES = (
    "Solved: nets, with the 95% interval of their share, against the paper's ten (Fisher's exact test at 5%). Streams: of the "
    "solved nets, the mean with its 95% interval (Student's t), in thousands, against the paper's (Welch's test at 5%, its ± "
    "read as the deviation of the sample and as that of the mean: both must differ). † A net was given up earlier than in the "
    "paper, so that fewer, faster and compatible cannot be said.",
    f"A line alone: `{_ALONE}`, what its last column says, and `output=FOLDER`. Minutes: what its nets have taken in all, at 10⁸ "
    "net-steps a second.",
)
_NETS_NOTE = (
    "There and here by one rule: by the nets solved (Fisher's exact test); where as many are solved, by their streams (Welch's "
    "test, the paper's ± read as above), at 5%. Beside it, for our nets, what uses more of the rows: the rate ratio, how many "
    "times as often an unsolved peephole net gets solved as one without (Peto's estimate), and p of the log-rank test. Only here: "
    "the paper's ten nets show no difference, and may have been too few to show it."
)


def verdict(
    title: str, rows: Sequence[Row], published: Sequence[Published], searched: Collection[tuple[str, ...]] = ()
) -> Table:
    """Every condition of the paper, held against it.

    Args:
        title: of the table.
        rows: of all tables.
        published: the paper's values.
        searched: the tasks, as `cells.task_of` has them, of the searches for the closest protocol.
    """
    columns = Columns()
    said: dict[str, list[tuple[str, str]]] = {SEARCHED: [], HELD_OUT: []}
    for some in by_condition(rows):
        value = next((value for value in published if value.is_of(some[0])), None)
        if value is None:
            continue
        ours, mark = summarise(some), "" if value.verified == "true" else "?"
        low, high = ours.interval
        identify(columns, some[0], rows)
        columns.add("paper %", value.solved_percent and value.solved_percent + mark)
        cut = "†" if is_cut_short(ours, some[0].task) else ""
        columns.add("solved (95%)", f"{ours.solved}/{ours.nets}{cut} ({100 * low:.0f}–{100 * high:.0f}%)")
        deviation = f" ± {value.streams_deviation}" if value.streams_deviation else ""
        columns.add(
            "paper streams",
            value.streams and (value.streams if value.streams == "-" else value.streams + deviation + mark),
        )
        columns.add("streams (95%)", _mean(ours))
        both = compare_solved(ours, value), compare_streams(ours, value)
        for name, text in zip(("solved", "streams"), both, strict=True):
            columns.add(f"{name}: verdict", text)
        origin = SEARCHED if task_of(some[0]) in searched and some[0].forget_gate == "true" else HELD_OUT
        said[origin].append(both)
        columns.add("protocol", origin)
        minutes = sum(int(row.net_steps) for row in some) / 1e8 / 60
        columns.add("minutes", f"{minutes:.1f}" if minutes >= 0.1 else "< 0.1")
        limit = f" budget.net_steps={_limit(some)}" if cut else ""
        replicas = "" if ours.nets == _USUAL_NETS else f" replicas={ours.nets}"
        columns.add("alone", f"`{_overrides(some[0])}{limit}{replicas}`")
    protocols = ", ".join(dict.fromkeys(row.protocol for row in rows))
    notes = [
        f"Protocol: {protocols}.",
        *(_counts(origin, pairs) for origin, pairs in said.items() if pairs),
        *_NOTES,
    ]
    if any(value.verified != "true" for value in published):
        notes.append("? The paper's values are recalled; nobody has checked them against the journal's pages.")
    return Table(title, columns.header, columns.lines, tuple(notes), ("minutes", "alone"))


def peepholes(title: str, rows: Sequence[Row], published: Sequence[Published]) -> Table:
    """Where the paper reports nets with peepholes and without, which are better, there and here.

    Args:
        title: of the table.
        rows: of all tables.
        published: the paper's values.
    """
    columns = Columns()
    conditions = [some for some in by_condition(rows) if some[0].forget_gate == "true"]
    without = {_but_for_peepholes(some[0]): some for some in conditions if some[0].peepholes == "false"}
    for some in conditions:
        plain = without.get(_but_for_peepholes(some[0]))
        values = [
            next((v for v in published if v.is_of(group[0])), None) for group in (some, plain) if group is not None
        ]
        if some is plain or plain is None or None in values:
            continue
        first, second = (value for value in values if value is not None)
        if (paper := compare_nets(first, second)) == NOT_COMPARABLE:
            continue
        result = log_rank(some, plain)
        nothing = math.isnan(result.p_value)
        here = compare_summaries(summarise(some), summarise(plain))
        identify(columns, some[0], rows, with_net=False)
        for name, value in (("peephole", first), ("LSTM", second)):
            columns.add(
                f"paper: {name}",
                f"{value.solved_percent}%" + (f", {value.streams}" if value.streams not in ("", "-") else ""),
            )
        columns.add("paper: peepholes are", paper)
        for name, group in (("peephole", some), ("LSTM", plain)):
            ours = summarise(group)
            mean = f", {thousands(ours.mean)}" if ours.solved else ""
            columns.add(f"here: {name}", f"{ours.solved}/{ours.nets}{mean}")
        low, high = result.interval
        columns.add("rate ratio (95%)", "" if nothing else f"{factor(result.ratio)} ({factor(low)}–{factor(high)})")
        columns.add("p (log-rank)", "" if nothing else p_text(result.p_value))
        columns.add("here: peepholes are", "nothing is solved" if nothing else here)
        differs = "only here" if paper == NO_DIFFERENCE else "otherwise"
        columns.add("verdict", "open" if nothing else "as printed" if paper == here else differs)
    return Table(title, columns.header, columns.lines, (_NETS_NOTE,))


def _limit(rows: Sequence[Row]) -> int:
    """The net-steps at which nets were given up: theirs, which a last stream has made a few more, cut down to two digits."""
    least = min(int(row.net_steps) for row in rows if row.status == "unsolved")
    unit: int = 10 ** (len(str(least)) - 2)
    return least // unit * unit


def _counts(origin: str, said: Sequence[tuple[str, str]]) -> str:
    texts = [
        f"{name}: " + ", ".join(f"{column.count(text)} {text}" for text in sorted(set(column)))
        for name, column in zip(("solved", "streams"), zip(*said, strict=True), strict=True)
    ]
    return f"Of the {len(said)} conditions {_ORIGINS[origin]} – {'; '.join(texts)}."


def _mean(ours: Summary) -> str:
    if ours.solved < 2:
        return thousands(ours.mean) if ours.solved else "-"
    width = float(stats.t.ppf(0.975, ours.solved - 1)) * ours.standard_error
    return f"{thousands(ours.mean)} ({thousands(max(0.0, ours.mean - width))}–{thousands(ours.mean + width)})"


def _but_for_peepholes(row: Row) -> tuple[str, ...]:
    return replace(row, peepholes="").condition


def _overrides(row: Row) -> str:
    """What makes `condition.py` run the row's condition."""
    if row.waveform:
        parts = [f"task.waveform={row.waveform}", f"task.period={row.interval}"]
    else:
        parts = [f"task.min_interval={row.interval}", f"task.offsets=[{row.offsets.replace(' ', ',')}]"]
    if row.tolerance != str(USUAL_TOLERANCE[row.task]):
        parts.append(f"task.tolerance={row.tolerance}")
    if row.forget_gate == "false":
        parts.append("forget_gate=false")
    return shlex.join([f"task={row.task}", *parts, f"peepholes={row.peepholes}"])
