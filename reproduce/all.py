"""Everything: every table and figure, run where rows are missing, and one report of it all. `python reproduce/all.py`."""

import shlex
from pathlib import Path

from omegaconf import DictConfig

from timing_tasks.cli import app, report
from timing_tasks.errors import ConfigurationError, NothingToDrawError
from timing_tasks.report.tables import markdown
from timing_tasks.results.folder import write_whole

HERE = Path(__file__).resolve().parent


def main(config: DictConfig) -> None:
    """Run what is missing, the cheapest part first, then write the report in the order of the parts."""
    if any(override.startswith("parts") for override in app.overrides()):
        raise ConfigurationError("parts", "...", "cannot be changed; each part has a script of its own")
    output = app.folder(config)
    sections = {}
    for place, part in sorted(enumerate(config.parts), key=lambda numbered: numbered[1].minutes):
        own = list(part.get("overrides", []))
        if "budget" in part and not any(override.startswith("budget") for override in app.overrides()):
            own.append(f"budget={part.budget}")
        # What a part sets itself is not for the command line to change, nor is anything else of the same group.
        groups = {override.partition("=")[0].partition(".")[0] for override in (*own, "output")}
        passed_on = [
            override for override in app.overrides() if override.partition("=")[0].partition(".")[0] not in groups
        ]
        composed = app.compose(part.script, [*passed_on, *own])
        composed.output = str(output / part.get("folder", composed.name))
        command = ["python", f"reproduce/{part.script}.py", *passed_on, *own]
        if part.get("only_if_complete", False) and not report.is_complete(composed):
            print(f"left out: {composed.title} ({shlex.join([*command, f'output={composed.output}'])} runs it)")
            continue
        try:
            content = report.produce(composed, HERE / "published")
        except NothingToDrawError as error:
            print(error)
            content = f"## {composed.title}\n\nNo figure: {error}.\n"
        command.append(f"output=runs/again/{part.get('folder', composed.name)}")
        again = f"Again, in about {part.minutes} minutes on two cores:\n\n```bash\n{shlex.join(command)}\n```\n"
        sections[place] = content and f"{content}\n{again}"
    if not any(sections.values()):
        return
    before, after = (
        (HERE / "report" / name).read_text(encoding="utf-8") for name in ("introduction.md", "deviations.md")
    )
    verdict = [markdown(table) for table in report.verdicts(output, HERE / "published")]
    write_whole(
        output / "README.md", "\n".join([before, *verdict, *(sections[place] for place in sorted(sections)), after])
    )
    print(f"report: {output / 'README.md'}")


if __name__ == "__main__":
    app.run(__file__, main, HERE.parent / "configs")
