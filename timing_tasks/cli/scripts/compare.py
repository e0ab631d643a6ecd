"""A reviewer's own rows beside the committed ones, net by net."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from timing_tasks.errors import UserError
from timing_tasks.report.compare import compare, table
from timing_tasks.report.tables import show


def main(arguments: list[str], home: Path) -> None:
    """Compare the rows of a folder; exit status 1 if one differs.

    Args:
        arguments: the folder.
        home: the folder that has `results/`.

    Raises:
        UserError: not one folder, or one that cannot be used.
    """
    if len(arguments) != 1 or arguments[0].startswith("-"):
        raise UserError("python reproduce/compare.py FOLDER: a folder with your own rows is needed")
    conditions = compare(Path(arguments[0]), home / "results")
    show(table(conditions), Console())
    if any(one.differs for one in conditions):
        sys.exit(1)
