"""A stand-in for a GPU: it reads a launch's arguments as the kernel does and advances the nets on the CPU."""

import ctypes
from dataclasses import fields

import _timing_tasks_native as native
import numpy as np

from timing_tasks.learning.online.kernel import THREADS
from timing_tasks.learning.online.population import CONDITION_RECORD, TRACES, WEIGHTS, State

WIDTHS = {"weights": WEIGHTS, "deltas": WEIGHTS, "traces": TRACES}
REALS = {*WIDTHS, "cell_output", "cell_state", "carried_output", "carried_state", "squared_error"}


def memory(address: int, count: int, kind: type) -> np.ndarray:
    """What lies at an address."""
    return np.frombuffer((ctypes.c_char * (8 * count)).from_address(address), dtype=kind)


class FakeGpu:
    """Of a number of warps. `launched` has the needs, the blocks, the lanes and the order of each launch."""

    def __init__(self, warps: int = 3, error: Exception | None = None) -> None:
        self.warps, self.error = warps, error
        self.launched: list[tuple[int, int, int, list[int]]] = []
        self.is_waiting = False

    def launch(self, needs: int, blocks: int, *arguments: object) -> None:
        assert [type(a) for a in arguments] == [int, int, np.int64, np.int64, np.int32]
        table, order_at, count, net_steps, lanes = map(int, arguments)  # type: ignore[call-overload]
        names = [field.name for field in fields(State)]
        addresses = memory(table, 5 + len(names), np.int64).tolist()
        replicas = addresses[-1]
        order = memory(order_at, count, np.int64).tolist()
        self.launched.append((needs, blocks, lanes, order))
        keys = memory(addresses[3], 3 * replicas, np.int64)
        records = memory(addresses[0], (int(keys[::3].max()) + 1) * CONDITION_RECORD.itemsize // 8, np.int64)
        conditions = records.view(CONDITION_RECORD)
        offsets = memory(addresses[1], int((conditions["first_offset"] + conditions["offsets"]).max()), np.int64)
        ends = (conditions["first_target"] + conditions["min_interval"]) * (conditions["task"] == 3)
        targets = memory(addresses[2], int(ends.max()), np.float64)
        state = {
            name: memory(address, replicas * WIDTHS.get(name, 1), np.float64 if name in REALS else np.int64)
            for name, address in zip(names, addresses[4:-1], strict=True)
        }
        threads = np.arange(blocks * THREADS)
        places = (threads // 32 * lanes + threads % 32)[threads % 32 < lanes]
        mine = np.array(order)[places[places < count]]
        assert sorted(mine.tolist()) == sorted(order)  # each net has one thread
        rows = {n: a.reshape(replicas, -1)[mine].reshape(-1).copy() for n, a in state.items()}
        some = np.ascontiguousarray(keys.reshape(-1, 3)[mine]).reshape(-1)
        native.run_one_net(records.view(np.uint8), offsets, targets, some, rows, net_steps, needs & 7)
        for name, array in state.items():
            array.reshape(replicas, -1)[mine] = rows[name].reshape(len(mine), -1)

    def wait(self) -> None:
        if self.error:
            raise self.error
