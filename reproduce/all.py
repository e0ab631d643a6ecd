"""Everything: every table and figure, run where rows are missing, and one report of it all. `python reproduce/all.py`."""

import shlex
from pathlib import Path

from omegaconf import DictConfig

from timing_tasks import app, report
from timing_tasks.errors import ConfigurationError
from timing_tasks.results import write_whole

HERE = Path(__file__).resolve().parent


def main(config: DictConfig) -> None:
    """Run what is missing, the cheapest part first, then write the report in the order of the parts."""
    if not isinstance(config.output, str) or not config.output:
        raise ConfigurationError("output", config.output, "a folder")
    output = Path(config.output)
    sections = {}
    for place, part in sorted(enumerate(config.parts), key=lambda numbered: numbered[1].minutes):
        own = list(part.get("overrides", []))
        fixed = {override.partition("=")[0] for override in (*own, "output=")}
        passed_on = [override for override in app.overrides() if override.partition("=")[0] not in fixed]
        folder = part.get("folder") or app.compose(part.script, []).name
        if part.get("only_if_begun", False) and not (output / folder).exists():
            continue
        content = report.produce(app.compose(part.script, [*passed_on, *own, f"output={output / folder}"]), HERE / "published")
        command = shlex.join(["python", f"reproduce/{part.script}.py", *passed_on, *own, f"output=runs/again/{folder}"])
        sections[place] = f"{content}\nAgain, in about {part.minutes} minutes on two cores:\n\n```bash\n{command}\n```\n"
    before, after = ((HERE / "report" / name).read_text(encoding="utf-8") for name in ("introduction.md", "deviations.md"))
    write_whole(output / "README.md", "\n".join([before, *(sections[place] for place in sorted(sections)), after]))
    print(f"report: {output / 'README.md'}")


if __name__ == "__main__":
    app.run(__file__, main, HERE.parent / "configs")
