"""Figures, drawn from the rows in `results/`."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from timing_tasks.errors import ResultsError
from timing_tasks.figures import DRAWINGS, png
from timing_tasks.published import read_published
from timing_tasks.results import read_rows

ROOT = Path(__file__).parent.parent
SOURCES = {
    **{"streams_against_interval": "table1", "delays": "table1", "spikes": "table3", "functions": "table4", "start": "table4"},
    **{"ratios": "initial_state", "learned_states": "initial_state", "stuck": "initial_state", "test_time": "initial_state"},
}


def draw(name: str) -> Figure:
    rows = read_rows(ROOT / "results" / SOURCES[name] / "runs.csv")
    return DRAWINGS[name].draw(rows, read_published(ROOT / "reproduce" / "published"))


def test_every_figure_has_its_rows():
    assert SOURCES.keys() == DRAWINGS.keys()


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_figure_is_labelled_and_a_pure_function_of_the_rows(name: str):
    figure = draw(name)
    assert png(figure) == png(draw(name))
    panels = figure.axes
    grid = panels[0].get_gridspec()
    for panel in panels:
        place = panel.get_subplotspec()
        shared = panel.get_shared_x_axes().get_siblings(panel)
        if place.rowspan.stop == grid.nrows and len(panel.get_xticklabels()) and name != "learned_states":
            assert panel.get_xlabel(), name
        if place.colspan.start == 0 and name != "ratios":
            assert panel.get_ylabel(), name
        assert len(shared) >= 1


@pytest.mark.parametrize(
    "name", [name for name in DRAWINGS if name not in ("streams_against_interval", "ratios", "learned_states")]
)
def test_a_figure_of_nets_needs_a_solved_one(name: str):
    with pytest.raises(ResultsError, match="no solved net"):
        DRAWINGS[name].draw([], [])
