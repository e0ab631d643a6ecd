"""The kernel of the cuda engine, `native/kernel.cu`: compiled by NVRTC at first use, launched on torch's stream."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import torch

_SOURCE = Path(__file__).parents[2] / "native" / "kernel.cu"
THREADS = 64  # of a block


@functools.cache
def source() -> str:
    """The kernel with all its headers in one text, which alone decides whether a compiled one is in the cache."""
    seen: set[str] = set()

    def text(path: Path) -> str:
        def included(found: re.Match[str]) -> str:
            name = found[1]
            return "" if name in seen or seen.add(name) else text(path.parent / name)  # type: ignore[func-returns-value]

        return re.sub(r'^#include "(.+)"$', included, path.read_text(), flags=re.MULTILINE)

    return text(_SOURCE).replace("#pragma once\n", "")


def compiled(architecture: str, needs: int, log: Any = None) -> Any:
    """The kernel for nets with some needs (`native/population.hpp`), a `cuda.core.ObjectCode`; no GPU is needed for it.

    Args:
        architecture: such as `sm_90`.
        needs: a bit for each.
        log: a text file for what compiler and assembler report; with it the cache on disk is not used.
    """
    from cuda.core import Program, ProgramOptions
    from cuda.core.utils import FileStreamProgramCache

    options = ProgramOptions(
        name="timing_tasks",
        arch=architecture,
        std="c++17",
        fma=False,  # multiplications and additions stay what they are: a CPU's digits
        device_as_default_execution_space=True,
        define_macro=("TIMING_TASKS_NEEDS", str(needs)),
        ptxas_options="-v" if log else None,
    )
    program = Program(source(), "c++", options)
    return program.compile("cubin", logs=log) if log else program.compile("cubin", cache=FileStreamProgramCache())


class Gpu:
    """One GPU.

    Args:
        device: of type cuda.

    Attributes:
        warps: how many warps of the kernel it holds at a time, whatever a kernel's registers.
    """

    def __init__(self, device: torch.device) -> None:
        from cuda.core import Device

        self._device, self._torch_device = Device(device.index or 0), device
        self.warps = 8 * torch.cuda.get_device_properties(device).multi_processor_count
        self._kernels: dict[int, Any] = {}

    def __cuda_stream__(self) -> tuple[int, int]:
        """Torch's stream, in the protocol of `cuda.core`."""
        return 0, torch.cuda.current_stream(self._torch_device).cuda_stream

    def launch(self, needs: int, blocks: int, *arguments: Any) -> None:
        """Start the kernel for some needs; `arguments` are addresses as int and NumPy scalars."""
        from cuda.core import LaunchConfig, launch

        with torch.cuda.device(self._torch_device):
            self._device.set_current()
            if needs not in self._kernels:
                architecture = f"sm_{self._device.arch}"
                self._kernels[needs] = compiled(architecture, needs).get_kernel("advance")
            stream = self._device.create_stream(self)
            launch(stream, LaunchConfig(grid=blocks, block=THREADS), self._kernels[needs], *arguments)

    def wait(self) -> None:
        """Until everything that was started has ended.

        Raises:
            RuntimeError: something has failed.
        """
        torch.cuda.synchronize(self._torch_device)
