"""Back-propagation through time in Lightning: one LightningModule that trains a whole population in mini-batches."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from timing_tasks.data import TimingDataModule
from timing_tasks.learning import optimizers
from timing_tasks.learning.engine import Population, Verdict
from timing_tasks.learning.metrics import RootMeanSquareError, SolvedFraction, StreamSize
from timing_tasks.learning.module import PopulationModule
from timing_tasks.learning.progress import Counters, StoredNet, packed, unpacked
from timing_tasks.learning.trial import Outcome, examine, loss_of_streams, prefixes, steps_until_wrong
from timing_tasks.models.initial_noise import initial_noise
from timing_tasks.models.nets import Net, create, side_by_side
from timing_tasks.recipe import BPTT
from timing_tasks.tasks import Stream, stream_size

_LOG_SECONDS = 1.0


class BPTTModule(PopulationModule):
    """The nets of a population, trained by one optimiser of torch (automatic optimisation).

    One `training_step` makes one update of every running net, from the gradient of its loss over a mini-batch of its own
    training streams; then a test with frozen weights follows. The losses of the nets are summed, so that each net gets the
    gradient of its own, and every net has parameters of its own: under an optimiser that treats each parameter by itself, as
    those of torch.optim do (LBFGS aside), no net influences another. A finished net has no loss and so no gradient: torch's
    optimisers pass it over, and its weights never move again.

    Nets that have had fewer updates than others, because they joined a run that had begun, go first until all are level.

    Args:
        population: the replicas, all of conditions with the recipe `bptt`.
        data: where their streams come from.

    Attributes:
        nets: of the replicas.
    """

    engine_name = "torch"

    def __init__(self, population: Population, data: TimingDataModule) -> None:
        super().__init__(population)
        self.strict_loading = False  # checkpoints hold the nets by replica
        self.data = data
        self.state: Counters = Counters.blank(len(population))
        keys = [(population.condition_of(r), int(population.seed[r]), int(population.replica[r])) for r in range(len(population))]
        self.nets = nn.ModuleList(create(*key) for key in keys)
        self.training_size, self.training_error, self.solved = StreamSize(), RootMeanSquareError(), SolvedFraction()
        self._elsewhere: list[StoredNet] = []  # of a checkpoint, not of this run
        self._optimizer_state: dict[int, list[dict[str, Any]]] = {}  # of a checkpoint, by replica and parameter
        self._due: list[list[int]] = []  # the replicas of the present update, by condition
        self._began, self._forward = 0.0, np.zeros(0)  # when the update began; seconds of each condition's forward pass
        self._log_due = 0.0

    def net(self, index: int) -> Net:
        """The net of the replica at an index."""
        return cast(Net, self.nets[index])

    def recipe(self, index: int) -> BPTT:
        """The recipe of the replica at an index."""
        return cast(BPTT, self.population.condition_of(index).recipe)

    def weights(self, index: int) -> np.ndarray:
        """See `PopulationModule.weights`."""
        return self.net(index).vector()

    def outputs(self, index: int, stream: Stream) -> np.ndarray:
        """See `PopulationModule.outputs`."""
        with torch.no_grad():
            outputs: np.ndarray = self.net(index)(torch.from_numpy(stream.inputs).reshape(1, -1, 1))[0].numpy()
        return outputs

    def configure_optimizers(self) -> Any:
        """One optimiser with a parameter group for each condition; the scheduler is where the nets that go first are."""
        groups = self._by_condition(self._running())
        if not groups:
            return None
        parameters = [[p for index in group for p in self._learned(index)] for group in groups]
        optimizer, scheduler = optimizers.create([self.recipe(group[0]) for group in groups], parameters)
        for index, states in self._optimizer_state.items():
            for parameter, state in zip(self._learned(index), states, strict=True):
                optimizer.state[parameter] = state
        if scheduler is None:
            return optimizer
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch expects a step of the optimiser before each of the scheduler
            for _ in range(min(map(self._updates, self._running()))):
                scheduler.step()
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def training_step(self, batch: Population, batch_idx: int) -> Tensor:
        """The sum of the losses of the nets whose turn it is."""
        self._began = time.perf_counter()
        running = self._running()
        fewest = min(map(self._updates, running))
        self._due = self._by_condition([index for index in running if self._updates(index) == fewest])
        losses, seconds = [], []
        for group in self._due:
            start = time.perf_counter()
            losses += list(self._losses(group))
            seconds.append(time.perf_counter() - start)
        self._forward = np.array(seconds)
        return torch.stack(losses).sum()

    def _losses(self, group: list[int]) -> Iterator[Tensor]:
        """The loss of each replica of one condition; its training streams are counted.

        Nets run along the first periods only, and longer ones along more, twice as many each time: most nets are soon wrong, and
        what comes after that counts for nothing.
        """
        task, recipe = self.population.condition_of(group[0]).task, self.recipe(group[0])
        most = min(recipe.periods, task.training_periods)
        numbers = self.state.training_streams.tolist()
        going_on = group
        for periods in prefixes(most):
            batch = self.data.training_batch(going_on, [numbers[r] for r in going_on], recipe.streams, periods)
            outputs = side_by_side([self.net(r) for r in going_on], batch.inputs, self._noise(going_on))
            losses, is_whole = loss_of_streams(batch, outputs, task.tolerance)
            longer = is_whole & (periods < most)
            for place, index in enumerate(going_on):
                if longer[place]:
                    continue
                yield losses[place]
                z = outputs[place].detach().numpy()
                for stream, own in zip(batch.streams[place], z, strict=True):
                    self.state.net_steps[index] += steps_until_wrong(stream, own[: len(stream.inputs)], task.tolerance)
                self.state.training_size[index] = stream_size(stream, own[: len(stream.inputs)], task.tolerance)
            self._measure(batch, outputs, ~longer, task.tolerance)
            going_on = [index for place, index in enumerate(going_on) if longer[place]]
            if not going_on:
                return

    def _noise(self, group: list[int]) -> Tensor | None:
        """On the initial states of some replicas of one condition in training, where it has any."""
        people, condition = self.population, self.population.condition_of(group[0])
        if not condition.initial_noise:
            return None
        keys, first = np.stack([people.seed[group], people.replica[group]], axis=1), self.state.training_streams[group].numpy()
        states = 2 if condition.model.has_cells else 1
        return initial_noise(
            condition.initial_noise, keys, first, self.recipe(group[0]).streams, states, condition.model.hidden_size
        )

    def configure_gradient_clipping(self, optimizer: Any, *_: Any, **__: Any) -> None:
        """Each net's gradient by itself; a net whose gradient is not finite has diverged."""
        for index in (index for group in self._due for index in group):
            parameters = self._learned(index)
            clip = self.recipe(index).clip
            norm = nn.utils.clip_grad_norm_(parameters, math.inf if clip is None else clip)
            if not torch.isfinite(norm):
                self.state.verdict[index] = Verdict.DIVERGED
                for parameter in parameters:
                    parameter.grad = None

    def optimizer_step(self, *arguments: Any, **named: Any) -> None:
        """The update, then the tests."""
        before = int(self.state.net_steps.sum())
        super().optimizer_step(*arguments, **named)
        shared = time.perf_counter() - self._began - self._forward.sum()  # the backward pass and the update
        shares = self._forward * (1 + shared / max(self._forward.sum(), 1e-9))
        for group, share in zip(self._due, shares, strict=True):
            start = time.perf_counter()
            self._after_update(group)
            self.seconds[group] += (share + time.perf_counter() - start) / len(group)
        seconds = time.perf_counter() - self._began
        self.net_steps_per_second = (int(self.state.net_steps.sum()) - before) / seconds
        self.trainer.should_stop = self.is_finished

    def _after_update(self, group: list[int]) -> None:
        """Test the replicas of one condition and reach their verdicts."""
        state, condition = self.state, self.population.condition_of(group[0])
        state.training_streams[group] += self.recipe(group[0]).streams
        alive = [index for index in group if state.verdict[index] == Verdict.RUNNING]
        numbers = state.training_streams.tolist()
        outcomes = examine(
            condition.task,
            alive,
            lambda some, test, periods: self.data.test_batch(some, [numbers[r] for r in some], test, periods),
            lambda some, inputs: side_by_side([self.net(r) for r in some], inputs),
        )
        for index, outcome in outcomes.items():
            state.take(index, outcome)
            state.verdict[index] = self._verdict(index, outcome)
        self.solved.update(state.verdict[group] == Verdict.SOLVED)

    def _verdict(self, index: int, outcome: Outcome) -> Verdict:
        """After a test, by the same rule as the engines'."""
        budget = self.population.condition_of(index).budget
        if outcome.solved:
            return Verdict.SOLVED
        if not all(bool(torch.isfinite(p).all()) for p in self.net(index).parameters()):
            return Verdict.DIVERGED
        spent = self.state.training_streams[index] >= budget.training_streams or self.state.net_steps[index] >= budget.net_steps
        return Verdict.UNSOLVED if spent else Verdict.RUNNING

    def _measure(self, batch: Any, outputs: Tensor, counted: Tensor, tolerance: float) -> None:
        """For the log."""
        z, d, mask = outputs.detach()[counted], batch.targets[counted], batch.has_target[counted]
        self.training_size.update(z, d, mask, batch.period[counted], tolerance)
        self.training_error.update(z, d, mask)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """About once a second, what the metrics have gathered since the last time."""
        if (now := time.monotonic()) >= self._log_due or self.is_finished:
            self._log_due = now + _LOG_SECONDS
            metrics = {"mean training stream size": self.training_size, "training RMSE": self.training_error}
            for name, metric in (metrics | {"solved fraction of the tests": self.solved}).items():
                self.log(name, metric.compute(), batch_size=1)
                metric.reset()

    def _running(self) -> list[int]:
        return np.flatnonzero(self.state.verdict.numpy() == Verdict.RUNNING).tolist()

    def _updates(self, index: int) -> int:
        return int(self.state.training_streams[index]) // self.recipe(index).streams

    def _by_condition(self, indices: Sequence[int]) -> list[list[int]]:
        groups: dict[int, list[int]] = {}
        for index in indices:
            groups.setdefault(int(self.population.condition[index]), []).append(index)
        return list(groups.values())

    def _learned(self, index: int) -> list[nn.Parameter]:
        """What the replica's net learns."""
        return [parameter for parameter in self.net(index).parameters() if parameter.requires_grad]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store the nets by replica, with what the optimiser keeps of each; the scheduler follows from the updates."""
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, torch.optim.Optimizer)
        nets = [
            StoredNet(
                name,
                [parameter.detach() for parameter in self.net(index).parameters()],
                [dict(optimizer.state[parameter]) for parameter in self._learned(index)],
                self.state.row(index),
                float(self.seconds[index]),
            )
            for index, name in enumerate(self.names())
        ]
        checkpoint["nets"] = packed([net.as_tree() for net in nets + self._elsewhere])
        checkpoint["state_dict"], checkpoint["optimizer_states"], checkpoint["lr_schedulers"] = {}, [], []

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take every net that the checkpoint knows; others start from the beginning."""
        nets = {net.name: net for net in map(StoredNet.of_tree, unpacked(checkpoint["nets"]))}
        for index, name in enumerate(self.names()):
            if (net := nets.pop(name, None)) is not None:
                with torch.no_grad():
                    for parameter, stored in zip(self.net(index).parameters(), net.parameters, strict=True):
                        parameter.copy_(stored)
                self._optimizer_state[index] = net.optimizer
                self.state.put_row(index, net.counters)
                self.seconds[index] = net.seconds
        self._elsewhere = list(nets.values())
