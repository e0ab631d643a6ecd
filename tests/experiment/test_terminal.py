"""What a terminal and a log show of a run."""

import io
import re
import signal
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from tests.helpers.conditions import QUICK_CONDITIONS as CONDITIONS
from tests.helpers.conditions import described, make_condition
from tests.helpers.engines import needs_native, population
from tests.helpers.rows import row
from tests.helpers.scripts import LONG, ROOT, command
from timing_tasks.conditions.condition import CONDITION_COLUMNS
from timing_tasks.conditions.recipe import BPTT
from timing_tasks.experiment import run as experiment
from timing_tasks.experiment import status, terminal
from timing_tasks.experiment.status import Speedometer, Status, duration, quantity
from timing_tasks.experiment.terminal import StatusLine, TerminalProgress, outcome
from timing_tasks.learning.online.engine import create
from timing_tasks.learning.online.module import OnlinePopulationModule
from timing_tasks.learning.online.population import Verdict
from timing_tasks.learning.replicas import ReplicasModule
from timing_tasks.results.statistics import summarise
from timing_tasks.tasks import Task

BUSY = Status(123, 4567, 89, 2, "3.4M net-steps/s", 0.375, 3723.0)


@pytest.mark.parametrize("width", [*range(21, 90, 3), 132, 300])
def test_the_bar_is_one_line_of_a_terminal_and_the_time_is_never_cut(width: int):
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(StatusLine(BUSY))
    assert isinstance(console.file, io.StringIO)
    [line] = console.file.getvalue().splitlines()
    assert len(line.rstrip()) <= width
    assert line.rstrip().endswith("at most 1:02:03 left")
    if width >= 80:
        assert line.startswith("123 solved, 4567 running")
        assert " 37% " in line
    if width >= 132:
        assert "123 solved, 4567 running, 89 out of budget, 2 diverged, 3.4M net-steps/s" in line


def test_numbers_and_times_are_short():
    values = (0.0, 0.84, 9.96, 34.4, 999.4, 999.6, 1234, 9_960, 34_400, 1_234_567, 34e6, 2.5e9)
    shown = ["0.0", "0.8", "10", "34", "999", "1.0k", "1.2k", "10k", "34k", "1.2M", "34M", "2.5G"]
    assert [quantity(value) for value in values] == shown
    assert [duration(seconds) for seconds in (7.4, 61, 3723, 43200)] == ["0:07", "1:01", "1:02:03", "12 h"]


class Clock(SimpleNamespace):
    """In place of the module `time`."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (terminal, status):
        monkeypatch.setattr(module, "time", clock)
    return clock


def test_a_log_gets_a_line_within_seconds_and_then_one_a_minute(clock: Clock, capsys: pytest.CaptureFixture[str]):
    module = OnlinePopulationModule(population(CONDITIONS), create("torch", 1))
    progress, trainer = TerminalProgress(), SimpleNamespace()
    progress.on_train_start(trainer, module)  # type: ignore[arg-type]
    for _ in range(300):
        clock.now += 1
        module.state.net_steps += 500
        module.state.training_streams[:3] += 0 if module.state.training_streams[0] > 150 else 1
        progress.on_train_batch_end(trainer, module)  # type: ignore[arg-type]
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("  ")[0] for line in lines] == ["0:03", "1:03", "2:03", "3:03", "4:03"]
    assert all(len(line) <= 80 for line in lines)
    assert "0 solved, 6 running, 0 out of budget, 3.0k net-steps/s, at most " in lines[1]


def test_the_time_left_is_the_work_left_at_the_speed_of_the_last_seconds(clock: Clock):
    module = OnlinePopulationModule(
        population((make_condition(CONDITIONS[0].task, net_steps=1000),)), create("torch", 1)
    )
    speed = Speedometer()
    assert speed.status(module, ()).seconds_left is None
    for _ in range(20):
        clock.now += 1
        module.state.net_steps += 20
        shown = speed.status(module, ())
    assert shown.speed == "60 net-steps/s"
    assert shown.done == pytest.approx(0.4)
    assert shown.seconds_left == pytest.approx(30)
    module.state.verdict[1:] = Verdict.SOLVED
    assert speed.status(module, ()).seconds_left == pytest.approx(10)


def test_back_propagation_is_counted_in_streams(clock: Clock):
    people = population((make_condition(Task("gts", 3, (0,)), recipe=BPTT()),), replicas=2)
    module = ReplicasModule(people)
    speed = Speedometer()
    speed.status(module, ())
    for _ in range(4):
        clock.now += 1
        module.state.training_streams += 8
        shown = speed.status(module, ())
    assert shown.speed == "16 streams/s"


@needs_native
def test_a_condition_gets_a_line_when_its_last_net_has_its_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rows = experiment.run(described(tmp_path, replicas=2))
    lines = [line for line in capsys.readouterr().out.splitlines() if "median" in line]
    assert len(lines) == len(CONDITIONS)
    for condition in CONDITIONS:
        mine = [r for r in rows if r.condition == tuple(condition.columns[name] for name in CONDITION_COLUMNS)]
        [line] = [line for line in lines if line.startswith(f"{condition} ")]
        summary = summarise(mine)
        assert f"solved {summary.solved}/2" in line
        number = int(re.sub(r"\D", "", line.partition("median")[2]))
        assert number == (summary.median if summary.solved else summary.censored_at)


def test_nets_of_an_earlier_fit_count(clock: Clock, capsys: pytest.CaptureFixture[str]):
    module = OnlinePopulationModule(population(CONDITIONS[:1], replicas=2), create("torch", 1))
    before = [(0, row(9, status="solved", training_streams=70)), (1, row(8, status="unsolved"))]
    progress, trainer = TerminalProgress(before), SimpleNamespace()
    progress.on_train_start(trainer, module)  # type: ignore[arg-type]
    module.state.training_streams[:] = module.state.training_streams.new_tensor([50, 1234567])
    module.state.verdict[0] = Verdict.SOLVED
    progress.on_train_batch_end(trainer, module)  # type: ignore[arg-type]
    assert capsys.readouterr().out == ""
    module.state.verdict[1] = Verdict.UNSOLVED
    progress.on_train_batch_end(trainer, module)  # type: ignore[arg-type]
    progress.on_train_batch_end(trainer, module)  # type: ignore[arg-type]
    assert capsys.readouterr().out == "nmsd F=3 I={0,1}, peephole LSTM  solved 2/3, median 70 streams\n"
    assert Speedometer().status(module, before).out_of_budget == 2


@pytest.mark.parametrize(
    ("solved", "given_up", "diverged", "told"),
    [
        ([10, 1500, 30], [], [], "solved 3/3, median 30 streams"),
        ([10], [2000, 3000], [], "solved 1/3, median > 2,000 streams"),
        ([], [], [7], "solved 0/1"),
        ([10, 20], [], [1, 1, 1], "solved 2/5"),
    ],
)
def test_the_line_of_a_condition(solved: list[int], given_up: list[int], diverged: list[int], told: str):
    from timing_tasks.experiment.standing import standings

    kinds = ((Verdict.SOLVED, solved), (Verdict.UNSOLVED, given_up), (Verdict.DIVERGED, diverged))
    nets = [(verdict, streams) for verdict, several in kinds for streams in several]
    module = OnlinePopulationModule(population(CONDITIONS[:1], replicas=len(nets)), create("torch", 1))
    for index, (verdict, streams) in enumerate(nets):
        module.state.verdict[index], module.state.training_streams[index] = verdict, streams
    assert outcome(standings(module, ())[0]) == told


def test_other_processes_than_the_first_say_nothing(capsys: pytest.CaptureFixture[str]):
    module = OnlinePopulationModule(population(CONDITIONS), create("torch", 1))
    progress = TerminalProgress()
    progress.disable()
    progress.on_train_start(SimpleNamespace(), module)  # type: ignore[arg-type]
    module.state.verdict[:] = Verdict.SOLVED
    progress.on_train_batch_end(SimpleNamespace(), module)  # type: ignore[arg-type]
    assert capsys.readouterr().out == ""


@needs_native
@pytest.mark.parametrize("engine", ["native", "torch"])
def test_many_ctrl_c_end_in_one_line(engine: str, tmp_path: Path):
    long = [value for value in LONG if not value.startswith("engine")]
    process = subprocess.Popen(
        command(str(ROOT / "reproduce" / "condition.py"), *long, f"engine={engine}", "output=o"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not (tmp_path / "o" / "checkpoints" / "online" / "last.ckpt").exists() and process.poll() is None:
        time.sleep(0.05)
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    output, errors = process.communicate(timeout=60)
    assert errors == ""
    assert output.splitlines()[-1] == "stopped; the same command goes on from here"
    assert output.count("stopped") == 1
    assert process.returncode in (128 + signal.SIGINT, -signal.SIGINT)
