"""The torch engine: the paper's learning rule in plain tensor operations over the replica axis, on any device.

It is the readable one, and the native engine's independent check. Every tensor has the shape [replicas]: a weight is a
column, so that torch.compile makes one kernel of a block of steps; on a GPU a thread is to keep a net in its registers
and touch the memory at the block's ends. Nothing waits for a kernel before the end of a call, as long as whole blocks
are asked for.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from timing_tasks.learning.online import cell
from timing_tasks.learning.online.columns import Columns
from timing_tasks.learning.online.fusion import FUSED, one_net_a_thread
from timing_tasks.learning.online.population import Population, State, Verdict
from timing_tasks.models.weights import WEIGHT_NAMES
from timing_tasks.philox import philox4x32
from timing_tasks.tasks.paper import TASKS
from timing_tasks.tasks.streams import Purpose

NMSD, _, GTS, PFG = range(len(TASKS))


class TorchEngine:
    """See `Engine`.

    Args:
        device: where it computes.
        block: how many steps torch.compile makes one program of, for which it takes about twenty seconds a step; 1:
            nothing is compiled, every operation runs by itself; None: 4, and on a CPU 1.
    """

    name = "torch"

    def __init__(self, device: torch.device | str = "cpu", block: int | None = None) -> None:
        self.device, self._asked = torch.device(device), block
        self.block = block if block is not None else 1 if self.device.type == "cpu" else 4

    def on(self, device: torch.device) -> TorchEngine:
        """See `Engine.on`."""
        return TorchEngine(device, self._asked)

    @torch.no_grad()
    def run(self, population: Population, state: State, net_steps: int) -> None:
        """See `Engine.run`."""
        run = _Run(population, state.to(self.device))
        if self.block > 1:
            on_gpu = self.device.type != "cpu"
            advance = _compiled_advance(on_gpu)
            with one_net_a_thread() if on_gpu else contextlib.nullcontext():
                for _ in range(net_steps // self.block):
                    advance(run, self.block)
            net_steps %= self.block
        run.advance(net_steps)
        for name, tensor in state.tensors().items():
            tensor.copy_(getattr(run.n, name).movedim(-1, 0))


@functools.cache
def _compiled_advance(on_gpu: bool) -> Callable[[_Run, int], None]:
    """On a GPU one program for two or more nets, another with noise; on a CPU the first size has its own.

    There it is twice as fast as the one that all others share.
    """
    return torch.compile(_Run.advance, fullgraph=True, dynamic=on_gpu or None, options=FUSED)


class _Run(Columns):
    """One call of `run`: the population's and the state's columns.

    Attributes:
        n: the state with the replicas as the last dimension; during `advance` with lists of columns instead of
            matrices.
        is_noisy: whether there is noise on any initial state.
        has_full_gradient: whether any net has the full gradient.
        has_carried_state: whether any net's training streams begin where the last has ended.
    """

    def __init__(self, population: Population, state: State) -> None:
        def tensor(array: object) -> Tensor:
            return torch.as_tensor(array, device=state.verdict.device)

        super().__init__(population, state.verdict.device)
        self.replica, self.seed = tensor(population.replica), tensor(population.seed)
        # Never short: torch.compile would make another program where a tensor has one entry, or none.
        self.all_offsets, self.all_targets = (
            tensor(np.append(a, [0, 0])) for a in (population.offsets, population.targets)
        )
        # Copies: torch.compile would make another program of a view.
        columns = {n: t.movedim(0, -1).clone(memory_format=torch.contiguous_format) for n, t in state.tensors().items()}
        self.n: Any = State(**columns)
        self.is_noisy, self.has_full_gradient, self.has_carried_state = (
            bool(population.records[name][population.condition].any())
            for name in ("initial_noise", "full_gradient", "state_carried_over")
        )
        self.is_single = self.task == NMSD
        self.is_dense = (self.task == GTS) | (self.task == PFG)
        self.offset = torch.zeros_like(self.task)
        self._draw(torch.ones_like(self.is_single))

    def advance(self, net_steps: int) -> None:
        n = self.n
        n.weights, n.deltas, n.traces = (list(matrix.unbind()) for matrix in (n.weights, n.deltas, n.traces))
        for _ in range(net_steps):
            active = n.verdict == int(Verdict.RUNNING)  # dynamo takes no enumeration
            if _can_skip(active):
                break
            self._step(active)
        n.weights, n.deltas, n.traces = (torch.stack(columns) for columns in (n.weights, n.deltas, n.traces))

    def _length(self) -> Tensor:
        """Steps of the present period."""
        return self.min_interval + self.offset + torch.where(self.n.period == 0, self.first_spike_later, 0)

    def _draw(self, where: Tensor) -> None:
        """I(n) of the present period, for the replicas `where` one begins (see `tasks.streams.offsets`)."""
        n, test = self.n, self.n.phase == 1
        draw = torch.where(self.is_single, n.training_streams, n.period)
        purpose = torch.where(test, int(Purpose.TEST), int(Purpose.TRAINING))
        words = philox4x32(
            (
                draw // 4,
                torch.where(self.is_single, 0, n.training_streams),
                torch.where(test, n.test_stream, 0),
                purpose,
            ),
            (self.seed, self.replica),
        )
        first, second = (torch.where(draw % 2 == 0, *pair) for pair in (words[:2], words[2:]))
        word = torch.where(draw % 4 < 2, first, second)
        choice = torch.where(self.is_single & test, n.test_stream, (word * self.offsets) >> 32)
        drawn = self.all_offsets[self.first_offset + choice.minimum(self.offsets - 1)]
        self.offset = torch.where(where, drawn, self.offset)

    def _shift(self, training: Tensor) -> tuple[Tensor, Tensor]:
        """What is added to s(0) and y(0) of the present stream: noise, or the state that the last one left."""
        shift_s, shift_y = self._noise(training)
        if self.has_carried_state:
            carried = training & (self.state_carried_over == 1)
            shift_s = torch.where(carried, self.n.carried_state, shift_s)
            shift_y = torch.where(carried, self.n.carried_output, shift_y)
        return shift_s, shift_y

    def _noise(self, training: Tensor) -> tuple[Tensor, Tensor]:
        if not self.is_noisy:
            return self.initial_noise, self.initial_noise
        zero = torch.zeros_like(self.seed)
        words = philox4x32(
            (self.n.training_streams, zero, zero, zero + int(Purpose.INITIAL_STATE)), (self.seed, self.replica)
        )
        width = torch.where(training, self.initial_noise, 0.0)
        noise_s, noise_y = (width * ((2.0 * word.to(torch.float64) + 1.0) * 2.0**-32 - 1.0) for word in words[:2])
        return noise_s, noise_y

    def _step(self, active: Tensor) -> None:
        n = self.n
        w = dict(zip(WEIGHT_NAMES, n.weights, strict=True))
        training = active & (n.phase == 0)
        first = (n.period == 0) & (n.step == 0)

        # The stream's next step.
        length = self._length()
        at_end = n.step == length - 1
        value = self.offset.to(torch.float64)
        shown = (self.task == GTS) & ((self.input_at_start == 0) | (n.step == 0))
        x = torch.where(self.is_dense, torch.where(shown, value, 0.0), at_end.to(torch.float64))
        waveform = self.all_targets[
            (self.first_target + self.min_interval - 1 - n.step).clamp(0, len(self.all_targets) - 1)
        ]
        spike = at_end.to(torch.float64)
        d = torch.where(self.task == PFG, waveform, torch.where(self.task == GTS, spike, value))
        has_target = self.is_dense | at_end

        # Forward (PAPER.md 1).
        shift_s, shift_y = self._shift(training)
        s_old = torch.where(first, w["s_0"] + shift_s, n.cell_state)
        y_old = torch.where(first, w["y_0"] + shift_y, n.cell_output)
        u = cell.forward(w, x, s_old, y_old, self.peepholes == 1, self.forget_gate == 1, self.centred_logistic == 1)
        net_k = w["w_kh"] * u.y + w["b_k"]
        squashed = torch.sigmoid(net_k)
        z = torch.where(self.sigmoid_output == 1, squashed, net_k)
        slope = torch.where(self.sigmoid_output == 1, squashed * (1 - squashed), 1.0)
        error = torch.where(has_target, d - z, 0.0)
        wrong = has_target & ~(error.abs() < self.tolerance)

        # Traces and the descent (PAPER.md 2), in the order of the weights.
        descends = (
            training & (has_target | (self.update_without_target == 1)) & ~(wrong & (self.update_when_wrong == 0))
        )
        at_k = error * slope
        start = cell.Start(first, self.learn_cell_state == 1, self.learn_cell_output == 1)
        traces, downhill = cell.truncated(w, u, n.traces, start, at_k * w["w_kh"])
        traces += n.traces[len(traces) :]
        if self.has_full_gradient:
            both = zip(cell.full(w, u, n.traces, start, at_k * w["w_kh"]), (traces, downhill), strict=True)
            traces, downhill = (
                [torch.where(self.full_gradient == 1, f, t) for f, t in zip(*pair, strict=True)] for pair in both
            )
        downhill += [at_k * u.y, at_k]
        # A change per stream sums up the stream's gradients in the deltas, to which the momentum is applied between
        # streams.
        momentum = torch.where(self.update_per_stream == 1, 1.0, self.momentum)
        n.deltas = [
            torch.where(descends, momentum * delta + self.learning_rate * down, delta)
            for delta, down in zip(n.deltas, downhill, strict=True)
        ]
        self._move(descends & (self.update_per_stream == 0))
        n.traces = [torch.where(training, trace, 0.0) for trace in traces]
        n.cell_state, n.cell_output = torch.where(active, u.s, n.cell_state), torch.where(active, u.y, n.cell_output)
        n.squared_error = torch.where(training, 0.0, torch.where(active, n.squared_error + error**2, n.squared_error))
        n.net_steps = n.net_steps + active
        self._follow(active, training, at_end, wrong, ~error.isfinite())

    def _move(self, where: Tensor) -> None:
        """The weights by their deltas, unless they are frozen."""
        moving = where & (self.frozen_weights == 0)
        self.n.weights = [
            torch.where(moving, w + delta, w) for w, delta in zip(self.n.weights, self.n.deltas, strict=True)
        ]

    def _follow(self, active: Tensor, training: Tensor, at_end: Tensor, wrong: Tensor, not_finite: Tensor) -> None:
        """Where the stream goes after a step (PAPER.md 3)."""
        n, length = self.n, self._length()
        diverged = active & wrong & not_finite
        ok = active & ~diverged
        period_end = ok & at_end & ~wrong
        n.period = n.period + period_end
        n.targets = n.targets + torch.where(period_end, torch.where(self.is_dense, length, 1), 0)
        n.step = torch.where(ok, torch.where(period_end, 0, n.step + 1), n.step)
        limit = torch.where(training, self.training_periods, self.test_periods)
        stream_end = ok & (wrong | (period_end & (n.period == limit)))
        begins = period_end
        if not _can_skip(stream_end | diverged):
            finished = self._end_streams(stream_end & training, stream_end & ~training, wrong, diverged)
            begins = (period_end | stream_end) & ~finished
        if not _can_skip(begins):
            self._draw(begins)

    def _end_streams(self, trained: Tensor, tested: Tensor, wrong: Tensor, diverged: Tensor) -> Tensor:
        """After the last step of training or test streams; returns which replicas are finished."""
        n, between = self.n, self.training_between_tests == 1
        n.training_size = torch.where(trained, n.period, n.training_size)
        n.test_size = torch.where(tested, n.period, n.test_size)
        n.training_streams = n.training_streams + trained
        passed = torch.where(between & tested & wrong, 0, n.test_stream + (tested & ~wrong))
        n.test_stream = torch.where(trained & ~between, 0, passed)
        self._move(trained & (self.update_per_stream == 1))
        if self.has_carried_state:
            carried = trained & (self.state_carried_over == 1)
            n.carried_state = torch.where(carried, n.cell_state, n.carried_state)
            n.carried_output = torch.where(carried, n.cell_output, n.carried_output)
        n.targets = torch.where(trained, 0, n.targets)
        solved = tested & ~wrong & (n.test_stream == self.test_streams)
        spent = (n.training_streams >= self.budget_training_streams) | (n.net_steps >= self.budget_net_steps)
        unsolved = tested & wrong & spent
        for where, verdict in ((diverged, Verdict.DIVERGED), (solved, Verdict.SOLVED), (unsolved, Verdict.UNSOLVED)):
            n.verdict = torch.where(where, int(verdict), n.verdict)
        finished: Tensor = diverged | solved | unsolved
        goes_on = (trained | tested) & ~finished
        trains = goes_on & tested & (wrong | between)
        n.phase = torch.where(goes_on, torch.where(trains, 0, 1), n.phase)
        carried = torch.where(self.update_per_stream == 1, self.momentum, 1.0) * self.momentum_carried_over
        n.deltas = [torch.where(trains, carried * delta, delta) for delta in n.deltas]
        n.period = torch.where(goes_on, 0, n.period)
        n.step = torch.where(goes_on | finished, 0, n.step)
        n.cell_state, n.cell_output = (torch.where(finished, 0.0, column) for column in (n.cell_state, n.cell_output))
        n.traces = [torch.where(finished, 0.0, trace) for trace in n.traces]
        return finished


def _can_skip(where: Tensor) -> bool:
    """Whether no entry needs work; never under torch.compile, since a look would wait for the device."""
    return not torch.compiler.is_compiling() and not bool(where.any())
