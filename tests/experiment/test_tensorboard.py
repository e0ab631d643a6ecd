"""What TensorBoard finds of a run: which runs, which tags, which columns, what pictures."""

from dataclasses import replace
from pathlib import Path

import hydra
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from tests.helpers.conditions import described, make_condition
from tests.helpers.scripts import ROOT
from timing_tasks.cli.config import conditions
from timing_tasks.conditions.recipe import BPTT
from timing_tasks.experiment import run as experiment
from timing_tasks.experiment.tensorboard.drawing import Drawing
from timing_tasks.experiment.tensorboard.hyperparameters import hyperparameters
from timing_tasks.experiment.tensorboard.names import folder_name, run_names, task_name
from timing_tasks.experiment.tensorboard.pictures import _joined, _test_streams
from timing_tasks.models.trajectory import trajectory
from timing_tasks.results.row import Row
from timing_tasks.results.statistics import summarise
from timing_tasks.tasks import Purpose, Task, stream

NETS = (
    make_condition(Task("nmsd", 3, (0, 1)), streams=3000),
    make_condition(Task("nmsd", 3, (0, 1)), streams=3000, peepholes=False),
    make_condition(Task("gts", 3, (0, 1)), streams=100, initial_state="learned"),
    make_condition(Task("gts", 2, (0,)), 3e-2, streams=3000),
)
KINDS = ("solved", "stream size in tests", "stream size in training", "test error")


def board(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder), size_guidance={"images": 0, "scalars": 0}).Reload()


def columns(board: EventAccumulator) -> dict[str, object]:
    """Of an entry in the table of hyperparameters, as TensorBoard reads them."""
    content = board.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    values = HParamsPluginData.FromString(content).session_start_info.hparams
    return {name: getattr(value, value.WhichOneof("kind")) for name, value in values.items()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Row]]:
    folder = tmp_path_factory.mktemp("finished")
    rows = experiment.run(described(folder, conditions=NETS, seed=5))
    return folder / "out" / "tensorboard", rows


def rows_of(rows: list[Row], position: int) -> list[Row]:
    return [row for row in rows if all(getattr(row, key) == value for key, value in NETS[position].columns.items())]


def test_nets_are_runs_and_a_quantity_has_the_same_tag_in_all_of_them(finished: tuple[Path, list[Row]]):
    folder, rows = finished
    runs = ["LSTM, seed 5", "peephole LSTM, learned, seed 5", "peephole LSTM, seed 5"]
    assert sorted(path.name for path in folder.iterdir()) == runs
    found = {name: board(folder / name) for name in runs}
    tags = {name: set(one.Tags()["scalars"]) for name, one in found.items()}
    assert tags["LSTM, seed 5"] == {f"{kind}/nmsd F=3 {{0,1}}" for kind in KINDS}
    assert tags["peephole LSTM, learned, seed 5"] == {f"{kind}/gts F=3 {{0,1}}" for kind in KINDS}
    assert tags["peephole LSTM, seed 5"] == {
        f"{kind}/{task}" for kind in KINDS for task in ("nmsd F=3 {0,1}", "gts F=2 {0}")
    }
    for position, name in ((0, runs[2]), (1, runs[0]), (2, runs[1]), (3, runs[2])):
        mine = rows_of(rows, position)
        last = found[name].Scalars(f"solved/{task_name(NETS[position].task)}")[-1]
        assert last.value == pytest.approx(sum(row.status == "solved" for row in mine) / 3)
        assert last.step == max(row.training_streams for row in mine)


def test_the_error_is_that_of_the_nets_that_the_rows_have(finished: tuple[Path, list[Row]]):
    folder, rows = finished
    for position, name in ((1, "LSTM, seed 5"), (3, "peephole LSTM, seed 5")):
        task, errors = NETS[position].task, []
        for row in rows_of(rows, position):
            shown = stream(task, 5, row.replica, 0, Purpose.TEST, periods=1 if task.name == "nmsd" else 2)
            output = trajectory(row.weights, shown.inputs, NETS[position].output_activation).output
            errors.append(np.sqrt(np.mean((shown.targets - output)[shown.has_target] ** 2)))
        last = board(folder / name).Scalars(f"test error/{task_name(task)}")[-1]
        assert last.value == pytest.approx(sorted(errors)[1], rel=1e-6)


def test_each_condition_has_an_entry_whose_columns_tell_it_from_the_others(finished: tuple[Path, list[Row]]):
    folder, rows = finished
    paths = [folder / run / task_name(c.task) for run, c in zip(run_names(NETS, 5), NETS, strict=True)]
    found = [columns(board(path)) for path in paths]
    assert len({tuple(sorted((key, str(value)) for key, value in one.items())) for one in found}) == len(NETS)
    assert (
        found[2]
        | {
            **{"task": "gts", "F": 3.0, "offsets": "0,1", "net": "peephole LSTM", "initial state": "learned"},
            **{"recipe": "online", "optimiser": "SGD", "learning rate": 1e-2, "momentum": 0.9, "seed": 5.0},
            **{
                "training budget, streams": 100.0,
                "training budget, net-steps": 1e12,
                "protocol": "test",
                "tolerance": 0.49,
            },
        }
        == found[2]
    )
    for position, path in enumerate(paths):
        summary, entry = summarise(rows_of(rows, position)), board(path)
        assert entry.Scalars("summary/solved fraction")[-1].value == pytest.approx(summary.solved / 3)
        assert entry.Scalars("summary/total nets")[-1].value == 3
        has_median = "summary/median streams" in entry.Tags()["scalars"]
        assert has_median == np.isfinite(summary.median)
        if has_median:
            assert entry.Scalars("summary/median streams")[-1].value == summary.median
        assert "_hparams_/experiment" not in entry.summary_metadata  # the first that is found would decide for all


def test_columns_of_what_only_some_conditions_have(tmp_path: Path):
    optimizer = {"_target_": "torch.optim.SGD", "lr": 3, "momentum": 0.5}
    net = make_condition(Task("pfg", 5, (), "tri", 0.3), recipe=BPTT("bptt(clip=2)", 4, optimizer=optimizer, clip=2.0))
    values = hyperparameters(net, described(tmp_path))
    assert values["waveform"] == "tri"
    assert "offsets" not in values
    learning = ("recipe", "optimiser", "learning rate", "momentum", "clip", "streams an update")
    assert [values[name] for name in learning] == ["bptt(clip=2)", "SGD", 3.0, 0.5, 2.0, 4]
    plain = hyperparameters(replace(net, recipe=BPTT()), described(tmp_path))
    assert not {"learning rate", "momentum", "clip"} & plain.keys()


def test_every_task_has_pictures_of_outputs_and_solved_nets_of_gates(finished: tuple[Path, list[Row]]):
    folder, rows = finished
    images = {path.name: board(path).Tags()["images"] for path in folder.iterdir()}
    outputs = {(run, tag) for run, tags in images.items() for tag in tags if tag.startswith("view of output")}
    assert outputs == {
        (run, f"view of output/{task_name(c.task)}") for run, c in zip(run_names(NETS, 5), NETS, strict=True)
    }
    gates = {(run, tag) for run, tags in images.items() for tag in tags if tag.startswith("view of gates")}
    solved = [p for p in range(len(NETS)) if any(row.status == "solved" for row in rows_of(rows, p))]
    assert solved
    assert gates == {(run_names(NETS, 5)[p], f"view of gates/{task_name(NETS[p].task)}") for p in solved}
    [image] = board(folder / "LSTM, seed 5").Images("view of output/nmsd F=3 {0,1}")
    assert (image.width, image.height) == (480, 300)
    assert image.step == rows_of(rows, 1)[0].training_streams


def test_there_is_one_file_for_each_net_and_each_condition(finished: tuple[Path, list[Row]]):
    folder, _ = finished
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 3 + len(NETS)


CONFIGS = sorted(path.stem for path in (ROOT / "configs").glob("*.yaml") if "conditions:" in path.read_text())


@pytest.mark.parametrize("name", CONFIGS)
def test_the_conditions_of_every_config_have_places_of_their_own(name: str):
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(ROOT / "configs")):
        found = conditions(hydra.compose(name))
    places = {(run, task_name(one.task)) for run, one in zip(run_names(found, 1), found, strict=True)}
    assert len(places) == len(found)
    assert all(len(part) <= 130 and "/" not in part for place in places for part in place)


def test_conditions_that_names_do_not_tell_apart_are_told_apart_by_their_columns():
    one = make_condition(Task("nmsd", 3, (0, 1)))
    names = run_names((one, replace(one, output_activation="identity"), make_condition(Task("gts", 3, (0,)))), 1)
    shared = "peephole LSTM, seed 1"
    assert names == [f"{shared}, output_activation=sigmoid", f"{shared}, output_activation=identity", shared]


def test_what_was_overridden_is_in_the_name():
    one = make_condition(Task("nmsd", 3, (0, 1)), initial_state="noisy 0.3", forget_gate=False)
    changed = replace(one, protocol=replace(one.protocol, name="closest(learning_rate=0.1 momentum=0)"))
    expected = "peephole LSTM without forget gate, noisy 0.3, learning_rate=0.1 momentum=0, seed 2"
    assert run_names([changed], 2) == [expected]


def test_a_folder_has_a_name_that_every_file_system_takes():
    long = [f"bptt(optimizer={{_target_: torch.optim.Adam, lr: 1e-{k}}}) {'x' * 300} {k}" for k in range(3)]
    names = [folder_name(name) for name in [*long, "../a", "a/b", "a_b"]]
    assert len(set(names)) == 6
    assert all(len(name) < 140 and not set("/:'\\") & set(name) for name in names)


def test_a_picture_shows_every_kind_of_input_of_a_task_whose_streams_have_one_period():
    shown = _joined(_test_streams(Task("nmsd", 4, tuple(range(7))), 1, 0, 9))
    assert shown.targets[shown.has_target].tolist() == [0, 2, 4, 6]
    assert np.unique(shown.period, return_counts=True)[1].tolist() == [4, 6, 8, 10]
    assert len(_joined(_test_streams(Task("nmsd", 4, (0, 1)), 1, 0, 9)).targets) == 4 + 5
    four = _joined(_test_streams(Task("msd", 4, (0, 1)), 1, 0, 9))
    assert four.targets.tolist() == stream(Task("msd", 4, (0, 1)), 1, 0, 9, Purpose.TEST, periods=4).targets.tolist()


def test_a_picture_marks_the_first_wrong_prediction():
    task = Task("gts", 3, (0,))
    shown = stream(task, 1, 0, 0, Purpose.TEST, periods=2)
    drawing = Drawing()

    def orange(output: np.ndarray) -> int:
        pixels = drawing.output(task, shown, output, "a net").astype(int)
        return int(np.sum(np.abs(pixels - [0xD5, 0x5E, 0x00]).sum(-1) < 30))

    right, wrong, unknown = shown.targets.copy(), shown.targets.copy(), shown.targets.copy()
    wrong[4], unknown[4] = 0.5, np.nan
    assert orange(right) == 0
    assert orange(wrong) > 2 * 20  # in the legend and at its place
    assert 0 < orange(unknown) < orange(wrong)  # which has no place
