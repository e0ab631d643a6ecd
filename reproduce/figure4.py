"""Figure 4: training streams of NMSD against F, beside the paper's. `python reproduce/figure4.py`."""

from pathlib import Path

from omegaconf import DictConfig

from timing_tasks.cli import app, report

HERE = Path(__file__).resolve().parent


def main(config: DictConfig) -> None:
    """Run what is missing, then write the figure."""
    report.produce(config, HERE / "published")


if __name__ == "__main__":
    app.run(__file__, main, HERE.parent / "configs")
