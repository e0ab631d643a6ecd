"""Rows for tests."""

from timing_tasks.results.row import COLUMNS, Row


def row(replica: int = 0, **changes: str) -> Row:
    values = dict.fromkeys(COLUMNS, "") | {
        "task": "nmsd",
        "interval": "10",
        "offsets": "0 1",
        "tolerance": "0.49",
        "initial_state": "zero",
        "model": "peephole_lstm 1",
        "recipe": "online",
    }
    values |= {"seed": "1", "replica": str(replica), "status": "solved", "training_streams": "5", "rmse": "0.1"}
    return Row(**values | {"net_steps": "9", "test_size": "1", "version": "1"} | changes)


def rows(solved: list[float], given_up: list[float] = [], diverged: list[float] = []) -> list[Row]:  # noqa: B006
    kinds = (("solved", solved), ("unsolved", given_up), ("diverged", diverged))
    pairs = [(status, streams) for status, several in kinds for streams in several]
    return [
        row(k, status=status, training_streams=str(streams), rmse="0.1") for k, (status, streams) in enumerate(pairs)
    ]
