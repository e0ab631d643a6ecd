"""Values of the paper for tests."""

from decimal import Decimal

from timing_tasks.results.published import Published


def paper(percent: str, mean: str = "", deviation: str = "", task: str = "gts") -> Published:
    solved = int(percent) if percent else None
    streams, around = (Decimal(text) if text not in ("", "-") else None for text in (mean, deviation))
    condition = ("3", task, 10, (0,), "", True, True, "sigmoid", 0.49)
    return Published(*condition, solved, streams, around, None, None, "", "", False, mean == "-")
