"""Everything: every table and figure, run where rows are missing, and one report of it all."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from omegaconf import DictConfig

from timing_tasks.cli.compose import Call
from timing_tasks.cli.scripts import experiment
from timing_tasks.cli.scripts.readings import folder_of
from timing_tasks.cli.scripts.verdict import verdicts
from timing_tasks.errors import ConfigurationError, NothingToDrawError
from timing_tasks.report.tables import markdown
from timing_tasks.results.folder import write_whole

PAGES = ("introduction", "initial_state", "departures")  # in `reproduce/report`, as they are
_INDEX = "| run | table | minutes on two cores | again |\n|---|---|---:|---|"


def main(config: DictConfig, call: Call) -> None:
    """Run what is missing, the cheapest part first, then write the report in the order of the parts.

    Raises:
        UserError: a value or a folder that cannot be used.
    """
    if any(override.startswith("parts") for override in call.overrides):
        raise ConfigurationError("parts", "...", "cannot be changed; each part has a script of its own")
    output = folder_of(config)
    index, figures = {}, {}
    for place, part in sorted(enumerate(config.parts), key=lambda numbered: numbered[1].minutes):
        own = list(part.get("overrides", []))
        if "budget" in part and not any(override.startswith("budget") for override in call.overrides):
            own.append(f"budget={part.budget}")
        # What a part sets itself is not for the command line to change, nor is anything else of the same group.
        groups = {_group(override) for override in (*own, "output")}
        overrides = [*(override for override in call.overrides if _group(override) not in groups), *own]
        one = call.other(part.script, overrides, str(output))
        composed = one.config()
        folder = part.get("folder", composed.name)
        composed.output = str(output / folder)
        command = ["python", f"reproduce/{part.script}.py", *overrides]
        if part.get("only_if_complete", False) and not experiment.is_complete(composed):
            print(f"left out: {composed.title} ({shlex.join([*command, f'output={composed.output}'])} runs it)")
            continue
        try:
            made = experiment.produce(composed, one)
        except NothingToDrawError as error:
            print(error)
            made = experiment.Produced(composed.title, (), f"No figure of {composed.title}: {error}.\n")
        if made is None:  # this process has only helped another
            continue
        link = f"[table]({folder}/table.md)" if made.tables else ""
        command.append(f"output=runs/again/{folder}")
        index[place] = (
            f"| {made.title} | {link} | {part.minutes} | `{shlex.join(command).replace('|', chr(92) + '|')}` |"
        )
        figures[place] = made.figures
    if not index:
        return
    pages = call.home / "reproduce" / "report"
    pages_of = {name: (pages / f"{name}.md").read_text(encoding="utf-8") for name in PAGES}
    drawn = [figures[place] for place in sorted(figures) if figures[place]]
    lines = [_INDEX, *(index[place] for place in sorted(index))]
    report = [
        pages_of["introduction"],
        *(markdown(table) for table in verdicts(output, call)),
        pages_of["initial_state"],
        "## Figures\n",
        *drawn,
        "## Every table\n",
        "\n".join(lines) + "\n",
    ]
    write_whole(output / "README.md", "\n".join(report))
    write_whole(output / "departures.md", pages_of["departures"])
    if (output / "initial_state").is_dir():
        template = (pages / "initial_state_page.md").read_text(encoding="utf-8")
        write_whole(output / "initial_state" / "README.md", with_tables(template, output))
    print(f"report: {output / 'README.md'}")


def with_tables(page: str, output: Path) -> str:
    """A page in which a line `{folder}` has become the tables of that folder, or nothing where there are none.

    Args:
        page: its text.
        output: the folder of the folders.
    """

    def tables(found: re.Match[str]) -> str:
        path = output / found[1] / "table.md"
        return re.sub(r"^#", "##", path.read_text(encoding="utf-8"), flags=re.MULTILINE) if path.exists() else ""

    return re.sub(r"^\{(\w+)\}\n", tables, page, flags=re.MULTILINE)


def _group(override: str) -> str:
    return override.partition("=")[0].partition(".")[0]
