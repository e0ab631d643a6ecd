"""Readings of the paper side by side: each is an experiment of its own, with the same conditions as the others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from timing_tasks.cli import app
from timing_tasks.cli.config import experiment as checked
from timing_tasks.errors import ConfigurationError
from timing_tasks.experiment import run as experiment
from timing_tasks.report.tables import markdown, show
from timing_tasks.report.tables.readings import readings
from timing_tasks.results.folder import write_whole
from timing_tasks.results.published import read_published
from timing_tasks.results.row import Row


def study(config: DictConfig, published: Path) -> None:
    """Run what is missing of every reading, each in a folder of its own, then print and write the table.

    Args:
        config: the composed config; `readings` has the overrides of each reading by its name, `only` some of the names.
        published: the folder with the paper's values.

    Raises:
        UserError: a value or a folder that cannot be used.
    """
    for override in app.overrides():
        if override.startswith(("protocol", "readings")):
            raise ConfigurationError(override.partition("=")[0], "...", "cannot be changed; every reading has its own")
    chosen = list(config.readings) if config.only is None else config.only
    if (
        not isinstance(chosen, Sequence)
        or isinstance(chosen, str)
        or not chosen
        or any(n not in config.readings for n in chosen)
    ):
        raise ConfigurationError("only", config.only, f"a list of {', '.join(config.readings)}")
    output = app.folder(config)
    studies = {name: app.compose(config.name, [*app.overrides(), *config.readings[name]]) for name in chosen}
    for name, one in studies.items():
        one.output = str(output / name)
    runs = {name: checked(one) for name, one in studies.items()}
    console = Console()
    rows: dict[str, list[Row]] = {}
    for name, run in runs.items():
        rows[name] = experiment.run(run, announce=lambda text: console.print(text, highlight=False, soft_wrap=True))
    if not any(rows.values()):  # this process has only helped another
        return
    table = readings(config.title, rows, read_published(published))
    write_whole(output / "table.md", markdown(table))
    show(table, console)
