"""Back-propagation through time in Lightning: one LightningModule that trains a whole population in mini-batches."""

from __future__ import annotations

import itertools
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import lightning as L
import numpy as np
import torch
from torch import Tensor

from timing_tasks.conditions.recipe import BPTT
from timing_tasks.data import Asked, Batch, TimingDataModule, batch_of, padded_length
from timing_tasks.experiment import processes
from timing_tasks.learning import optimizers
from timing_tasks.learning.metrics import RootMeanSquareError, SolvedFraction, StreamSize
from timing_tasks.learning.online.population import Population, Verdict
from timing_tasks.learning.population import PopulationModule
from timing_tasks.learning.progress import Counters, StoredNet, packed, unpacked
from timing_tasks.learning.stacks import Stacks
from timing_tasks.learning.trial import GROWTH, examine, judged, losses_of
from timing_tasks.models.initial_noise import initial_noise
from timing_tasks.tasks import Purpose, Stream


class BPTTModule(PopulationModule):
    """The nets of a population, trained by one optimiser of torch (automatic optimisation).

    One `training_step` makes one update of every running net, from the gradient of its loss over a mini-batch of its
    own training streams; then a test with frozen weights follows. The losses of the nets are summed, so that each net
    gets the gradient of its own, and the optimiser treats each number by itself (`optimizers.check`), so that no net
    influences another.

    Nets that have had fewer updates than others, because they joined a run that had begun, go first until all are
    level.

    Args:
        population: the replicas, all of conditions with the recipe `bptt`.
        data: where their streams come from.

    Attributes:
        nets: of the replicas, by their positions in the population.
    """

    engine_name = "torch"
    checkpoint_keys = ("nets",)

    def __init__(self, population: Population, data: TimingDataModule) -> None:
        super().__init__(population)
        self.strict_loading = False  # checkpoints hold the nets by replica
        self.data = data
        self.state: Counters = Counters.blank(len(population))
        self.nets = Stacks(population)
        recipes = [cast(BPTT, population.condition_of(index).recipe) for index in range(len(population))]
        self._streams = [recipe.streams for recipe in recipes]
        tasks = [population.condition_of(index).task for index in range(len(population))]
        self._most = [
            min(recipe.periods, task.training_periods) for recipe, task in zip(recipes, tasks, strict=True)
        ]  # periods
        self.training_size, self.solved, self.error = StreamSize(), SolvedFraction(), RootMeanSquareError()
        self._elsewhere: list[StoredNet] = []  # of a checkpoint, not of this run
        self._scheduled = 0  # steps of the scheduler
        self._due: list[int] = []  # the nets of the present update
        self._began, self._forward = 0.0, np.zeros(0)  # when the update began; seconds of each net's forward pass

    def configure_model(self) -> None:
        """Create the nets, in each process by itself."""
        super().configure_model()
        for metric in (self.training_size, self.solved, self.error):
            metric.reset()
        self.nets.create()

    def configure_callbacks(self) -> list[L.Callback]:
        """One thread does the work of this process."""
        return [_OneThread()]

    def weights(self, index: int) -> np.ndarray:
        """See `PopulationModule.weights`."""
        return self.nets.net(index).vector()

    def outputs(self, index: int, stream: Stream) -> np.ndarray:
        """See `PopulationModule.outputs`."""
        with torch.no_grad():
            outputs: np.ndarray = self.nets.net(index)(torch.from_numpy(stream.inputs).reshape(1, -1, 1))[0].numpy()
        return outputs

    def configure_optimizers(self) -> Any:
        """One optimiser for the running nets of this process; its scheduler is where those that go first are."""
        running = self.running()
        if not running:
            return None
        optimizer, scheduler = self.nets.stack_up(running, self._updates)
        if scheduler is None:
            return optimizer
        self._scheduled = 0
        self._advance(scheduler)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """To where the nets are whose turn it will be."""
        self._advance(scheduler)

    def _advance(self, scheduler: Any) -> None:
        fewest = min(map(self._updates, self.running()), default=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch expects a step of the optimiser before each of the scheduler
            for _ in range(self._scheduled, fewest):
                optimizers.advance(scheduler)
        self._scheduled = max(self._scheduled, fewest)

    def training_step(self, batch: Population, batch_idx: int) -> Tensor:
        """The sum of the losses of the nets whose turn it is: 0 where only other processes still have some."""
        self._began = time.perf_counter()
        self._forward = np.zeros(len(self.population))
        self._due = self.nets.make_due(self._updates)
        nothing = torch.zeros((), dtype=torch.float64, requires_grad=True)
        return torch.stack([nothing, *(losses.sum() for losses in self._losses())]).sum()

    def _losses(self) -> Iterator[Tensor]:
        """The losses of the due nets, group by group; their training streams are counted.

        Nets run along the first period only, and those that are right along more, twice as many each time: most nets
        are soon wrong, and what comes after that counts for nothing.
        """
        state, first = self.state, self.state.training_streams.tolist()
        going_on, periods = self._due, 1
        while going_on:
            wanted = [
                Asked(index, first[index] + k, 0, min(periods, self._most[index]))
                for index in going_on
                for k in range(self._streams[index])
            ]
            found = iter(self.data.streams(wanted, Purpose.TRAINING))
            asked = {index: tuple(itertools.islice(found, self._streams[index])) for index in going_on}
            going_on = []
            for nets, batch, outputs, tolerance in self._run(asked, training=True):
                result = judged(batch, outputs, tolerance)
                is_longer = result.is_whole.any(-1) & (np.array([self._most[index] for index in nets]) > periods)
                done = np.flatnonzero(~is_longer)
                going_on += [nets[r] for r in np.flatnonzero(is_longer)]
                if len(done):
                    mine = [nets[r] for r in done]
                    state.net_steps.numpy()[mine] += result.steps[done].sum(-1)
                    state.training_size.numpy()[mine] = result.size[done, -1]
                    self.training_size.update(torch.from_numpy(result.size[done]))
                    yield losses_of(batch, outputs, result.steps)[done]
            periods *= GROWTH

    def _run(
        self, asked: Mapping[int, tuple[Stream, ...]], training: bool
    ) -> Iterator[tuple[list[int], Batch, Tensor, float]]:
        """The nets with batches that have a shape in common, group by group: nets, batch, outputs (R, N, T), tolerance."""
        shapes = {
            i: (self.population.condition_of(i).task.tolerance, len(some), padded_length(some))
            for i, some in asked.items()
        }
        for nets in self.nets.groups(shapes):
            start = time.perf_counter()
            tolerance, _, steps = shapes[nets[0]]
            batch = batch_of([asked[index] for index in nets], steps)
            outputs = self.nets.side_by_side(nets, batch.inputs, self._noise(nets) if training else None)
            cost = (time.perf_counter() - start) / len(nets)
            (self._forward if training else self.seconds.numpy())[nets] += cost
            yield nets, batch, outputs, tolerance

    def _noise(self, nets: list[int]) -> Tensor | None:
        """On the initial states in training, of nets that all have it or all have none."""
        people, condition = self.population, self.population.condition_of(nets[0])
        if not condition.initial_noise:
            return None
        keys, first = (
            np.stack([people.seed[nets], people.replica[nets]], axis=1),
            self.state.training_streams[nets].numpy(),
        )
        states = 2 if condition.model.has_cells else 1
        streams, size = self._streams[nets[0]], condition.model.hidden_size
        return initial_noise(condition.initial_noise, keys, first, streams, states, size)

    def configure_gradient_clipping(self, optimizer: Any, *_: Any, **__: Any) -> None:
        """Each net's gradient by itself."""
        self.nets.clip()

    def optimizer_step(self, *arguments: Any, **named: Any) -> None:
        """The update, then the tests and verdicts."""
        before = int(self.state.net_steps.sum())
        super().optimizer_step(*arguments, **named)
        if not self._due:
            self.net_steps_per_second = 0.0
            return
        self.state.verdict.numpy()[self.nets.updated()] = Verdict.DIVERGED
        tests_from = time.perf_counter()
        share = self._forward / max(float(self._forward.sum()), 1e-12)  # of the backward pass and the update, too
        self.seconds += torch.from_numpy(share * (tests_from - self._began))
        self._after_update()
        verdicts = self.state.verdict.tolist()
        self.nets.let_go([index for index in self._due if verdicts[index] != Verdict.RUNNING])
        seconds = time.perf_counter() - self._began
        self.net_steps_per_second = (int(self.state.net_steps.sum()) - before) / seconds
        self.trainer.should_stop = self.is_finished

    def _after_update(self) -> None:
        """Test the due nets and reach their verdicts, by the same rule as the engines."""
        state, people = self.state, self.population
        state.training_streams.numpy()[self._due] += [self._streams[index] for index in self._due]
        numbers, verdicts = state.training_streams.tolist(), state.verdict.tolist()

        def test_streams(wanted: Mapping[int, tuple[int, int]]) -> list[Stream]:
            return self.data.streams(
                [Asked(index, numbers[index], *one) for index, one in wanted.items()], Purpose.TEST
            )

        with torch.no_grad():
            outcomes = examine(
                {index: people.condition_of(index).task for index in self._due if verdicts[index] == Verdict.RUNNING},
                test_streams,
                lambda asked: self._run(asked, training=False),
            )
        if not outcomes:
            return
        state.take(outcomes)
        steps = state.net_steps.tolist()
        for index, outcome in outcomes.items():
            budget = people.condition_of(index).budget
            if outcome.solved:
                state.verdict[index] = Verdict.SOLVED
            elif numbers[index] >= budget.training_streams or steps[index] >= budget.net_steps:
                state.verdict[index] = Verdict.UNSOLVED
        self.solved.update(torch.tensor([outcome.solved for outcome in outcomes.values()]))
        self.error.update(
            torch.tensor([o.squared_error for o in outcomes.values()]),
            torch.tensor([o.targets for o in outcomes.values()]),
        )

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """What the metrics of all processes have gathered since the last time."""
        if self.is_told:
            names = ("mean training stream size", "solved fraction of the tests", "RMSE of whole test streams")
            for name, metric in zip(names, (self.training_size, self.solved, self.error), strict=True):
                if not torch.isnan(value := processes.together(metric.compute)):
                    self.log(name, value, batch_size=1)
                metric.reset()

    def _updates(self, index: int) -> int:
        return int(self.state.training_streams[index]) // self._streams[index]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store the nets by replica, with what the optimiser keeps of each; the scheduler follows from the updates."""
        nets = self._stored(range(len(self.population))) + self._elsewhere
        checkpoint["nets"] = packed([net.as_tree() for net in nets])
        checkpoint["state_dict"], checkpoint["optimizer_states"], checkpoint["lr_schedulers"] = {}, [], []

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take every net that the checkpoint knows; others start from the beginning."""
        nets = {net.name: net for net in map(StoredNet.of_tree, unpacked(checkpoint["nets"]))}
        for index, name in enumerate(self.names()):
            if (net := nets.pop(name, None)) is not None:
                self._take(index, net)
        self._elsewhere = list(nets.values())

    def part(self, rows: Sequence[int]) -> dict[str, Any]:
        """See `PopulationModule.part`."""
        return packed([net.as_tree() for net in self._stored(rows)])

    def put_part(self, rows: Sequence[int], part: dict[str, Any]) -> None:
        """See `PopulationModule.put_part`."""
        for index, net in zip(rows, map(StoredNet.of_tree, unpacked(part)), strict=True):
            self._take(index, net)

    def _stored(self, rows: Sequence[int]) -> list[StoredNet]:
        names, nets = self.names(), self.nets
        return [
            StoredNet(
                names[index], nets.values(index), nets.kept(index), self.state.row(index), float(self.seconds[index])
            )
            for index in rows
        ]

    def _take(self, index: int, net: StoredNet) -> None:
        """A net that is at rest in this process: one of a checkpoint, or of another process."""
        self.nets.put(index, net.parameters, net.optimizer)
        self.state.put_row(index, net.counters)
        self.seconds[index] = net.seconds


class _OneThread(L.Callback):
    """As long as a fit lasts torch has one thread.

    The pieces of work are small, several threads wait for each other for longer than they compute, the more so on a
    busy machine; and where torch shares a tensor out among threads, digits depend on how many there are.
    """

    def __init__(self) -> None:
        self.before = torch.get_num_threads()

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        torch.set_num_threads(1)

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        torch.set_num_threads(self.before)

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        torch.set_num_threads(self.before)
