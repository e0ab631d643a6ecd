"""How reliable the solved nets of committed rows are: fresh test sets for each, from the kept weights."""

from __future__ import annotations

from omegaconf import DictConfig
from rich.console import Console

from timing_tasks.cli.compose import Call
from timing_tasks.cli.scripts.verdict import results_of
from timing_tasks.errors import ConfigurationError
from timing_tasks.learning.online.engine import create
from timing_tasks.report.reliability import is_tested, measure
from timing_tasks.report.tables import Table, show
from timing_tasks.report.tables.cells import Columns, by_condition, identify, reliable
from timing_tasks.results.description import online_conditions
from timing_tasks.results.reliability import append_reliability, finish_reliability, read_reliability
from timing_tasks.results.row import read_rows


def main(config: DictConfig, call: Call) -> None:
    """Test the nets of each folder that have not been tested, condition by condition, and print what they did."""
    results = results_of(config, call)
    folders = [path.parent for path in sorted(results.rglob("runs.csv"))]
    if not folders:
        raise ConfigurationError("results", str(results), "a folder of results folders")
    engine, console = create(config.engine.name, config.engine.threads), Console()
    for folder in folders:
        rows = [row for row in read_rows(folder / "runs.csv") if is_tested(row)]
        if not rows:
            continue
        conditions, there = online_conditions(folder), read_reliability(folder)
        columns = Columns()
        for some in by_condition(rows):
            missing = [row for row in some if row.replica_key not in there]
            if missing:
                found = measure(missing, conditions, engine)
                append_reliability(folder, found)
                there |= found
            identify(columns, some[0], rows)
            columns.add("nets", str(len(some)))
            columns.add("reliable (95%)", reliable(some, there))
        finish_reliability(folder, rows)
        show(Table(f"Solved nets, tested again: {folder.name}", columns.header, columns.lines), console)
