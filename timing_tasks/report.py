"""From a config to a table that is printed and written: what a script of `reproduce/` does."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from timing_tasks import experiment, tables
from timing_tasks.config import experiment as checked
from timing_tasks.results import Row

_WIDTH = 132  # of the widest table; narrower terminals wrap its lines


def table(config: DictConfig, title: str, published: Path) -> None:
    """Run the experiment of a config, or what is missing of it, and show its table.

    The table is also written to `table.md` beside the rows.

    Args:
        config: the composed config.
        title: of the table.
        published: the data file with the paper's values.

    Raises:
        UserError: a value or a folder that cannot be used.
    """
    described = checked(config)
    values = tables.read_published(published)
    console = Console(width=max(Console().width, _WIDTH))

    def render(rows: list[Row]) -> str:
        return tables.markdown(tables.comparison(title, rows, values))

    rows = experiment.run(described, render, announce=lambda text: console.print(text, highlight=False))
    tables.show(tables.comparison(title, rows, values), console)
