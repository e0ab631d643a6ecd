"""Figures: pure functions of rows and published values, readable in print and without colour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from timing_tasks.report.figures import horizon, initial_states, intervals, long_delays, nets, phases, trajectories
from timing_tasks.report.figures.style import png, svg
from timing_tasks.results.published import Published
from timing_tasks.results.row import Row

__all__ = ["DRAWINGS", "Drawing", "png", "svg"]


@dataclass(frozen=True)
class Drawing:
    """A figure that a config can name.

    Attributes:
        title: of the figure.
        caption: what is to be seen.
        draw: the figure of the rows.
        beside: another folder next to that of the rows, whose rows are drawn too, where it is there.
    """

    title: str
    caption: str
    draw: Callable[[Sequence[Row], Sequence[Published]], Figure]
    beside: str = ""


_LOWEST = "Of each kind the solved net with the lowest number."
DRAWINGS = {
    "streams_against_interval": Drawing(
        "Figure 4: training streams against F (NMSD)",
        "Filled: our nets, with the 95% interval of the mean over those that solved it, and n/N where some did not. "
        "With an arrow: none solved; the point is where the first was given up. Open: the paper's points.",
        intervals.streams_against_interval,
    ),
    "delays": Drawing(
        "How nets measure delays",
        f"Units over time in test streams. {_LOWEST} NMSD: both possible streams, each from the zero state; "
        "MSD: the first three periods.",
        lambda rows, _: trajectories.delays(rows),
    ),
    "spikes": Drawing(
        "How nets generate timed spikes",
        f"Units over time in periods 6 to 10 of a test stream. {_LOWEST}",
        lambda rows, _: trajectories.spikes(rows),
    ),
    "functions": Drawing(
        "How nets generate periodic functions",
        f"Units over time in periods 996 to 999 of a test stream. {_LOWEST}",
        lambda rows, _: trajectories.functions(rows),
    ),
    "start": Drawing(
        "The start of a periodic function",
        f"The first five periods from the zero state. {_LOWEST} Grey below: where the cell state moves later on.",
        lambda rows, _: trajectories.start(rows),
    ),
    "ratios": Drawing(
        "What a learned initial state changes",
        "Training streams with the learned state s(0), y(0), divided by those of the same net (same initial weights, "
        "same streams) with the zero state: geometric mean and 95% interval over the pairs of which both nets are "
        "solved, where there are two pairs. Left of 1 the learned state is faster. At the right: the share of nets "
        "solved, from the zero state (open) and from the learned one (filled).",
        lambda rows, _: initial_states.ratios(rows),
    ),
    "learned_states": Drawing(
        "Which state is learned",
        "Above: the curve on which s and y move after 200 periods (grey), the learned state before the first step "
        "(dot) "
        f"and the state before the first step of a late period (ring). {_LOWEST} Below: for every solved net, how far "
        "the state it "
        "starts from is from that ring, in units of the curve's own extent.",
        lambda rows, _: initial_states.learned_states(rows),
    ),
    "stuck": Drawing(
        "Where a learned state hurts",
        "The first four periods of rect, F = 10: a net that solved it from the zero state, and one with a learned "
        "state that had not, after as many training streams as the table says (the lowest number of each). It has the "
        "first period right, as a run down from a state to which it never returns.",
        lambda rows, _: initial_states.stuck(rows),
    ),
    "horizon": Drawing(
        "How far the recipes get",
        "Median training streams until solved (Kaplan-Meier, over all nets) against F. Open, with an arrow: fewer than "
        "half of the nets solved; the point is where the first was given up. n/N where some did not solve it.",
        lambda rows, _: horizon.horizon(rows),
    ),
    "long_delays": Drawing(
        "How long a delay can be",
        "Left: the share of nets solved, with its 95% interval. Right: median training streams until solved "
        "(Kaplan-Meier, over all nets), where half of the nets are solved. Grey: the on-line rule and the paper.",
        long_delays.long_delays,
        beside="table1",
    ),
    "phases": Drawing(
        "The initial state, whatever the first phase",
        "Median training streams of nets that generate a function from its phase m on. Above nets without peepholes, "
        "below with.",
        lambda rows, _: phases.phases(rows),
    ),
    "runaway": Drawing(
        "What becomes of nets that fail at long delays",
        "Each point is a net at the end of its training. From the zero state most nets that fail have a cell state "
        "that has run away, so that the output's sigmoid is flat. From another state it often crosses zero between "
        "the two answers, but it need not.",
        lambda rows, _: long_delays.runaway(rows),
    ),
    "tasks_against_weights": Drawing(
        "How many tasks cells of different sizes solve",
        "Tasks that at least half of the nets solved, against the number of weights. Open, dotted: from the zero "
        "state; filled: from a learned one.",
        lambda rows, _: nets.tasks_against_weights(rows),
    ),
    "test_time": Drawing(
        "The state at test time",
        "Solved nets that learned their initial state, started from other states: the share of the nets that have "
        "every prediction of a period right, period by period. Above at the time that is asked for, below at whatever "
        "phase fits best.",
        lambda rows, _: initial_states.test_time(rows),
    ),
}
