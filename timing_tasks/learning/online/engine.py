"""Who executes the hot loop of the online recipe: the native engine, or plain tensor operations."""

from __future__ import annotations

import importlib.util
import os
import warnings
from typing import TYPE_CHECKING, Protocol

from timing_tasks.errors import ConfigurationError, check_whole

if TYPE_CHECKING:  # a config names an engine before torch is imported
    import torch

    from timing_tasks.learning.online.population import Population, State

ENGINES = ("native", "torch")


class Engine(Protocol):
    """What an engine offers.

    Attributes:
        name: one of ENGINES.
        block: it is fastest, and the torch engine's digits are always the same, where it is asked for multiples of so
            many steps.
    """

    name: str
    block: int

    def on(self, device: torch.device) -> Engine:
        """The engine for a device: the native engine is always on the CPU."""

    def run(self, population: Population, state: State, net_steps: int) -> None:
        """Advance every running replica by exactly `net_steps` net-steps, or until it is finished; `state` is changed.

        The state after is a function of the population and the state before alone, not of how a run is divided into
        calls. With the native engine no replica's digits depend on the others; torch's own functions may round a number
        otherwise in another place of a tensor, so that the torch engine's last digits can depend on the number of
        replicas.
        """


def available(name: str) -> str:
    """The engine that runs for one of ENGINES: itself, or, with a warning, `torch` where `native` was not built.

    Raises:
        ConfigurationError: an unknown name.
    """
    if name not in ENGINES:
        raise ConfigurationError("engine", name, " or ".join(ENGINES))
    if name == "native" and importlib.util.find_spec("_timing_tasks_native") is None:
        warnings.warn(
            "timing-tasks was installed without its native engine (no C++ compiler was found): using the torch engine, "
            "which is thousands of times slower for ten nets. Install a C++ compiler and reinstall to get it.",
            stacklevel=2,
        )
        return "torch"
    return name


def create(name: str, threads: int | None = None, sharers: int = 1) -> Engine:
    """The engine of a name, or the one that can serve for it, see `available`.

    Args:
        name: one of ENGINES.
        threads: of the native engine; by default all cores, divided among the processes that share them.
        sharers: how many such processes there are.

    Raises:
        ConfigurationError: an unknown name, or threads below 1.
    """
    name = available(name)
    if threads is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        threads = max(1, cores // sharers)
    check_whole("engine.threads", threads, 1, 4096)
    if name == "native":
        from timing_tasks.learning.online.native import NativeEngine

        return NativeEngine(threads)
    from timing_tasks.learning.online.torch_engine import TorchEngine

    return TorchEngine()
