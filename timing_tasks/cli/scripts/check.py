"""A random sample of the committed rows, run again and compared digit for digit."""

from __future__ import annotations

import sys

from omegaconf import DictConfig
from rich.console import Console
from rich.progress import Progress

from timing_tasks.cli.compose import Call
from timing_tasks.cli.config import whole
from timing_tasks.cli.scripts.verdict import results_of
from timing_tasks.learning.online.engine import create
from timing_tasks.report.check import again, differing, reliability_again, sample
from timing_tasks.report.tables import Table, show


def main(config: DictConfig, call: Call) -> None:
    """Draw rows, train their nets again, say which came out the same; exit status 1 if one did not."""
    count, most_net_steps = (
        whole("rows", config.rows, 1, 10**6),
        whole("most_net_steps", config.most_net_steps, 1, 2**62),
    )
    seed = whole("seed", config.seed, 0, 2**32 - 1)
    results = results_of(config, call)
    engine = create(config.engine.name, config.engine.threads)
    sampled = sample(results, count, most_net_steps, seed)
    console = Console()
    with Progress(console=console) as bar:
        task = bar.add_task(f"{len(sampled)} nets", total=1.0)
        rows = again(sampled, engine, lambda part: bar.update(task, completed=part))
    lines, failed = [], 0
    for one, row, other in zip(sampled, rows, reliability_again(sampled, engine), strict=True):
        differences = differing(one.row, row) + ["reliability"] * other
        failed += bool(differences)
        verdict = f"differs: {', '.join(differences)}" if differences else "the same"
        lines.append(
            (one.folder, str(one.condition), str(one.row.replica), one.row.status, str(one.row.net_steps), verdict)
        )
    title = f"{len(rows) - failed} of {len(rows)} rows came out the same, digit for digit"
    header = ("folder", "condition", "replica", "status", "net-steps", "again")
    show(Table(title, header, tuple(lines), (), ("net-steps", "status", "folder")), console)
    if failed:
        sys.exit(1)
