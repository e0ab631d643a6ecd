"""The verdict on the paper, from the rows of its tables; nothing is trained."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from timing_tasks.cli.compose import Call
from timing_tasks.cli.config import conditions
from timing_tasks.errors import ConfigurationError, ResultsError
from timing_tasks.report.tables import Table, show
from timing_tasks.report.tables.cells import TASK_COLUMNS
from timing_tasks.report.tables.verdict import peepholes, verdict
from timing_tasks.results.published import read_published
from timing_tasks.results.reliability import read_reliability
from timing_tasks.results.row import read_rows

# Those of which the paper's numbers are known. Ten nets a condition, as there; `hundred` is a table of its own: it has
# only conditions whose nets are soon solved, and how many nets a verdict rests on must not depend on that.
PAPERS_TABLES = ("table1", "table3", "table4")
SEARCHES = ("protocols", "rates")  # for the protocol with which the paper's numbers come out


def main(config: DictConfig, call: Call) -> None:
    """Print the tables."""
    console = Console()
    for table in verdicts(results_of(config, call), call):
        show(table, console)


def results_of(config: DictConfig, call: Call) -> Path:
    """The folder of results folders: the one that is asked for, or the clone's.

    Raises:
        ConfigurationError: there is none.
    """
    results = call.own_folder / "results" if config.results is None else Path(str(config.results))
    if not results.is_dir():
        raise ConfigurationError("results", config.results, "a folder of results folders")
    return results


def verdicts(results: Path, call: Call) -> list[Table]:
    """The verdict on the paper, from the rows of its tables.

    Args:
        results: the folder of their folders.
        call: of the script.

    Raises:
        ResultsError: there is no row, or a file that cannot be read.
    """
    files = [path for name in PAPERS_TABLES if (path := results / name / "runs.csv").exists()]
    rows = list({row.replica_key: row for path in files for row in read_rows(path)}.values())
    if not rows:
        raise ResultsError(f"{results}: no rows of {', '.join(PAPERS_TABLES)}")
    reliability = {key: one for path in files for key, one in read_reliability(path.parent).items()}
    values = read_published(call.published)
    rows.sort(key=lambda row: next((place for place, value in enumerate(values) if value.is_of(row)), len(values)))
    tried = [condition for name in SEARCHES for condition in conditions(call.other(name).config())]
    searched = {tuple(condition.columns[name] for name in TASK_COLUMNS) for condition in tried}
    return [
        verdict("The verdict", rows, values, searched, reliability),
        peepholes("Are peepholes better?", rows, values),
    ]
