"""From a config to what a script of `reproduce/` prints and writes: a table, or a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from timing_tasks import experiment, tables
from timing_tasks.config import experiment as checked
from timing_tasks.published import Published, read_published
from timing_tasks.results import Row, write_whole

_WIDTH = 150  # of the widest table; narrower terminals wrap its lines


def produce(config: DictConfig, published: Path) -> str:
    """Run the experiment of a config, or what is missing of it, and show its table, or draw its figure if it is one.

    The table is also written to `table.md` beside the rows, the figure to a PNG file.

    Args:
        config: the composed config.
        published: the folder with the paper's values.

    Returns:
        The table or the figure as Markdown, for a report in the folder above that of the rows.

    Raises:
        UserError: a value or a folder that cannot be used, or no net that could be drawn.
    """
    described = checked(config)
    values = read_published(published)
    console = Console(width=max(Console().width, _WIDTH))

    def announce(text: str) -> None:
        console.print(text, highlight=False, soft_wrap=True)

    if "figure" in config:
        from timing_tasks.figures import DRAWINGS, png

        rows = experiment.run(described, announce=announce)
        path = described.output / f"{config.figure}.png"
        write_whole(path, png(DRAWINGS[config.figure](rows, values)))
        announce(f"figure: {path}")
        return f"## {described.title}\n\n![{described.title}]({path.parent.name}/{path.name})\n\n{config.caption}\n"

    def render(rows: Sequence[Row]) -> str:
        return "\n".join(map(tables.markdown, make_tables(described.title, rows, values)))

    rows = experiment.run(described, render, announce)
    for made in make_tables(described.title, rows, values):
        tables.show(made, console)
    return render(rows)


def make_tables(title: str, rows: Sequence[Row], published: Sequence[Published]) -> list[tables.Table]:
    """The table of an experiment, and, where it has nets that differ in one thing, the one that compares them."""
    variants = tables.variants(f"{title}: net against net", rows)
    return [tables.comparison(title, rows, published), *([variants] if variants else [])]
