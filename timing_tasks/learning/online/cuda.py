"""The cuda engine: the native engine's source as a kernel, one net a thread, the same digits.

Nothing here has been measured on a device yet.
"""

from __future__ import annotations

from typing import Protocol

import _timing_tasks_native as native
import numpy as np
import torch
from torch import Tensor

from timing_tasks.errors import UserError
from timing_tasks.learning.online.kernel import THREADS, Gpu
from timing_tasks.learning.online.native import FULL_GRADIENT, records_of
from timing_tasks.learning.online.population import Population, State, Verdict

_WARP = 32


class Launcher(Protocol):
    """What starts kernels: see `kernel.Gpu`."""

    warps: int

    def launch(self, needs: int, blocks: int, *arguments: object) -> None:
        """See `Gpu.launch`."""

    def wait(self) -> None:
        """See `Gpu.wait`."""


class CudaEngine:
    """See `Engine`. Rows, and the state after any call, are the native engine's, bit for bit.

    Args:
        device: where it computes.
        launcher: what starts the kernel there; by default the GPU itself.
    """

    name, digits = "cuda", "native"

    def __init__(self, device: torch.device | str = "cuda", launcher: Launcher | None = None) -> None:
        self.device = torch.device(device)
        self._launcher = launcher
        self._population: tuple[Population, list[Tensor], np.ndarray] | None = None

    def on(self, device: torch.device) -> CudaEngine:
        """See `Engine.on`."""
        return self if self._launcher or device.type != "cuda" else CudaEngine(device)

    @torch.no_grad()
    def run(self, population: Population, state: State, net_steps: int) -> None:
        """See `Engine.run`; a state that is on the device stays there.

        Raises:
            UserError: the device has too little memory, or the kernel failed.
        """
        try:
            there = state.to(self.device)
            self._advance(population, there, net_steps)
        except torch.OutOfMemoryError as error:
            message = (
                f"{self.device}: {len(population)} nets do not fit into its memory; take fewer replicas, or more GPUs"
            )
            raise UserError(message) from error
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0]
            raise UserError(
                f"{self.device}: the kernel failed ({reason}); the same command goes on from here"
            ) from error
        for name, tensor in state.tensors().items():
            tensor.copy_(getattr(there, name))

    def _advance(self, population: Population, state: State, net_steps: int) -> None:
        if self._launcher is None:
            self._launcher = Gpu(self.device)
        arrays, needs = self._uploaded(population)
        table = torch.tensor(
            [*(a.data_ptr() for a in arrays), *(t.data_ptr() for t in state.tensors().values()), len(population)]
        ).to(self.device)
        running = np.flatnonzero(state.verdict.cpu().numpy() == Verdict.RUNNING)
        running = running[np.argsort(population.condition[running], kind="stable")]
        is_full = needs[population.condition[running]] & FULL_GRADIENT != 0
        kept = []  # until the kernels have ended
        for nets in (running[~is_full], running[is_full]):
            if not len(nets) or net_steps < 1:
                continue
            kept.append(order := torch.from_numpy(nets).to(self.device))
            lanes = active_lanes(len(nets), self._launcher.warps)
            blocks = -(-len(nets) // (lanes * (THREADS // _WARP)))
            together = int(np.bitwise_or.reduce(needs[population.condition[nets]]))
            numbers = np.int64(len(nets)), np.int64(net_steps), np.int32(lanes)
            self._launcher.launch(together, blocks, table.data_ptr(), order.data_ptr(), *numbers)
        self._launcher.wait()

    def _uploaded(self, population: Population) -> tuple[list[Tensor], np.ndarray]:
        """The population's arrays on the device, in the order of the native `Population`, and its conditions' needs."""
        if self._population is None or self._population[0] is not population:
            records, offsets, targets, keys = records_of(population)
            needs = np.array(native.needs(records), dtype=np.int64)
            arrays = [torch.from_numpy(a.copy()).to(self.device) for a in (records, offsets, targets, keys)]
            self._population = population, arrays, needs
        return self._population[1:]


def active_lanes(nets: int, warps: int) -> int:
    """How many threads of each warp have a net.

    Streams end at different times, and the threads of a warp wait for each other: so as few as fill the warps that the
    device holds at a time.
    """
    return min(_WARP, max(1, -(-nets // warps)))
