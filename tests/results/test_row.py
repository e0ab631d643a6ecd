"""Rows: typed in memory, text in the file, and the same bytes there and back."""

from pathlib import Path

import pytest

from tests.helpers.rows import row
from timing_tasks.conditions.condition import CONDITION_COLUMNS
from timing_tasks.results.row import COLUMNS, read_rows, row_of_texts, rows_text, texts_of
from timing_tasks.tasks import Task

RESULTS = Path(__file__).parents[2] / "results"
FILES = sorted(RESULTS.rglob("runs.csv"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.parent.relative_to(RESULTS)))
def test_committed_rows_are_written_as_they_were_read_and_in_their_order(path: Path):
    rows = read_rows(path)
    assert rows_text(rows, header=True).encode() == path.read_bytes()
    assert rows_text(sorted(rows, key=lambda row: row.order), header=True).encode() == path.read_bytes()


def test_each_value_has_its_type():
    texts = {
        **dict.fromkeys(COLUMNS, "x"),
        **{"interval": "10", "offsets": "0 12", "peepholes": "true", "forget_gate": "false", "tolerance": "0.49"},
        **{"replica": "3", "seed": "1", "status": "solved", "training_streams": "20", "rmse": "1e-05"},
        **{"net_steps": "40", "test_size": "7", "weights": "0.1 -1e-17 inf"},
    }
    one = row_of_texts(list(texts.values()))
    assert (one.interval, one.offsets, one.peepholes, one.forget_gate) == (10, (0, 12), True, False)
    assert (one.tolerance, one.replica, one.training_streams, one.rmse) == (0.49, 3, 20, 1e-5)
    assert one.weights == (0.1, -1e-17, float("inf"))
    assert one.net_weights.tolist() == list(one.weights)
    assert texts_of(one) == list(texts.values())


def test_a_net_that_is_not_solved_has_no_error():
    assert row(status="unsolved").rmse is None
    assert texts_of(row(status="unsolved"))[COLUMNS.index("rmse")] == ""
    for status, rmse in (("unsolved", 0.1), ("solved", None), ("fine", None)):
        with pytest.raises(ValueError, match=status):
            row(status=status, rmse=rmse)


def test_a_row_gives_back_its_task():
    assert row(offsets=(0, 2), readings="first_spike_later=1").asked == Task("nmsd", 10, (0, 2), first_spike_later=1)


def test_a_condition_has_its_name():
    some = row(offsets=(0, 2), peepholes=False, tolerance=0.3)
    name = "task=nmsd interval=10 offsets=0 2 peepholes=false initial_state=zero recipe=online protocol=p"
    assert (
        some.condition_name == f"{name} forget_gate=true output_activation=sigmoid tolerance=0.3 model=peephole_lstm 1"
    )
    assert [column.partition("=")[0] for column in name.split() if "=" in column] == [
        column for column in CONDITION_COLUMNS[:8] if column != "waveform"
    ]


def test_rows_are_in_the_order_of_numbers_not_of_their_digits():
    some = [row(0, interval=9), row(0, offsets=(0, 2)), row(0, offsets=(0, 10)), row(2), row(10), row(2, seed=10)]
    assert sorted(some, key=lambda one: one.order) == [some[0], some[3], some[4], some[5], some[1], some[2]]
