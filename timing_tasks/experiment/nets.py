"""The net that made a row, ready to run and to go on training."""

from __future__ import annotations

import re
from pathlib import Path

from timing_tasks.conditions.condition import Budget, Condition, Protocol
from timing_tasks.conditions.initial_state import NamedInitialState
from timing_tasks.conditions.model import CELL_NAMES, Model
from timing_tasks.conditions.recipe import BPTT, ONLINE
from timing_tasks.errors import ResultsError
from timing_tasks.models.build import build_net
from timing_tasks.models.timing_net import TimingNet
from timing_tasks.models.weights import WEIGHT_NAMES
from timing_tasks.results.row import Row, read_rows


def load_net(row: Row | str | Path, replica: int = 0, **condition: object) -> TimingNet:
    """The net of a row as it was at the row's end, in float64.

    Args:
        row: of results, or a `runs.csv` to look it up in.
        replica: which one, in a file.
        **condition: more that the row has to have, by column, in a file: `task="gts", interval=10`.

    Raises:
        ResultsError: no such row in the file, or several; a net of a module of somebody's own, whose class is not
            known.

    Example:
        >>> net = load_net(
        ...     "results/table3/runs.csv", task="gts", interval=10, offsets=(0,), peepholes=True, forget_gate=True
        ... )  # doctest: +SKIP
    """
    if not isinstance(row, Row):
        row = _found(Path(row), {"replica": replica, **condition})
    net = build_net(_condition(row), row.seed, row.replica)
    assert isinstance(net, TimingNet)
    weights = row.net_weights
    if not row.forget_gate:  # the engines pass it over, whatever its weights
        always_open = net.vector()
        here = [n for n, name in enumerate(WEIGHT_NAMES) if name in ("w_fx", "w_fh", "b_f", "p_f")]
        weights[here] = always_open[here]
    net.load_vector(weights)
    return net


def _found(path: Path, wanted: dict[str, object]) -> Row:
    rows = [row for row in read_rows(path) if all(getattr(row, key) == value for key, value in wanted.items())]
    if len(rows) != 1:
        said = ", ".join(f"{key}={value}" for key, value in wanted.items())
        raise ResultsError(f"{path}: {len(rows)} rows with {said}; one is needed")
    return rows[0]


def _condition(row: Row) -> Condition:
    """A condition whose nets have the architecture of the row's; how it learned is not in a row."""
    name, _, size = row.model.rpartition(" ")
    cell = re.fullmatch(r"(\w+)\(weights=(\d+)\)", row.model)
    if cell and cell[1] in CELL_NAMES:
        model = Model("cell", 0, cell[1], {"weights": int(cell[2])})
    elif name in ("peephole_lstm", "lstm", "gru"):
        model = Model(name, int(size))
    else:
        raise ResultsError(f"model={row.model}: a class of somebody's own; make it, and load the row's weights into it")
    return Condition(
        row.asked,
        Protocol(row.protocol, 1.0, 0.0, 0.0, 0.0, 0.0, cell_output_activation=row.cell_output_activation),
        Budget(1, 1),
        peepholes=row.peepholes,
        forget_gate=row.forget_gate,
        output_activation=row.output_activation,
        initial_state=NamedInitialState.of_text(row.initial_state),
        recipe=ONLINE if row.recipe == "online" else BPTT(row.recipe),
        model=model,
    )
