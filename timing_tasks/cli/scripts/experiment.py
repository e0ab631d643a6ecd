"""A run and what is made of its rows: tables and figures, printed and written beside the rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from timing_tasks.cli.compose import Call
from timing_tasks.cli.config import conditions, experiment
from timing_tasks.errors import NothingToDrawError
from timing_tasks.experiment import run as runs
from timing_tasks.results.folder import write_whole


@dataclass(frozen=True)
class Produced:
    """What an experiment has written, for a report in the folder above its own.

    Attributes:
        title: of the experiment.
        tables: the titles of its tables, which are in `table.md`.
        figures: its figures with their captions, as Markdown.
    """

    title: str
    tables: tuple[str, ...] = ()
    figures: str = ""


def main(config: DictConfig, call: Call) -> None:
    """Run what is missing, then print and write the tables and draw the figures."""
    try:
        produce(config, call)
    except NothingToDrawError:
        if not config.fast_dev_run:  # whose nets are not solved
            raise


def produce(config: DictConfig, call: Call) -> Produced | None:
    """Run the experiment of a config, or what is missing of it, and show its tables and draw its figures.

    The tables are also written to `table.md` beside the rows, each figure to a PNG and an SVG file.

    Args:
        config: the composed config; `tables` and `figures` name what is made of the rows.
        call: of the script.

    Returns:
        What was written; None in a process that has only helped another to train.

    Raises:
        UserError: a value or a folder that cannot be used, or no net that could be drawn.
    """
    described = experiment(config)
    console = Console()
    announce = announcing(console)
    rows = runs.run(described, announce)
    if not rows:  # this process has only helped another
        return None
    # Importing these takes a second, and the first line should not wait for it.
    from timing_tasks.cli.scripts.tables import TABLES, Sources
    from timing_tasks.report.tables import markdown, show
    from timing_tasks.report.tables.cells import title_of
    from timing_tasks.results.published import read_published
    from timing_tasks.results.reliability import read_reliability
    from timing_tasks.results.row import read_rows
    from timing_tasks.results.seconds import read_seconds

    values = read_published(call.published)
    folder = described.output
    of = Sources(rows, values, read_seconds(folder), read_reliability(folder), described.conditions)
    made = (TABLES[name](title_of(described.title, rows), of) for name in config.tables)
    tables = [table for table in made if table is not None]
    if tables:
        write_whole(described.output / "table.md", "\n".join(map(markdown, tables)))
    for table in tables:
        show(table, console)
    if tables and config.select is not None and not any(override.startswith("select=") for override in call.overrides):
        announce(f"Left out, since they take longer: {_left_out(config)}. `select=null` trains these, too.")
    figures = []
    for name in config.figures:
        from timing_tasks.report.figures import DRAWINGS, png, svg

        drawing = DRAWINGS[name]
        path = described.output / f"{name}.png"
        beside = folder.parent / drawing.beside / "runs.csv"
        others = read_rows(beside) if drawing.beside and beside.exists() else []
        figure = drawing.draw([*rows, *others], values)
        write_whole(path, png(figure))
        write_whole(path.with_suffix(".svg"), svg(figure))
        announce(f"figure: {path}")
        figures.append(f"![{drawing.title}]({path.parent.name}/{path.name})\n\n{drawing.title}. {drawing.caption}\n")
    return Produced(described.title, tuple(table.title for table in tables), "\n".join(figures))


def _left_out(config: DictConfig) -> str:
    """The tasks that `select` leaves out, each once."""
    everything = conditions(OmegaConf.merge(config, {"select": None}))  # type: ignore[arg-type]
    chosen = {str(condition.task) for condition in conditions(config)}
    tasks = dict.fromkeys(str(condition.task) for condition in everything)
    return ", ".join(task for task in tasks if task not in chosen)


def announcing(console: Console) -> Callable[[str], None]:
    """Prints a line, at once."""

    def announce(text: str) -> None:
        console.print(text, highlight=False, soft_wrap=True)
        console.file.flush()

    return announce


def is_complete(config: DictConfig) -> bool:
    """Whether all rows of a config's experiment are in its folder."""
    return runs.is_complete(experiment(config))
