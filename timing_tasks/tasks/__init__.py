"""What is asked of a net: the paper's four tasks and others, their streams, and the one definition of a right answer.

A task of one's own is a subclass of `Task`; `check_task` tells whether it keeps the contract.
"""

from timing_tasks.tasks.check import TaskError, check_task, score
from timing_tasks.tasks.interval_discrimination import IntervalDiscrimination
from timing_tasks.tasks.paper import GTS, MSD, NMSD, PFG, TASKS, WAVEFORMS
from timing_tasks.tasks.ready_set_go import ReadySetGo
from timing_tasks.tasks.streams import Purpose, Stream, stream
from timing_tasks.tasks.task import Task, task_names
from timing_tasks.tasks.verdict import is_correct, root_mean_square_error, stream_size

__all__ = [
    "GTS",
    "MSD",
    "NMSD",
    "PFG",
    "TASKS",
    "WAVEFORMS",
    "IntervalDiscrimination",
    "Purpose",
    "ReadySetGo",
    "Stream",
    "Task",
    "TaskError",
    "check_task",
    "is_correct",
    "root_mean_square_error",
    "score",
    "stream",
    "stream_size",
    "task_names",
]
