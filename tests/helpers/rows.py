"""Rows for tests."""

from typing import Any

from timing_tasks.results.row import Row

_VALUES: dict[str, Any] = {
    **{"task": "nmsd", "interval": 10, "offsets": (0, 1), "waveform": "", "tolerance": 0.49, "readings": ""},
    **{"peepholes": True, "forget_gate": True, "output_activation": "sigmoid", "model": "peephole_lstm 1"},
    **{"initial_state": "zero", "recipe": "online", "protocol": "p", "seed": 1},
    **{"status": "solved", "training_streams": 5, "rmse": 0.1, "net_steps": 9, "test_size": 1, "weights": ()},
    **{"engine": "native", "version": "1", "commit": ""},
}


def row(replica: int = 0, **changes: Any) -> Row:
    values = _VALUES | {"replica": replica} | changes
    if values["status"] != "solved" and "rmse" not in changes:
        values["rmse"] = None
    return Row(**values)


def rows(solved: list[int], given_up: list[int] = [], diverged: list[int] = []) -> list[Row]:  # noqa: B006
    kinds = (("solved", solved), ("unsolved", given_up), ("diverged", diverged))
    pairs = [(status, streams) for status, several in kinds for streams in several]
    return [row(k, status=status, training_streams=streams) for k, (status, streams) in enumerate(pairs)]
