"""Ctrl-C while a script is still being imported, and again while it ends."""

import signal
import subprocess
from pathlib import Path

import pytest

from tests.helpers.scripts import QUICK, ROOT, command, run

SCRIPT = ROOT / "reproduce" / "condition.py"

WHILE_TORCH_IS_IMPORTED = """
import runpy, sys
class Finder:
    def find_spec(self, name, *_):
        if name == "MODULE":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Finder())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize("module", ["hydra", "torch"])
def test_ctrl_c_while_the_script_is_still_being_imported_is_no_traceback(module: str, tmp_path: Path):
    code = WHILE_TORCH_IS_IMPORTED.replace("MODULE", module)
    done = run("-c", code, str(SCRIPT), *QUICK, "output=o", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (128 + signal.SIGINT, "")
    assert done.stdout.endswith("stopped; the same command goes on from here\n")
    assert done.stdout.startswith("rows, checkpoints") == (module == "torch")  # the first line comes before


SPAWNING = """
import multiprocessing, signal, sys
from timing_tasks.cli.start import script
def is_ignored():
    sys.exit(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may have it ignored
    child = multiprocessing.get_context("spawn").Process(target=is_ignored)
    child.start()
    child.join()
    print(child.exitcode, signal.getsignal(signal.SIGINT) == signal.SIG_IGN)
else:
    CALLED
"""


@pytest.mark.parametrize(("called", "told"), [("script(__name__, __file__)", "1 False"), ("pass", "0 False")])
def test_a_script_and_not_its_processes_answers_ctrl_c_and_other_programs_are_left_alone(
    called: str, told: str, tmp_path: Path
):
    (tmp_path / "program.py").write_text(SPAWNING.replace("CALLED", called))
    done = subprocess.run(command("program.py"), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == (told, "")


TWICE = """
import atexit, os, signal
from timing_tasks.cli.start import told
signal.signal(signal.SIGINT, signal.default_int_handler)
atexit.register(lambda: (os.kill(os.getpid(), signal.SIGINT), print("the end")))
with told():
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()
"""


def test_a_second_ctrl_c_while_the_program_ends_changes_nothing(tmp_path: Path):
    done = run("-c", TWICE, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (128 + signal.SIGINT, "")
    assert done.stdout == "stopped; the same command goes on from here\nthe end\n"
