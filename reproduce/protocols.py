"""Under which reading of the paper do its numbers come out? A screen of many. `python reproduce/protocols.py`."""

from pathlib import Path

from omegaconf import DictConfig

from timing_tasks.cli import app
from timing_tasks.cli.study import study

HERE = Path(__file__).resolve().parent


def main(config: DictConfig) -> None:
    """Run what is missing of every reading, then print and write the table."""
    study(config, HERE / "published")


if __name__ == "__main__":
    app.run(__file__, main, HERE.parent / "configs")
