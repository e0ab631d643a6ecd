from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers.conditions import make_condition
from tests.helpers.nets import papers_net
from tests.helpers.reference import outputs
from timing_tasks.models.trajectory import Trajectory, trajectory
from timing_tasks.models.weights import INITIAL_STATE, PEEPHOLES, WEIGHT_NAMES
from timing_tasks.results.row import Row, read_rows
from timing_tasks.tasks import Purpose, Stream, Task, root_mean_square_error, stream, stream_size

RESULTS = Path(__file__).parent.parent.parent / "results"


def draw(peepholes: bool = True) -> np.ndarray:
    weights = np.random.default_rng(5).normal(size=len(WEIGHT_NAMES))
    if not peepholes:
        weights[[WEIGHT_NAMES.index(name) for name in PEEPHOLES]] = 0.0
    return weights


@pytest.mark.parametrize("output_activation", ["sigmoid", "identity"])
@pytest.mark.parametrize("peepholes", [True, False])
def test_it_is_the_network_step_by_step(peepholes: bool, output_activation: str):
    weights, x = draw(peepholes), np.random.default_rng(6).normal(size=30)
    net = papers_net(peepholes, output_activation, initial_state="learned")
    net.load_vector(weights)
    units = trajectory(weights, x, output_activation)
    with torch.no_grad():
        inputs = torch.from_numpy(x).reshape(1, -1, 1)
        np.testing.assert_allclose(units.output, net(inputs).flatten().numpy(), rtol=1e-12)
        for t in (1, 2, 17, 30):
            _, (h, c) = net.layer(inputs[:, :t], net.initial_state(1))
            assert units.cell_output[t - 1] == pytest.approx(float(h), rel=1e-12)
            assert units.cell_state[t - 1] == pytest.approx(float(c), rel=1e-12)
    s_old = np.concatenate([[weights[WEIGHT_NAMES.index("s_0")]], units.cell_state[:-1]])
    np.testing.assert_allclose(
        units.cell_state, units.forget_gate * s_old + units.input_gate * units.cell_input, rtol=1e-12
    )
    np.testing.assert_allclose(units.cell_output, units.output_gate * units.cell_state, rtol=1e-12)


@pytest.mark.parametrize("peepholes", [True, False])
def test_the_cell_output_may_be_squashed(peepholes: bool):
    weights, x = draw(peepholes), np.random.default_rng(6).normal(size=30)
    condition = make_condition(
        Task("gts", 3, (0, 1)), readings={"cell_output_activation": "centred_logistic"}, peepholes=peepholes
    )
    units = trajectory(weights, x, cell_output_activation="centred_logistic")
    with torch.no_grad():
        expected = outputs(condition, torch.from_numpy(weights), x.tolist()).numpy()
    np.testing.assert_allclose(units.output, expected, rtol=1e-12)
    np.testing.assert_allclose(units.cell_output, units.output_gate * np.tanh(units.cell_state / 2), rtol=1e-9)


def test_without_a_forget_gate_the_state_only_adds_up():
    weights, x = draw(), np.random.default_rng(6).normal(size=30)
    weights[[WEIGHT_NAMES.index(name) for name in INITIAL_STATE]] = 0.0
    units = trajectory(weights, x, has_forget_gate=False)
    assert (units.forget_gate == 1).all()
    np.testing.assert_allclose(units.cell_state, np.cumsum(units.input_gate * units.cell_input), rtol=1e-10)


def test_a_state_that_runs_away_overflows_nothing():
    units = trajectory(1e3 * draw(), np.ones(50))
    assert ((units.input_gate >= 0) & (units.input_gate <= 1)).all()


def first_solved(path: Path) -> list[Row]:
    solved = [row for row in read_rows(path) if (row.status, row.model) == ("solved", "peephole_lstm 1")]
    return list({row.condition: row for row in reversed(solved)}.values())


def run(row: Row, asked: Stream, factor: float = 1.0) -> Trajectory:
    return trajectory(factor * row.net_weights, asked.inputs, row.output_activation, row.forget_gate)


def is_chaotic(row: Row, asked: Stream, output: np.ndarray) -> bool:
    """Whether the last bits of the weights decide what a net answers."""
    nearby = [run(row, asked, 1 + k * 1e-15).output - output for k in (-30, -10, -3, -1, 1, 3, 10, 30)]
    return bool(np.abs(nearby)[:, asked.has_target].max() > 0.1)


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*/runs.csv")), ids=lambda path: path.parent.name)
def test_the_kept_weights_solve_their_tests_again(path: Path):
    # One net of each condition, by the tasks' own definitions: nothing of the engines is in this.
    by_chance = []
    for row in first_solved(path):
        task = row.asked
        tests = range(task.test_streams) if task.test_periods == 1 else [0]
        for test in tests:
            asked = stream(task, row.seed, row.replica, row.training_streams, Purpose.TEST, test)
            units = run(row, asked)
            if task.name == "nmsd" and is_chaotic(row, asked, units.output):
                by_chance.append((row.interval, row.peepholes))
                break
            assert stream_size(asked, units.output, task.tolerance) == task.test_periods, row
        if task.test_streams == 1:
            error = root_mean_square_error(asked, units.output)
            # A few solutions are chaotic: a change in the last bit of a weight grows until it can be seen, within the
            # tolerance.
            moved = root_mean_square_error(asked, run(row, asked, 1 + 1e-15).output)
            assert row.rmse == pytest.approx(error, rel=max(1e-9, 30 * abs(moved / error - 1))), row
    assert by_chance == ([(40, True)] if path.parent.name == "table1" else [])
