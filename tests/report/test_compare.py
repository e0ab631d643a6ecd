"""A reviewer's rows beside the committed ones."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers.scripts import ROOT, run
from timing_tasks.errors import ResultsError
from timing_tasks.report.compare import DIFFERENT, LAST_DIGITS, MISSING, NEW, SAME, compare
from timing_tasks.results.row import read_rows, rows_text

COMMITTED = ROOT / "results"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    shutil.copytree(COMMITTED / "table3", tmp_path / "mine")
    return tmp_path / "mine"


def test_the_committed_rows_are_the_same_as_themselves(mine: Path):
    found = compare(mine, COMMITTED)
    assert len(found) == 28
    assert all(one.counts == {SAME: 10} and not one.differs for one in found)


def test_each_kind_of_difference_is_told(mine: Path):
    rows = read_rows(mine / "runs.csv")
    first = next(row for row in rows if row.is_solved)
    some = [row for row in rows if row.condition == first.condition]
    others = [
        replace(some[0], engine="torch", commit="x"),
        replace(some[1], weights=(some[1].weights[0] * (1 + 1e-12), *some[1].weights[1:])),
        replace(some[2], training_streams=some[2].training_streams + 1),
        replace(some[3], weights=(some[3].weights[0] + 1, *some[3].weights[1:])),
        replace(some[4], replica=777),
    ]
    (mine / "runs.csv").write_text(rows_text(others, header=True))
    [one] = compare(mine, COMMITTED)
    assert one.counts == {SAME: 1, LAST_DIGITS: 1, DIFFERENT: 2, NEW: 1, MISSING: 6}
    assert one.differs
    assert set(one.columns) == {"weights", "training_streams"}


def test_another_budget_is_another_condition(mine: Path):
    text = (mine / "run.json").read_text()
    (mine / "run.json").write_text(text.replace('"training_streams": 10000000', '"training_streams": 10000001'))
    assert all(one.counts == {NEW: 10} for one in compare(mine, COMMITTED))


def test_a_folder_without_rows_is_refused(tmp_path: Path):
    for folder, said in ((tmp_path, "no rows"), (tmp_path / "none", "a folder is needed")):
        with pytest.raises(ResultsError, match=said):
            compare(folder, COMMITTED)


def test_the_script_ends_with_the_status_of_what_it_found(mine: Path, tmp_path: Path):
    script = str(ROOT / "reproduce" / "compare.py")
    assert run(script, "mine", cwd=tmp_path).returncode == 0
    rows = read_rows(mine / "runs.csv")
    (mine / "runs.csv").write_text(rows_text([replace(rows[0], net_steps=1), *rows[1:]], header=True))
    done = run(script, "mine", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert "279 nets are the same, 1 differ" in done.stdout
    assert run(script, cwd=tmp_path).returncode == 2
    assert run(script, "nowhere", cwd=tmp_path).stderr.count("\n") == 1
