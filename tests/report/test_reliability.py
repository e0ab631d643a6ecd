"""Reliability: what the engine says of fresh test sets is what the tasks' own definitions say of them."""

from dataclasses import replace

import pytest

from tests.helpers.engines import needs_native
from tests.helpers.scripts import ROOT
from timing_tasks.learning.online.engine import create
from timing_tasks.models.trajectory import trajectory
from timing_tasks.report.check import Sampled, reliability_again
from timing_tasks.report.reliability import TEST_SETS, is_tested, measure
from timing_tasks.results.description import online_conditions
from timing_tasks.results.reliability import Reliability, read_reliability
from timing_tasks.results.row import Row, read_rows
from timing_tasks.tasks import Purpose, stream, stream_size

FOLDERS = ("table1", "table3", "initial_state")


def by_definition(row: Row, test_sets: int) -> Reliability:
    passed = streams = 0
    for k in range(test_sets):
        for test in range(row.asked.test_streams):
            asked = stream(row.asked, row.seed, row.replica, row.training_streams + 1 + k, Purpose.TEST, test)
            units = trajectory(row.net_weights, asked.inputs, row.output_activation, row.forget_gate)
            if stream_size(asked, units.output, row.tolerance) < row.asked.test_periods:
                break
            streams += 1
        else:
            passed += 1
    return Reliability(test_sets, passed, streams)


def of_each_kind(folder: str) -> list[Row]:
    rows = [row for row in read_rows(ROOT / "results" / folder / "runs.csv") if is_tested(row)]
    return list({(row.task, row.peepholes, row.forget_gate, row.initial_state): row for row in rows}.values())


@needs_native
@pytest.mark.parametrize("folder", FOLDERS)
def test_the_engine_says_what_the_definitions_say(folder: str):
    rows = of_each_kind(folder)
    found = measure(rows, online_conditions(ROOT / "results" / folder), create("native", 1), 1)
    for row in rows:
        assert found[row.replica_key] == by_definition(row, 1), row.condition_name


def test_the_torch_engine_says_the_same():
    rows = [replace(row, weights=tuple(0.97 * w for w in row.weights)) for row in of_each_kind("table1")]
    row = min(rows, key=lambda row: by_definition(row, 1).streams_passed)  # soon wrong: that engine is slow
    found = measure([row], online_conditions(ROOT / "results" / "table1"), create("torch"), 1)
    assert found == {row.replica_key: by_definition(row, 1)}


def test_nets_of_random_streams_are_tested_and_no_others():
    rows = {row.condition: row for row in read_rows(ROOT / "results" / "table1" / "runs.csv")}.values()
    assert {row.task for row in rows if is_tested(row)} <= {"msd"}
    rows = read_rows(ROOT / "results" / "table3" / "runs.csv")
    assert {row.offsets for row in rows if is_tested(row)} == {(0, 1), (0, 1, 2)}
    assert all(row.is_solved for row in rows if is_tested(row))


@needs_native
def test_committed_reliability_comes_out_again_and_a_number_written_by_hand_is_found():
    folder = ROOT / "results" / "table3"
    rows, conditions, there = of_each_kind("table3")[:2], online_conditions(folder), read_reliability(folder)
    assert all(there[row.replica_key].test_sets == TEST_SETS for row in rows)
    sampled = [Sampled("table3", row, conditions[row.condition], there[row.replica_key]) for row in rows]
    forged = replace(there[rows[1].replica_key], streams_passed=0)
    sampled += [replace(sampled[1], reliability=forged), replace(sampled[0], reliability=None)]
    assert reliability_again(sampled, create("native", 1)) == [False, False, True, False]
