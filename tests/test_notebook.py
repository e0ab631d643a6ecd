"""The notebook's code runs, one cell after the other."""

import json
from pathlib import Path

NOTEBOOK = Path(__file__).parents[1] / "reproduce" / "own_cell.ipynb"


def test_the_notebook_runs_and_shows_both_nets(capsys):
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] for cell in cells)
    known: dict[str, object] = {}
    for cell in cells:
        source = "".join(cell["source"]).replace("budget=400", "budget=12")  # minutes otherwise
        exec(compile(source, str(NOTEBOOK), "exec"), known)
    shown = capsys.readouterr().out
    for name in ("clocks", "gru"):
        assert f"| {name} |" in shown
    rows = known["rows"]
    assert len(rows) == 12
