"""A larger budget in the folder of a smaller one."""

import json
from pathlib import Path

import pytest

from tests.helpers.conditions import described, make_condition
from tests.helpers.engines import needs_native
from tests.helpers.rows import row
from timing_tasks.errors import ResultsError
from timing_tasks.experiment import run as experiment
from timing_tasks.experiment.experiment import Experiment
from timing_tasks.results.budgets import kept, raised
from timing_tasks.results.folder import ResultsFolder, write_whole
from timing_tasks.tasks import Task

NAME = row().condition_name
IDENTITY = {"version": "1", "seed": 1}


def conditions(streams: int, steps: int, interval: int = 10) -> dict[str, object]:
    return {NAME: {"task": interval, "budget": {"training_streams": streams, "net_steps": steps}}}


@pytest.mark.parametrize(
    ("known", "mine", "found"),
    [
        (conditions(5, 10), conditions(6, 10), {NAME: {"training_streams": 6, "net_steps": 10}}),
        (conditions(5, 10), conditions(6, 11), {NAME: {"training_streams": 6, "net_steps": 11}}),
        (conditions(5, 10), conditions(5, 10), {}),
        (conditions(5, 10), conditions(6, 9), {}),
        (conditions(5, 10), conditions(4, 10), {}),
        (conditions(5, 10), {"another": conditions(6, 11)[NAME]}, {}),
        ({NAME: {"budget": {"net_steps": "x"}}}, conditions(6, 11), {}),
        ({NAME: 3}, conditions(6, 11), {}),
    ],
)
def test_a_budget_is_larger_if_no_limit_is_smaller(known: object, mine: object, found: object):
    assert raised(known, mine) == found


def test_rows_that_a_larger_budget_would_change_are_those_of_nets_below_both_of_its_limits():
    rows = [
        row(0, status="solved", training_streams=3, net_steps=30),
        row(1, status="diverged", training_streams=3, net_steps=30),
        row(2, status="unsolved", training_streams=5, net_steps=99),
        row(3, status="unsolved", training_streams=5, net_steps=103),  # reaches the larger budget's, too
        row(4, status="unsolved", training_streams=8, net_steps=99),
        row(5, status="unsolved", training_streams=5, net_steps=99, interval=11),
    ]
    larger = {NAME: {"training_streams": 8, "net_steps": 100}}
    assert [one.replica for one in kept(rows, larger)] == [0, 1, 3, 4, 5]


@needs_native
def test_a_larger_budget_gives_the_rows_of_a_run_that_had_it_from_the_start(tmp_path: Path):
    def experiment_with(streams: int, folder: str) -> Experiment:
        tasks = Task("gts", 2, (0,)), Task("nmsd", 2, (0, 1))
        nets = tuple(make_condition(task, 3e-2, streams=streams) for task in tasks)
        return described(tmp_path, conditions=nets, output=tmp_path / folder, replicas=8)

    wanted = experiment.run(experiment_with(3000, "fresh"))
    small = experiment.run(experiment_with(1998, "grown"))
    statuses = [[row.status for row in rows] for rows in (small, wanted)]
    assert statuses[0].count("unsolved") > statuses[1].count("unsolved")
    assert {"solved", "unsolved"} <= set(statuses[0])
    told: list[str] = []
    assert not experiment.is_complete(experiment_with(3000, "grown"))
    assert experiment.run(experiment_with(3000, "grown"), told.append) == wanted
    assert f"nets that a smaller budget gave up: {statuses[0].count('unsolved')}; they go on" in told[0]
    for name in ("runs.csv", "run.json"):
        assert (tmp_path / "grown" / name).read_bytes() == (tmp_path / "fresh" / name).read_bytes()
    with pytest.raises(ResultsError, match=r"budget\.training_streams: 3000 there, 1998 here") as caught:
        experiment.run(experiment_with(1998, "grown"))
    assert len(str(caught.value)) < 200 + len(str(tmp_path))


def test_a_crash_between_rows_and_budget_leaves_a_folder_of_the_smaller_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    rows = [row(0), row(1, status="unsolved")]
    with ResultsFolder(tmp_path / "o", IDENTITY, conditions(5, 10)).opened():
        pass
    small = ResultsFolder(tmp_path / "o", IDENTITY, conditions(5, 10))
    with small.opened():
        small.append(rows)
    written = []

    def crash(path: Path, content: str) -> None:
        if path.name == "run.json":
            raise KeyboardInterrupt
        written.append(path.name)
        write_whole(path, content)

    with monkeypatch.context() as context:
        context.setattr("timing_tasks.results.folder.write_whole", crash)
        large = ResultsFolder(tmp_path / "o", IDENTITY, conditions(50, 100))
        with pytest.raises(KeyboardInterrupt), large.opened():
            pass
    assert written == ["runs.csv"]
    with small.opened() as there:
        assert there == rows[:1]
    with large.opened() as there:
        assert there == rows[:1]
    assert json.loads(large.identity_path.read_text())["conditions"] == conditions(50, 100)


def test_a_larger_budget_does_not_excuse_another_difference(tmp_path: Path):
    with ResultsFolder(tmp_path / "o", IDENTITY, conditions(5, 10)).opened():
        pass
    other = ResultsFolder(tmp_path / "o", IDENTITY, conditions(6, 11, interval=12))
    with pytest.raises(ResultsError, match="task: 10 there, 12 here"), other.opened():
        pass


def test_what_all_conditions_differ_in_is_said_once(tmp_path: Path):
    first, second = ({name: conditions(s, 9)[NAME] for name in "abcdefgh"} for s in (7, 6))
    with ResultsFolder(tmp_path / "o", IDENTITY, first).opened():
        pass
    told = r"another run \(budget.training_streams: 7 there, 6 here\); choose"
    with pytest.raises(ResultsError, match=told), ResultsFolder(tmp_path / "o", IDENTITY, second).opened():
        pass
