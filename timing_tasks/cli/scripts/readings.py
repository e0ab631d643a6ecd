"""Readings of the paper side by side: each is an experiment of its own, with the same conditions as the others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from timing_tasks.cli.compose import Call
from timing_tasks.cli.config import experiment
from timing_tasks.cli.scripts.experiment import announcing
from timing_tasks.errors import ConfigurationError
from timing_tasks.experiment import run as runs
from timing_tasks.results.folder import write_whole


def main(config: DictConfig, call: Call) -> None:
    """Run what is missing of every reading, each in a folder of its own, then print and write the table.

    Args:
        config: the composed config; `readings` has the overrides of each reading by its name, `only` some of the names.
        call: of the script.

    Raises:
        UserError: a value or a folder that cannot be used.
    """
    for override in call.overrides:
        if override.startswith(("protocol", "readings")):
            raise ConfigurationError(override.partition("=")[0], "...", "cannot be changed; every reading has its own")
    chosen = list(config.readings) if config.only is None else config.only
    if not _are_of(chosen, config.readings):
        raise ConfigurationError("only", config.only, f"a list of {', '.join(config.readings)}")
    output = folder_of(config)
    described = {}
    for name in chosen:
        own = (*call.overrides, *config.readings[name])
        described[name] = experiment(call.other(call.name, own, str(output / name)).config())
    console = Console()
    rows = {name: runs.run(one, announcing(console)) for name, one in described.items()}
    if not any(rows.values()):  # this process has only helped another
        return
    from timing_tasks.report.tables import markdown, show
    from timing_tasks.report.tables.readings import readings
    from timing_tasks.results.published import read_published

    table = readings(config.title, rows, read_published(call.published))
    write_whole(output / "table.md", markdown(table))
    show(table, console)


def _are_of(chosen: object, known: DictConfig) -> bool:
    is_list = isinstance(chosen, Sequence) and not isinstance(chosen, str) and len(chosen) > 0
    return is_list and all(name in known for name in chosen)  # type: ignore[attr-defined]


def folder_of(config: DictConfig) -> Path:
    """The output folder of a script that has one by default.

    Raises:
        ConfigurationError: there is none.
    """
    if not isinstance(config.output, str) or not config.output:
        raise ConfigurationError("output", config.output, "a folder")
    return Path(config.output)
