"""Under which reading of the paper do its numbers come out? `python reproduce/protocols.py`."""

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from timing_tasks import app, experiment
from timing_tasks.config import experiment as checked
from timing_tasks.errors import ConfigurationError
from timing_tasks.published import read_published
from timing_tasks.results import Row, write_whole
from timing_tasks.tables import markdown, show
from timing_tasks.tables.readings import readings

HERE = Path(__file__).resolve().parent
_WIDTH = 190  # of the table; narrower terminals wrap its lines


def main(config: DictConfig) -> None:
    """Run what is missing of every reading, then print and write the table."""
    for override in app.overrides():
        if override.startswith(("protocol", "readings")):
            raise ConfigurationError(override.partition("=")[0], "...", "cannot be changed; every reading has its own")
    chosen = list(config.readings) if config.only is None else config.only
    if not isinstance(chosen, Sequence) or isinstance(chosen, str) or not chosen or any(n not in config.readings for n in chosen):
        raise ConfigurationError("only", config.only, f"a list of {', '.join(config.readings)}")
    output = Path(config.output)
    studies = {name: app.compose("protocols", [*app.overrides(), *config.readings[name]]) for name in chosen}
    for name, study in studies.items():
        study.output = str(output / name)
    runs = {name: checked(study) for name, study in studies.items()}
    console = Console(width=max(Console().width, _WIDTH))
    rows: dict[str, list[Row]] = {}
    for name, run in runs.items():
        rows[name] = experiment.run(run, announce=lambda text: console.print(text, highlight=False, soft_wrap=True))
    table = readings(config.title, rows, read_published(HERE / "published"))
    write_whole(output / "table.md", markdown(table))
    show(table, console)


if __name__ == "__main__":
    app.run(__file__, main, HERE.parent / "configs")
