"""What the pages show works as it stands there: commands compose, Python runs, links lead somewhere."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from timing_tasks.cli.compose import Call, jobs
from timing_tasks.cli.config import experiment
from timing_tasks.cli.help import meanings_of
from timing_tasks.cli.schema import (
    GROUPS,
    AllKeys,
    CheckKeys,
    ExperimentKeys,
    ReadingsKeys,
    ReliabilityKeys,
    VerdictKeys,
)
from timing_tasks.cli.scripts.everything import with_tables
from timing_tasks.results.row import COLUMNS

ROOT = Path(__file__).parents[2]
FOLDERS = ("configs", "reproduce", "results", "tests", "timing_tasks")
READMES = [ROOT / "README.md", *(ROOT / folder / "README.md" for folder in FOLDERS)]
PAGES = [*READMES, ROOT / "CHANGELOG.md", ROOT / "timing_tasks" / "PAPER.md", *sorted((ROOT / "results").rglob("*.md"))]
TWICE_EIGHT = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "16", "LOCAL_WORLD_SIZE": "8", "RANK": "0"}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


def commands(text: str) -> list[list[str]]:
    """Scripts and their overrides, split as a shell does."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line.partition(" # ")[0])
        scripts = [place for place, word in enumerate(words) if re.fullmatch(r"reproduce/\w+\.py", word)]
        found += [[Path(words[place]).stem, *words[place + 1 :]] for place in scripts]
    return found


PYTHON = [(path, code) for path in READMES for code in blocks(path, "python")]
COMMANDS = [command for path in READMES for block in blocks(path, "bash") for command in commands(block)]


def test_the_readme_is_short():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) <= 1000
    assert len(text.splitlines()) <= 130
    assert len((ROOT / "results" / "README.md").read_text(encoding="utf-8").splitlines()) <= 250


@pytest.mark.parametrize(("path", "code"), PYTHON, ids=[f"{name_of(p)}-{n}" for n, (p, _) in enumerate(PYTHON)])
def test_python_runs(path: Path, code: str, tmp_path: Path):
    if "pandas" in code:
        pytest.importorskip("pandas")
    for folder in ("results", "configs"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr
    if "trainer.test" in code:
        assert re.search(r"test/solved\s*│\s*1\.0 ", done.stdout)


def test_commands_compose(monkeypatch: pytest.MonkeyPatch):
    assert len(COMMANDS) > 10
    for script, *overrides in COMMANDS:
        overrides = [override for override in overrides if override != "-m" and not override.startswith("hydra/")]
        for job in jobs(overrides):
            for name, value in TWICE_EIGHT.items():  # what torchrun sets in the example for two machines
                if "trainer.num_nodes=2" in job:
                    monkeypatch.setenv(name, value)
                else:
                    monkeypatch.delenv(name, raising=False)
            config = Call(script, ROOT, tuple(job)).config()
            is_experiment = issubclass(OmegaConf.get_type(config), ExperimentKeys)
            if is_experiment and ("trainer=gpus" not in job or torch.cuda.is_available()):
                experiment(config)


def test_commands_of_the_results_compose():
    rows = re.findall(r"\| `python (reproduce/.*?)` \|$", (ROOT / "results" / "README.md").read_text(), re.MULTILINE)
    assert len(rows) > 10
    for row in rows:
        ((script, *overrides),) = commands(row.replace("\\|", "|"))
        Call(script, ROOT, tuple(overrides)).config()


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_lead_somewhere(path: Path):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        assert "://" in target or (path.parent / target).exists(), target


def test_the_page_on_the_initial_state_has_the_tables_as_they_are(tmp_path: Path):
    template = (ROOT / "reproduce" / "report" / "initial_state_page.md").read_text(encoding="utf-8")
    page = (ROOT / "results" / "initial_state" / "README.md").read_text(encoding="utf-8")
    assert with_tables(template, ROOT / "results") == page
    table = (ROOT / "results" / "delays" / "table.md").read_text(encoding="utf-8")
    assert table.partition("\n")[2].partition("\n## ")[0] in page
    assert with_tables("a\n{missing}\nb\n", tmp_path) == "a\nb\n"


def test_every_script_column_and_key_is_on_its_page():
    scripts = (ROOT / "reproduce" / "README.md").read_text(encoding="utf-8")
    for script in (ROOT / "reproduce").glob("*.py"):
        assert script.name in scripts
    assert ", ".join(COLUMNS) in scripts
    configs = (ROOT / "configs" / "README.md").read_text(encoding="utf-8")
    kinds = (*GROUPS.values(), ReadingsKeys, AllKeys, CheckKeys, VerdictKeys, ReliabilityKeys)
    for key, meaning in (pair for kind in kinds for pair in meanings_of(kind).items()):
        assert f"`{key}`" in configs or f"## {key}\n" in configs, key
        assert meaning.replace("|", "\\|").lower() in configs.lower(), key


def test_files_and_folders_that_the_pages_name_exist():
    for page in (ROOT / "timing_tasks" / "README.md", ROOT / "tests" / "README.md"):
        for name in re.findall(r"`([\w/]+/[\w]*(?:\.(?:py|hpp|cpp|yaml|md))?)`", page.read_text(encoding="utf-8")):
            assert (page.parent / name).exists() or (ROOT / name).exists() or name.startswith("runs"), name
