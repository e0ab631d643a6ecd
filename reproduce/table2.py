"""Table 2: NMSD with wider and with more intervals, F = 10, identity output. `python reproduce/table2.py`."""

from pathlib import Path

from omegaconf import DictConfig

from timing_tasks.cli import app, report

HERE = Path(__file__).resolve().parent


def main(config: DictConfig) -> None:
    """Run what is missing, then print and write the table."""
    report.produce(config, HERE / "published")


if __name__ == "__main__":
    app.run(__file__, main, HERE.parent / "configs")
