"""How a command begins and ends: the console command, closed pipes, a first look, systems that are not POSIX."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import timing_tasks
from tests.helpers.scripts import QUICK, ROOT, command, rows, run
from timing_tasks.cli.start import share

CONDITION = str(ROOT / "reproduce" / "condition.py")
CONSOLE = "import sys; from timing_tasks.cli.console import command; sys.argv[0] = 'timing-tasks'; command()"


def test_the_console_command_does_what_the_script_does(tmp_path: Path):
    of_script = run(CONDITION, *QUICK, cwd=tmp_path)
    [by_script] = tmp_path.glob("runs/condition/*/runs.csv")
    kept = rows(by_script.parent)
    shutil.rmtree(by_script.parent)
    done = run("-c", CONSOLE, "condition", *QUICK, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    made = rows(by_script.parent)
    for row in (*kept, *made):
        row.pop("commit")  # an installed package knows of no checkout
    assert made == kept
    assert done.stdout.partition("One condition")[2] == of_script.stdout.partition("One condition")[2]


def test_the_console_command_tells_its_scripts(tmp_path: Path):
    assert "figure_start, hundred" not in run("-c", CONSOLE, cwd=tmp_path).stderr
    assert "table1, table2, table3, table4, verdict" in run("-c", CONSOLE, cwd=tmp_path).stdout
    done = run("-c", CONSOLE, "tabel1", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("timing-tasks: script='tabel1': one of all, cells, check, ")
    done = run("-c", CONSOLE, "table1", "replcas=3", cwd=tmp_path)
    assert done.stderr == "timing-tasks table1: replcas='3': no such key; did you mean replicas?\n"


def test_an_installed_package_has_configs_and_scripts_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert share() == ROOT
    package = tmp_path / "site-packages" / "timing_tasks"
    monkeypatch.setattr(timing_tasks, "__file__", str(package / "__init__.py"))
    assert share() == package / "_share"
    text = (ROOT / "pyproject.toml").read_text()
    assert all(f'"timing_tasks/_share/{name}" = "{name}"' in text for name in ("configs", "reproduce"))


@pytest.mark.parametrize(
    ("asked", "lines"), [(f"{CONDITION} {' '.join(QUICK)} output=o", 1), (f"{CONDITION} --hydra-help", 2)]
)
def test_a_closed_pipe_ends_nothing(asked: str, lines: int, tmp_path: Path):
    piped = f"set -o pipefail; {sys.executable} {asked} | head -{lines}"
    done = subprocess.run(["bash", "-c", piped], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", lines)
    if "output=o" in asked:
        assert len(rows(tmp_path / "o")) == 2
        assert (tmp_path / "o" / "table.md").exists()


@pytest.mark.parametrize(("name", "lines"), [("table1", 6), ("figure4", 10)])
def test_a_first_look_trains_something_of_everything_and_keeps_nothing(
    name: str, lines: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    (tmp_path / "here").mkdir()
    asked = command(str(ROOT / "reproduce" / f"{name}.py"), "fast_dev_run=true", "engine.threads=1")
    done = subprocess.run(asked, cwd=tmp_path / "here", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"rows, checkpoints and TensorBoard: {tmp_path / 'temporary'}")
    assert done.stdout.count("  solved 0/1") == lines  # one for each condition
    assert list((tmp_path / "here").iterdir()) == []
    assert list((tmp_path / "temporary").iterdir()) == []


NOT_POSIX = """
import builtins, runpy, sys
real = builtins.__import__
def guarded(name, names=None, *rest):
    importer = (names or {}).get("__name__", "")
    if name in ("fcntl", "resource", "pwd", "grp", "termios") and importer.startswith("timing"):
        raise ImportError(name)
    return real(name, names, *rest)
builtins.__import__ = guarded
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_one_process_runs_where_there_are_no_modules_of_posix(tmp_path: Path):
    done = run("-c", NOT_POSIX, CONDITION, *QUICK, "output=o", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(rows(tmp_path / "o")) == 2


def test_nothing_of_posix_alone_is_imported():
    for path in (ROOT / "timing_tasks").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [getattr(node, "module", "")]
            assert not {"fcntl", "resource", "pwd", "grp", "termios"} & set(names), path
