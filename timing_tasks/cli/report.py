"""From a config to what a script of `reproduce/` prints and writes: tables and figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig, ListConfig, OmegaConf
from rich.console import Console

from timing_tasks.cli import app
from timing_tasks.cli.config import conditions
from timing_tasks.cli.config import experiment as checked
from timing_tasks.conditions.condition import Condition
from timing_tasks.errors import ConfigurationError, ResultsError
from timing_tasks.experiment import run as experiment
from timing_tasks.report.tables import Table, markdown, show
from timing_tasks.report.tables.cells import TASK_COLUMNS, title_of
from timing_tasks.report.tables.comparison import comparison
from timing_tasks.report.tables.horizon import horizon
from timing_tasks.report.tables.pairs import initial_states, test_time, variants
from timing_tasks.report.tables.recipes import recipes, summary
from timing_tasks.report.tables.verdict import peepholes, verdict
from timing_tasks.results.folder import write_whole
from timing_tasks.results.published import Published, read_published
from timing_tasks.results.reliability import Reliability, read_reliability
from timing_tasks.results.row import Key, Row, read_rows
from timing_tasks.results.seconds import read_seconds

# Those of the paper of which it reports numbers that are known; and more nets of the same conditions, with the same
# first ones.
PAPERS_TABLES = ("table1", "table3", "table4", "hundred")
SEARCHES = ("protocols", "rates")  # for the protocol with which the paper's numbers come out


@dataclass(frozen=True)
class Sources:
    """What tables are made of.

    Attributes:
        rows: of the experiment.
        published: the paper's values.
        seconds: that nets have cost, by `Row.replica_key`.
        reliability: of solved nets, likewise.
        conditions: of the experiment.
    """

    rows: Sequence[Row]
    published: Sequence[Published]
    seconds: Mapping[Key, float]
    reliability: Mapping[Key, Reliability]
    conditions: Sequence[Condition]


TABLES: dict[str, Callable[[str, Sources], Table | None]] = {
    "comparison": lambda title, of: comparison(title, of.rows, of.published, of.reliability),
    "variants": lambda title, of: variants(f"{title}: net against net", of.rows),
    "initial_states": lambda title, of: initial_states(title, of.rows, of.reliability),
    "test_time": lambda title, of: test_time(f"{title} at test time", of.rows),
    "recipes_summary": lambda title, of: summary(title, of.rows, of.seconds),
    "recipes": lambda title, of: recipes(f"{title}, condition by condition", of.rows, of.seconds),
    "horizon": lambda title, of: horizon(title, of.rows, of.conditions[0].protocol.forget_gate_bias),
}

# Those of timing_tasks.report.figures.DRAWINGS, by name: matplotlib is imported only where something is drawn.
FIGURES = (
    *("streams_against_interval", "delays", "spikes", "functions", "start"),
    *("ratios", "learned_states", "stuck", "test_time", "horizon"),
)


def produce(config: DictConfig, published: Path) -> str:
    """Run the experiment of a config, or what is missing of it, and show its tables and draw its figures.

    The tables are also written to `table.md` beside the rows, each figure to a PNG file.

    Args:
        config: the composed config; `tables` and `figures` name what is made of the rows.
        published: the folder with the paper's values.

    Returns:
        Tables and figures as Markdown, for a report in the folder above that of the rows; nothing in the processes of a
        run that only train.

    Raises:
        UserError: a value or a folder that cannot be used, or no net that could be drawn.
    """
    described = checked(config)
    check_names(config)
    values = read_published(published)
    console = Console()

    def announce(text: str) -> None:
        console.print(text, highlight=False, soft_wrap=True)

    rows = experiment.run(described, announce)
    if not rows:  # this process has only helped another
        return ""
    of = Sources(rows, values, read_seconds(described.output), read_reliability(described.output), described.conditions)
    made = (TABLES[name](title_of(described.title, rows), of) for name in config.tables)
    tables = [table for table in made if table is not None]
    parts = ["\n".join(map(markdown, tables))] if tables else []
    if tables:
        write_whole(described.output / "table.md", parts[0])
    for table in tables:
        show(table, console)
    for name in config.figures:
        from timing_tasks.report.figures import DRAWINGS, png

        drawing = DRAWINGS[name]
        path = described.output / f"{name}.png"
        write_whole(path, png(drawing.draw(rows, values)))
        announce(f"figure: {path}")
        parts.append(f"## {drawing.title}\n\n![{drawing.title}]({path.parent.name}/{path.name})\n\n{drawing.caption}\n")
    return "\n".join(parts)


def verdicts(results: Path, published: Path) -> list[Table]:
    """The verdict on the paper, from the rows of its tables.

    Args:
        results: the folder of their folders.
        published: the folder with the paper's values.

    Raises:
        ResultsError: there is no row, or a file that cannot be read.
    """
    files = [path for name in PAPERS_TABLES if (path := results / name / "runs.csv").exists()]
    rows = list({row.replica_key: row for path in files for row in read_rows(path)}.values())
    if not rows:
        raise ResultsError(f"{results}: no rows of {', '.join(PAPERS_TABLES)}")
    reliability = {key: one for path in files for key, one in read_reliability(path.parent).items()}
    values = read_published(published)
    rows.sort(key=lambda row: next((place for place, value in enumerate(values) if value.is_of(row)), len(values)))
    tried = [condition for name in SEARCHES for condition in conditions(app.compose(name, []))]
    searched = {tuple(condition.columns[name] for name in TASK_COLUMNS) for condition in tried}
    return [
        verdict("The verdict", rows, values, searched, reliability),
        peepholes("Are peepholes better?", rows, values),
    ]


def is_complete(config: DictConfig) -> bool:
    """Whether all rows of a config's experiment are in its folder."""
    return experiment.is_complete(checked(config))


def check_names(config: DictConfig) -> None:
    """Raise ConfigurationError for a table or figure that there is not, before anything is run."""
    for key, known in (("tables", tuple(TABLES)), ("figures", FIGURES)):
        names = config[key]
        if not isinstance(names, ListConfig) or any(name not in known for name in names):
            shown = OmegaConf.to_object(names) if isinstance(names, ListConfig) else names
            raise ConfigurationError(key, shown, f"a list of {', '.join(known)}")
    if not isinstance(config.title, str):
        raise ConfigurationError("title", config.title, "a text")
