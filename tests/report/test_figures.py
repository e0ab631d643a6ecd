"""Figures, drawn from the rows in `results/`."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from tests.helpers.rows import row
from timing_tasks.cli.schema import FIGURES
from timing_tasks.errors import NothingToDrawError
from timing_tasks.models.trajectory import trajectory
from timing_tasks.report.figures import DRAWINGS, png
from timing_tasks.results.published import read_published
from timing_tasks.results.row import Row, read_rows
from timing_tasks.results.statistics import paired_ratio, summarise
from timing_tasks.tasks import Purpose, stream

ROOT = Path(__file__).parents[2]
SOURCES = {
    **{
        "streams_against_interval": "table1",
        "delays": "table1",
        "spikes": "table3",
        "functions": "table4",
        "start": "table4",
    },
    **{"ratios": "initial_state", "learned_states": "initial_state", "test_time": "initial_state", "stuck": "stuck"},
    "horizon": "horizon",
    "tasks_against_weights": "recipes",
    "long_delays": "delays",
    "runaway": "delays",
    "phases": "phases",
}


def rows_of(name: str) -> list[Row]:
    return read_rows(ROOT / "results" / SOURCES[name] / "runs.csv")


def draw(name: str) -> Figure:
    return DRAWINGS[name].draw(rows_of(name), read_published(ROOT / "reproduce" / "published"))


def test_every_figure_has_its_name_and_its_rows():
    assert set(FIGURES) == DRAWINGS.keys() == SOURCES.keys()


def test_the_horizon_is_drawn_from_rows_that_need_not_be_solved():
    kinds = {
        "task": "nmsd",
        "peepholes": True,
        "forget_gate": True,
        "model": "peephole_lstm 1",
        "output_activation": "sigmoid",
    }
    rows = [
        row(k, interval=interval, recipe=recipe, status=status, training_streams=streams, **kinds)
        for recipe in ("online", "bptt")
        for k, (interval, status, streams) in enumerate(
            [(10, "solved", 900), (100, "solved", 5000), (1000, "unsolved", 9000)]
        )
    ]
    figure = DRAWINGS["horizon"].draw(rows, [])
    assert png(figure) == png(DRAWINGS["horizon"].draw(rows, []))
    assert figure.axes[0].get_xlabel()
    assert figure.axes[0].get_ylabel()


@pytest.mark.parametrize("name", SOURCES)
def test_a_figure_is_labelled_and_a_pure_function_of_the_rows(name: str):
    figure = draw(name)
    assert png(figure) == png(draw(name))
    panels = np.array(figure.axes).reshape(figure.axes[0].get_gridspec().get_geometry())
    for column in panels.T:
        named_ticks = [label.get_text() for label in column[-1].get_xticklabels()]
        assert column[-1].get_xlabel() or any("F=10" in text for text in named_ticks)
    for across in panels:
        named_ticks = [label.get_text() for label in across[0].get_yticklabels()]
        assert across[0].get_ylabel() or any("F=10" in text for text in named_ticks)


def lines(panel: object) -> dict[str, np.ndarray]:
    return {line.get_label(): np.asarray(line.get_ydata()) for line in panel.get_lines()}  # type: ignore[attr-defined]


def test_what_is_drawn_of_a_net_is_what_it_does():
    figure = draw("spikes")
    row = min(
        (
            r
            for r in rows_of("spikes")
            if (r.interval, r.offsets, r.peepholes, r.forget_gate, r.status) == (10, (0,), True, True, "solved")
        ),
        key=lambda r: r.replica,
    )
    asked = stream(row.asked, 1, row.replica, row.training_streams, Purpose.TEST, 0, 10)
    units = trajectory(row.net_weights, asked.inputs)
    outputs, cell, gates = (figure.axes[3 * k] for k in range(3))
    np.testing.assert_array_equal(lines(outputs)["output z"], units.output[50:])
    np.testing.assert_array_equal(lines(outputs)["target d"], asked.targets[50:])
    np.testing.assert_array_equal(lines(cell)["cell state s"], units.cell_state[50:])
    np.testing.assert_array_equal(lines(gates)["forget gate f"], units.forget_gate[50:])


def test_the_points_of_figure_4_are_the_means():
    figure = draw("streams_against_interval")
    for peepholes, line in ((False, 0), (True, 1)):
        drawn = [c for c in figure.axes[0].containers if "here" in c.get_label()][line].lines[0]
        for x, y in zip(drawn.get_xdata(), drawn.get_ydata(), strict=True):
            f = round(x)
            mine = [r for r in rows_of("delays") if (r.task, r.interval, r.peepholes) == ("nmsd", f, peepholes)]
            assert y == summarise(mine).mean


def test_the_shares_over_long_delays_are_those_of_the_rows():
    axes = draw("long_delays").axes[0]
    [drawn] = [c.lines[0] for c in axes.containers if c.get_label() == "LSTM, learned"]
    mine = [r for r in rows_of("long_delays") if (r.model, r.peepholes) == ("peephole_lstm 1", False)]
    shares = []
    for f in sorted({r.interval for r in mine}):
        nets = [r.is_solved for r in mine if (r.interval, r.initial_state) == (f, "learned")]
        shares.append(sum(nets) / len(nets))
    assert drawn.get_ydata().tolist() == shares


def test_the_ratios_are_those_of_the_pairs():
    rows = [
        r
        for r in rows_of("ratios")
        if (r.task, r.interval, r.waveform, r.peepholes, r.tolerance) == ("pfg", 10, "cos", True, 0.3)
    ]
    groups = [[r for r in rows if r.initial_state == name] for name in ("learned", "zero")]
    axes = draw("ratios").axes[0]
    place = [label.get_text() for label in axes.get_yticklabels()].index("PFG F=10 cos, peephole")
    [point] = [
        line.get_xdata()[0] for line in axes.get_lines() if line.get_marker() == "o" and line.get_ydata()[0] == place
    ]
    assert point == paired_ratio(*groups).ratio


OF_NETS = ("delays", "spikes", "functions", "start", "stuck", "test_time")


@pytest.mark.parametrize("name", OF_NETS)
def test_a_figure_of_nets_needs_one(name: str):
    with pytest.raises(NothingToDrawError, match="no solved net"):
        DRAWINGS[name].draw([], [])
