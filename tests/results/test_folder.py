import errno
import json
from pathlib import Path

import pytest

from tests.helpers.rows import row
from timing_tasks.errors import ResultsError
from timing_tasks.results import folder as results
from timing_tasks.results.folder import ResultsFolder
from timing_tasks.results.row import COLUMNS, read_rows, rows_text
from timing_tasks.results.seconds import append_seconds, read_seconds

IDENTITY = {"experiment": "test", "version": "1", "seed": 1}


CONDITION, ANOTHER = (one.condition_name for one in (row(), row(interval=11)))
CONDITIONS = {CONDITION: {"task": {"min_interval": 10}}}
TEXT = rows_text([row(0, training_streams=12345, rmse=0.125, weights=(0.25, 0.75))], header=True)


@pytest.fixture
def folder(tmp_path: Path) -> ResultsFolder:
    return ResultsFolder(tmp_path / "out", IDENTITY, CONDITIONS)


def test_the_columns_are_the_documented_ones():
    documented = """task interval offsets waveform peepholes initial_state recipe protocol replica seed status
    training_streams rmse net_steps engine version commit"""
    assert " ".join(COLUMNS[:17]) == " ".join(documented.split())


def test_rows_come_back_and_are_put_in_order(tmp_path: Path):
    rows = [row(2), row(10), row(0), row(1, interval=9), row(0, protocol="q(b=1, c=2)")]
    folder = ResultsFolder(tmp_path / "out", IDENTITY, {one.condition_name: {} for one in rows})
    with folder.opened() as there:
        assert there == []
        folder.append(rows[:1])
        folder.append(rows[1:])
        folder.append([])
        ordered = folder.finish()
        assert ordered == [rows[3], rows[2], rows[0], rows[1], rows[4]]
    with folder.opened() as there:
        assert there == ordered


def test_a_torn_last_line_is_cut_off(folder: ResultsFolder):
    with folder.opened():
        folder.append([row(0), row(1, weights=(0.5, 0.123456789))])
    content = folder.rows_path.read_bytes()
    folder.rows_path.write_bytes(content[:-7])  # what is left of it still looks like a row
    assert folder.complete([row(0).replica_key]) is None
    with folder.opened() as there:
        assert there == [row(0)]
        folder.append([row(1, weights=(0.5, 0.123456789))])
    assert folder.rows_path.read_bytes() == content


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": "2"}, "line 3 is of another run .version: 2 there, 1 here"),
        ({"seed": 3}, "line 3 is of another run .seed: 3 there, 1 here"),
        ({"interval": 11}, "line 3 is of another run .task=nmsd interval=11"),
    ],
)
def test_rows_of_another_run_in_the_file_are_refused(folder: ResultsFolder, changes: dict[str, object], message: str):
    with folder.opened():
        folder.append([row(0), row(1, **changes)])
    assert folder.complete([row(0).replica_key]) is None
    with pytest.raises(ResultsError, match=message), folder.opened():
        pass


def test_a_row_may_have_any_number_of_weights(folder: ResultsFolder):
    large = row(0, weights=(0.12345678901234567,) * 10_000)
    with folder.opened():
        folder.append([large])
        assert folder.finish() == [large]


def test_what_a_power_cut_leaves_of_the_seconds_is_passed_over(folder: ResultsFolder):
    folder.path.mkdir()
    append_seconds(folder.path, {row(0): 1.5})
    with (folder.path / "seconds.csv").open("a") as file:
        file.write("\0\0\n")
    append_seconds(folder.path, {row(1): 2.5})
    assert read_seconds(folder.path) == {row(0).replica_key: 1.5, row(1).replica_key: 2.5}


def test_a_file_that_cannot_be_read_is_level(folder: ResultsFolder):
    with folder.opened():
        folder.rows_path.mkdir()
        (folder.path / "seconds.csv").mkdir()
    with pytest.raises(ResultsError, match=r"seconds.csv: Is a directory"):
        read_seconds(folder.path)
    assert folder.complete([]) is None
    with pytest.raises(ResultsError, match=r"runs.csv: Is a directory"), folder.opened():
        pass


def test_another_run_is_refused_and_nothing_changed(folder: ResultsFolder):
    with folder.opened():
        folder.append([row(0)])
    before = {path: path.read_bytes() for path in folder.path.iterdir()}
    with (
        pytest.raises(ResultsError, match="version: 1 there, 2 here"),
        ResultsFolder(folder.path, IDENTITY | {"version": "2"}, CONDITIONS).opened(),
    ):
        pass
    with (
        pytest.raises(ResultsError, match=r"min_interval: 10 there, 11 here"),
        ResultsFolder(folder.path, IDENTITY, {CONDITION: {"task": {"min_interval": 11}}}).opened(),
    ):
        pass
    assert {path: path.read_bytes() for path in folder.path.iterdir()} == before


def test_a_folder_gains_conditions(folder: ResultsFolder):
    with folder.opened():
        folder.append([row(0)])
    with ResultsFolder(folder.path, IDENTITY, {ANOTHER: {"task": {}}}).opened() as there:
        assert there == [row(0)]
    assert json.loads(folder.identity_path.read_text())["conditions"] == CONDITIONS | {ANOTHER: {"task": {}}}


def test_rows_of_unknown_origin_are_refused(folder: ResultsFolder):
    folder.path.mkdir()
    folder.rows_path.write_text("a,b\n")
    with pytest.raises(ResultsError, match="unknown origin"), folder.opened():
        pass


def test_two_runs_at_once_are_refused(folder: ResultsFolder):
    with (
        folder.opened(),
        pytest.raises(ResultsError, match="another run"),
        ResultsFolder(folder.path, IDENTITY, CONDITIONS).opened(),
    ):
        pass


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (",".join([*COLUMNS, "colour"]) + "\n", "colour"),
        (",".join(reversed(COLUMNS)) + "\n", "their order"),
        (",".join(COLUMNS) + "\n1,2\n", "line 2"),
        (rows_text([row(0), row(0)], header=True), "line 3 repeats"),
        (TEXT.replace("solved", "fine"), "line 2"),
        (TEXT.replace(",12345,", ",many,"), "line 2"),
        (TEXT.replace(",12345,", ",-5,"), "line 2"),
        (TEXT.replace("true", "True"), "line 2"),
        (TEXT.replace(",10,", ",ten,"), "line 2"),
        (TEXT.replace("0.25 0.75", "0.25 x"), "line 2"),
        (TEXT.replace("0.125", "x"), "line 2"),
        (rows_text([row(0)], header=True) + "\0\n", "line 3"),
        ("\0" + rows_text([row(0)], header=True), "not the columns"),
        (TEXT.replace("0.125", ""), "line 2"),
        (rows_text([row(0)], header=True)[:-1], "the last line is not whole"),
    ],
)
def test_files_that_are_not_results_are_refused(tmp_path: Path, text: str, message: str):
    (tmp_path / "runs.csv").write_text(text)
    with pytest.raises(ResultsError, match=message):
        read_rows(tmp_path / "runs.csv")


def test_a_full_disk_leaves_whole_rows(folder: ResultsFolder, monkeypatch: pytest.MonkeyPatch):
    with folder.opened():
        folder.append([row(0)])
        before = folder.rows_path.read_bytes()

        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(results.os, "fsync", full)
        with pytest.raises(ResultsError, match="No space left"):
            folder.append([row(1)])
    assert folder.rows_path.read_bytes() == before


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ResultsError, match="a folder is needed"),
        ResultsFolder(tmp_path / "file", IDENTITY, CONDITIONS).opened(),
    ):
        pass


def test_a_folder_that_has_all_rows_is_only_read_whatever_engine_made_them(folder: ResultsFolder):
    rows = [row(0), row(1)]
    with folder.opened():
        folder.append(rows)
        other = ResultsFolder(folder.path, IDENTITY | {"engine": "torch"}, CONDITIONS)
        assert other.complete([row(1).replica_key]) == rows  # though the folder is in use
    assert other.complete([row(2).replica_key]) is None
    assert ResultsFolder(folder.path, IDENTITY | {"seed": 2}, CONDITIONS).complete([]) is None
    assert ResultsFolder(folder.path / "none", IDENTITY, CONDITIONS).complete([]) is None
    with pytest.raises(ResultsError, match="engine"), other.opened():
        pass


def test_rows_that_are_not_yet_in_order_are_not_complete(folder: ResultsFolder):
    with folder.opened():
        folder.append([row(1), row(0)])
    assert folder.complete([row(0).replica_key]) is None
    folder.finish()
    assert folder.complete([row(0).replica_key]) == [row(0), row(1)]


def test_a_file_that_has_its_content_is_not_written_again(folder: ResultsFolder):
    folder.path.mkdir()
    path = folder.path / "table.md"
    results.write_whole(path, "text")
    before = path.stat()
    results.write_whole(path, b"text")
    assert path.stat().st_ino == before.st_ino
    results.write_whole(path, "other")
    assert path.read_text() == "other"
