"""The check of committed rows: it passes on what a run gives, and fails on anything else."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers.engines import needs_native
from tests.helpers.scripts import ROOT, run
from timing_tasks.errors import ResultsError
from timing_tasks.report.check import differing, sample
from timing_tasks.results.description import condition_of
from timing_tasks.results.row import COLUMNS, read_rows, rows_text


def check(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return run(str(ROOT / "reproduce" / "check.py"), *arguments, cwd=cwd)


@needs_native
def test_a_sample_of_the_committed_rows_comes_out_the_same(tmp_path: Path):
    done = check("rows=12", "most_net_steps=3000000", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "12 of 12 rows came out the same" in done.stdout


@needs_native
def test_a_row_that_was_written_by_hand_is_found(tmp_path: Path):
    shutil.copytree(ROOT / "results" / "stuck", tmp_path / "r" / "stuck")
    path = tmp_path / "r" / "stuck" / "runs.csv"
    row = min(read_rows(path), key=lambda row: row.net_steps)
    path.write_text(rows_text([replace(row, training_streams=row.training_streams - 1000)], header=True))
    done = check("results=r", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "0 of 1 rows came out the same" in done.stdout
    assert "differs: training_streams" in " ".join(done.stdout.split())


def test_the_commit_may_differ_and_nothing_else():
    row = next(row for row in read_rows(ROOT / "results" / "stuck" / "runs.csv") if row.is_solved)
    other: dict[type, object] = {str: "?", int: -1, float: 0.123, bool: None, tuple: (9,)}
    for name in set(COLUMNS) - {"status"}:  # a solved net alone has an error
        changed = replace(row, **{name: other[type(getattr(row, name))]})
        assert differing(row, changed) == ([] if name == "commit" else [name])


def test_a_condition_comes_back_from_its_description():
    sampled = sample(ROOT / "results", 300, 10**15, seed=3)
    assert len({one.folder for one in sampled}) > 2
    assert all(tuple(one.condition.columns.values()) == one.row.condition for one in sampled)
    with pytest.raises(TypeError):
        condition_of({"task": {"name": "nmsd", "min_interval": 3, "offsets": [0, 1]}, "protocol": {}, "budget": {}})


def test_a_folder_of_another_version_or_without_rows_is_refused(tmp_path: Path):
    shutil.copytree(ROOT / "results" / "stuck", tmp_path / "stuck")
    with pytest.raises(ResultsError, match="no row"):
        sample(tmp_path, 1, 10, seed=1)
    text = (tmp_path / "stuck" / "run.json").read_text()
    (tmp_path / "stuck" / "run.json").write_text(text.replace('"version": "', '"version": "0'))
    with pytest.raises(ResultsError, match="rows of version 0"):
        sample(tmp_path, 1, 10**15, seed=1)
    for override, key in (("rows=0", "rows"), ("results=nowhere", "results"), ("engine=cuda", "engine")):
        done = check(override, cwd=tmp_path)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert key in done.stderr
