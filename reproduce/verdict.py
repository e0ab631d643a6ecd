"""The verdict on the paper, from the rows of its tables; nothing is trained. `python reproduce/verdict.py`."""

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from timing_tasks.cli import app, report
from timing_tasks.errors import ConfigurationError
from timing_tasks.report.tables import show

HERE = Path(__file__).resolve().parent


def main(config: DictConfig) -> None:
    """Print the tables."""
    results = HERE.parent / "results" if config.results is None else Path(str(config.results))
    if not results.is_dir():
        raise ConfigurationError("results", config.results, "a folder of results folders")
    console = Console()
    for table in report.verdicts(results, HERE / "published"):
        show(table, console)


if __name__ == "__main__":
    app.run(__file__, main, HERE.parent / "configs")
