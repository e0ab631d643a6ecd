"""Your own rows beside the committed ones, net by net. `python reproduce/compare.py FOLDER`."""

import sys
from pathlib import Path

from rich.console import Console

from timing_tasks.errors import UserError
from timing_tasks.report.compare import compare, table
from timing_tasks.report.tables import show

HERE = Path(__file__).resolve().parent


def main(arguments: list[str]) -> int:
    """Compare a folder's rows; exit status 1 if one differs, 2 for a folder that cannot be used."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("compare.py: python reproduce/compare.py FOLDER: a folder with your own rows is needed", file=sys.stderr)
        return 2
    try:
        conditions = compare(Path(arguments[0]), HERE.parent / "results")
    except UserError as error:
        print(f"compare.py: {error}", file=sys.stderr)
        return 2
    show(table(conditions), Console())
    return int(any(one.differs for one in conditions))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
