"""Suites: lists of tasks under a name that says their version, so that numbers of one name can be compared."""

from __future__ import annotations

from timing_tasks.tasks.interval_discrimination import IntervalDiscrimination
from timing_tasks.tasks.paper import GTS, MSD, NMSD, PFG
from timing_tasks.tasks.ready_set_go import ReadySetGo
from timing_tasks.tasks.task import Task

# A list of a name never changes: what differs gets another name. From easy to hard within each kind of task; of the
# twenty, sixteen are the paper's.
SUITES: dict[str, tuple[Task, ...]] = {
    "TIMING-20": (
        NMSD(10, (0, 1)),
        NMSD(30, (0, 1)),
        NMSD(10, (0, 1, 2, 3, 4, 5)),
        NMSD(100, (0, 1)),
        MSD(10, (0, 1)),
        MSD(10, (0, 1, 2)),
        GTS(10, (0,)),
        GTS(20, (0,)),
        GTS(30, (0,)),
        GTS(50, (0,)),
        GTS(100, (0,)),
        GTS(10, (0, 1)),
        GTS(10, (0, 1, 2)),
        PFG(10, waveform="cos"),
        PFG(25, waveform="cos"),
        PFG(10, waveform="tri"),
        PFG(10, waveform="rect"),
        PFG(25, waveform="rect"),
        IntervalDiscrimination(),
        ReadySetGo(),
    ),
}
