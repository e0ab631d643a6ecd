"""Ctrl-C while a script is still being imported."""

import signal
import subprocess
from pathlib import Path

import pytest

from tests.helpers.scripts import ROOT, command, run

WHILE_TORCH_IS_IMPORTED = """
import runpy, sys
class Finder:
    def find_spec(self, name, *_):
        if name == "torch":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Finder())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_ctrl_c_while_the_script_is_still_being_imported_is_no_traceback(tmp_path: Path):
    done = run("-c", WHILE_TORCH_IS_IMPORTED, str(ROOT / "reproduce" / "condition.py"), cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (
        -signal.SIGINT,
        "stopped; the same command goes on from here\n",
        "",
    )


SPAWNING = """
import multiprocessing, signal, sys
from timing_tasks.cli import interrupted
def is_ignored():
    sys.exit(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)
if __name__ == "__main__":
    child = multiprocessing.get_context("spawn").Process(target=is_ignored)
    child.start()
    child.join()
    print(child.exitcode, signal.getsignal(signal.SIGINT) == signal.SIG_IGN, sys.excepthook is sys.__excepthook__)
"""


@pytest.mark.parametrize(("folder", "told"), [("reproduce", "1 False False"), ("elsewhere", "0 False True")])
def test_a_script_and_not_its_processes_answers_ctrl_c_and_other_programs_are_left_alone(
    folder: str, told: str, tmp_path: Path
):
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "script.py").write_text(SPAWNING)
    done = subprocess.run(command(f"{folder}/script.py"), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == (told, "")
