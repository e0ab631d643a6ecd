"""What is asked of a net: the four tasks, their streams, and the one definition of a right answer."""

from timing_tasks.tasks.streams import Purpose, Stream, stream
from timing_tasks.tasks.task import TASKS, WAVEFORMS, Task
from timing_tasks.tasks.verdict import is_correct, root_mean_square_error, stream_size

__all__ = [
    "TASKS",
    "WAVEFORMS",
    "Purpose",
    "Stream",
    "Task",
    "is_correct",
    "root_mean_square_error",
    "stream",
    "stream_size",
]
