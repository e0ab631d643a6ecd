"""`timing_tasks.benchmark`: rows of any net, the same each time; what cannot be used ends in one line."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import timing_tasks
from timing_tasks import TimingNet, usual_recipe
from timing_tasks.conditions.recipe import BPTT
from timing_tasks.data import TimingDataModule
from timing_tasks.errors import UserError
from timing_tasks.results.row import read_rows
from timing_tasks.tasks import GTS, NMSD, PFG, Stream, Task, TaskError, check_task
from timing_tasks.tasks.suites import SUITES

TASKS = [NMSD(3), GTS(3, (0,))]


class Counter(nn.Module):
    """A tanh RNN as a loop, which `torch.vmap` can map."""

    hidden_size = 3

    def __init__(self) -> None:
        super().__init__()
        self.of_input, self.of_state = nn.Linear(1, 3), nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        h, states = x.new_zeros(x.size(0), 3), []
        for step in self.of_input(x).unbind(1):
            h = torch.tanh(step + self.of_state(h))
            states.append(h)
        return torch.stack(states, 1)


def counter(task: Task, seed: int) -> nn.Module:
    return TimingNet(Counter(), output_activation=task.output_activation)


def test_rows_say_what_became_of_each_net(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rows = timing_tasks.benchmark(counter, TASKS, replicas=2, budget=40, seed=3, output=tmp_path)
    assert [(row.task, row.replica, row.seed, row.model) for row in rows] == [
        *(("nmsd", k, 3, "counter") for k in range(2)),
        *(("gts", k, 3, "counter") for k in range(2)),
    ]
    for row in rows:
        assert row.is_solved or row.training_streams >= 40 or row.net_steps >= 300 * 40
        assert row.recipe == "bptt(adam lr=0.01)"
        assert len(row.weights) == sum(p.numel() for p in counter(TASKS[0], 0).parameters())
    assert sorted(read_rows(tmp_path / "runs.csv"), key=repr) == sorted(rows, key=repr)
    assert "counter" in capsys.readouterr().out  # its progress
    assert rows.seconds.keys() == {row.replica_key for row in rows}
    again = timing_tasks.benchmark(counter, TASKS, replicas=2, budget=40, seed=3)
    assert list(again) == list(rows)
    more = timing_tasks.benchmark(counter, TASKS, replicas=3, budget=40, seed=3, output=tmp_path)
    assert [row for row in more if row.replica < 2] == list(rows)


def test_a_net_is_the_same_whatever_nets_are_beside_it():
    alone = timing_tasks.benchmark(counter, [GTS(3, (0,))], replicas=1, budget=30)
    beside = timing_tasks.benchmark(counter, [GTS(3, (0,)), NMSD(4)], replicas=18, budget=30)
    assert alone[0] in beside


def test_rows_are_shown_as_table_figure_and_data_frame():
    rows = timing_tasks.benchmark(counter, TASKS, replicas=2, budget=30)
    text = rows.table()
    assert "| counter |" in text
    assert re.search(r"\| NMSD \| 3 \| \{0,1\} \|", text)
    marks = [line.get_marker() for line in rows.plot().axes[0].lines]
    assert len(marks) == 2
    with pytest.raises(UserError, match="name='counter': another name"):
        rows + rows
    others = timing_tasks.benchmark(counter, [NMSD(3)], name="other", replicas=1, budget=1)
    both = rows + others
    assert (len(both), both.seconds) == (5, rows.seconds | others.seconds)
    frame = pytest.importorskip("pandas") and rows.to_pandas()
    assert (len(frame), frame.task.tolist()) == (4, ["nmsd", "nmsd", "gts", "gts"])
    assert frame.seconds.gt(0).all()


def test_a_net_of_any_module_is_trained():
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.out = nn.RNN(1, 2, batch_first=True), nn.Linear(2, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.rnn(x)[0])

    recipe = BPTT("bptt(sgd)", 2, optimizer={"_target_": "torch.optim.SGD", "lr": 0.1})
    rows = timing_tasks.benchmark(lambda task, seed: Own(), [NMSD(3)], name="own", replicas=2, budget=8, recipe=recipe)
    assert [(row.model, row.recipe, row.initial_state) for row in rows] == [("own", "bptt(sgd)", "zero")] * 2
    assert rows[0].weights != rows[1].weights


def test_the_rows_say_that_the_initial_state_is_learned():
    def learned(task: Task, seed: int) -> nn.Module:
        return TimingNet(nn.GRU(1, 1, batch_first=True), initial_state="learned")

    assert timing_tasks.benchmark(learned, [NMSD(3)], replicas=1, budget=4)[0].initial_state == "learned"


@dataclass(frozen=True)
class Same(Task):
    """Breaks the contract: a constant is right."""

    name = "same_all_the_time"
    single_period = True
    min_interval: int = 3
    offsets: tuple[int, ...] = (0, 1)

    def stream_of(self, offsets: np.ndarray) -> Stream:
        inputs = np.zeros(self.min_interval)
        return Stream(inputs, inputs, inputs == 0, np.zeros(self.min_interval, dtype=np.int64))


class Late(Counter):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).flip(1)


class Chance(Counter):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(super().forward(x), 0.5, self.training)


class Infinite(Counter):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) / 0.0 * 0.0


def test_what_cannot_be_used_is_one_line_that_names_the_net_or_the_task():
    draws = iter(range(100))
    cases = {
        "make_net='f': for nmsd F=3 I={0,1} it gives shape (2, 12, 3)": lambda t, s: Counter(),
        "make_net='f': for nmsd F=3 I={0,1} it depends on later inputs": lambda t, s: TimingNet(Late()),
        "make_net='f': for nmsd F=3 I={0,1} it gives outputs that are not finite": lambda t, s: TimingNet(Infinite()),
        "make_net='f': for nmsd F=3 I={0,1} it gives other outputs in training": lambda t, s: TimingNet(Chance()),
        "make_net='f': for nmsd F=3 I={0,1} it gives a str": lambda t, s: "net",
        "make_net='f': for nmsd F=3 I={0,1} it gives a net without parameters": lambda t, s: nn.Identity(),
        "make_net='f': for nmsd F=3 I={0,1} it fails: ZeroDivisionError": lambda t, s: 1 / 0,
        "make_net='f': for nmsd F=3 I={0,1} it gives other weights for the same seed": lambda t, s: [
            torch.manual_seed(next(draws)),
            TimingNet(Counter()),
        ][1],
    }
    for told, make in cases.items():
        with pytest.raises(UserError, match=re.escape(told)) as caught:
            timing_tasks.benchmark(make, [NMSD(3)], name="f", replicas=1, budget=1)
        assert "\n" not in str(caught.value)
    with pytest.raises(TaskError, match="task same_all_the_time F=3"):
        timing_tasks.benchmark(counter, [Same()], replicas=1, budget=1)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"tasks": "TIMING-21"}, "tasks='TIMING-21': a list of tasks, or TIMING-20"),
        ({"tasks": []}, "tasks=[]: at least one"),
        ({"tasks": [NMSD(3), NMSD(3)]}, "each only once"),
        ({"tasks": ["juggling"]}, "task='juggling': one of "),
        ({"budget": "long"}, "budget='long': a number of training streams, or quick or standard"),
        ({"budget": 0}, "budget=0: a whole number"),
        ({"replicas": 0}, "replicas=0: a whole number"),
        ({"recipe": BPTT(optimizer={"_target_": "torch.optim.Nothing"})}, "recipe.optimizer="),
    ],
)
def test_a_value_that_cannot_be_is_named(changes: dict[str, object], told: str):
    with pytest.raises(UserError, match=re.escape(told)):
        timing_tasks.benchmark(counter, **{"tasks": TASKS, "replicas": 1, "budget": 1} | changes)  # type: ignore[arg-type]


def test_a_folder_of_other_nets_is_refused(tmp_path: Path):
    timing_tasks.benchmark(counter, [NMSD(3)], replicas=1, budget=1, output=tmp_path)
    with pytest.raises(UserError, match="holds the rows of another run"):
        timing_tasks.benchmark(counter, [NMSD(3)], replicas=1, budget=1, seed=2, output=tmp_path)


def test_the_suite_keeps_the_contract_and_its_name():
    tasks = SUITES["TIMING-20"]
    assert len(set(tasks)) == 20
    assert {task.name for task in tasks} == {"nmsd", "msd", "gts", "pfg", "ready_set_go", "interval_discrimination"}
    assert sum(task.name in ("nmsd", "msd", "gts", "pfg") for task in tasks) == 18
    for task in tasks:
        check_task(task)


def test_the_usual_recipe_takes_every_stream_where_there_are_few():
    assert usual_recipe(NMSD(3)).streams == usual_recipe(PFG(10)).streams == "all"
    assert usual_recipe(GTS(10, (0, 1))).streams == 4
    for task in SUITES["TIMING-20"]:
        TimingDataModule(task, batch_size=usual_recipe(task).streams)


def test_the_command_that_measures_speed_has_the_name_and_the_function_too():
    code = "import timing_tasks.cli.speed.engines, timing_tasks; print(callable(timing_tasks.benchmark))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
    done = subprocess.run(
        [sys.executable, "-m", "timing_tasks.benchmark", "nets", "--budget", "0"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr.strip()) == (1, "benchmark: --budget must be above 0")
