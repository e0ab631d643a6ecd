"""Do the committed rows come out again? A random sample of them, digit for digit. `python reproduce/check.py`."""

import sys
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console
from rich.progress import Progress

from timing_tasks.cli import app
from timing_tasks.errors import ConfigurationError, check_whole
from timing_tasks.learning.online.engine import create
from timing_tasks.report.check import again, differing, sample
from timing_tasks.report.tables import Table, show

HERE = Path(__file__).resolve().parent


def main(config: DictConfig) -> None:
    """Draw rows, train their nets again, say which came out the same; exit status 1 if one did not."""
    for key, most in (("rows", 10**6), ("most_net_steps", 2**62), ("seed", 2**32 - 1)):
        check_whole(key, config[key], 0 if key == "seed" else 1, most)
    results = HERE.parent / "results" if config.results is None else Path(str(config.results))
    if not results.is_dir():
        raise ConfigurationError("results", config.results, "a folder of results folders")
    engine = create(config.engine.name, config.engine.threads)
    sampled = sample(results, config.rows, config.most_net_steps, config.seed)
    console = Console()
    with Progress(console=console) as bar:
        task = bar.add_task(f"{len(sampled)} nets", total=1.0)
        rows = again(sampled, engine, lambda part: bar.update(task, completed=part))
    lines, failed = [], 0
    for one, row in zip(sampled, rows, strict=True):
        differences = differing(one.row, row)
        failed += bool(differences)
        verdict = f"differs: {', '.join(differences)}" if differences else "the same"
        lines.append(
            (one.folder, str(one.condition), str(one.row.replica), one.row.status, str(one.row.net_steps), verdict)
        )
    title = f"{len(rows) - failed} of {len(rows)} rows came out the same, digit for digit"
    show(
        Table(
            title,
            ("folder", "condition", "replica", "status", "net-steps", "again"),
            tuple(lines),
            (),
            ("net-steps", "status", "folder"),
        ),
        console,
    )
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    app.run(__file__, main, HERE.parent / "configs")
