"""The recipe `bptt` for the rows of a table: the `TimingModule` with a replica axis in net and batch."""

from __future__ import annotations

import copy
import functools
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

import lightning as L
import numpy as np
import torch
from torch import Tensor, nn

from timing_tasks.conditions.condition import Condition
from timing_tasks.conditions.recipe import BPTT
from timing_tasks.data import Batch, Draw, ReplicaStreams, every_stream, padded_length, replica_batch
from timing_tasks.learning import optimizers
from timing_tasks.learning.counters import Counters
from timing_tasks.learning.judgement import Judgement, judge, mean_loss
from timing_tasks.learning.module import TimingModule
from timing_tasks.learning.nets import Nets
from timing_tasks.learning.online.population import Population, Verdict
from timing_tasks.learning.population import PopulationModule
from timing_tasks.models.build import build_net
from timing_tasks.models.timing_net import TimingNet, parameter_vector
from timing_tasks.tasks import Purpose, Stream

TEST_SETS = 100  # fresh ones of each solved net, for its reliability
GROWTH = 2  # of the periods that nets run along at a time


class Piece(NamedTuple):
    """Some nets along the streams that they have at the moment: R positions, a batch, outputs, judgements (R, N)."""

    nets: list[int]
    batch: Batch
    outputs: Tensor
    judgement: Judgement


class ReplicasModule(PopulationModule, TimingModule):
    """The nets of a population, trained side by side by one optimiser of torch (automatic optimisation).

    One `training_step` makes one update of every running net, from the gradient of its loss over a mini-batch of its
    own training streams; then a test with frozen weights follows. The losses of the nets are summed, so that each net
    gets the gradient of its own, and the optimiser treats each number by itself (`optimizers.check`): no net influences
    another. All nets have had the same number of updates.

    Args:
        population: the replicas, all of conditions with the recipe `bptt`.
    """

    recipe_name, engine_name = "bptt", "torch"
    checkpoint_keys = ("state_dict", "optimizer_states", "replicas")

    def __init__(self, population: Population) -> None:
        conditions = [population.condition_of(index) for index in range(len(population))]
        recipes = [cast(BPTT, condition.recipe) for condition in conditions]
        kinds = [_kind(condition) for condition in conditions]
        nets = Nets(functools.partial(_build, population), kinds, [repr(recipe) for recipe in recipes])
        scheduler = (
            functools.partial(optimizers.make_scheduler, recipes[0]) if recipes[0].scheduler is not None else None
        )
        TimingModule.__init__(self, nets, self._make_optimizer, scheduler)
        self.begin(population)
        self.nets = nets
        self.state: Counters = Counters.blank(len(population))
        self._tasks = tasks = [condition.task for condition in conditions]
        self._draws = ReplicaStreams(tasks, population.seed, population.replica)
        self._tolerance = np.array([task.tolerance for task in tasks])
        self._every = [every_stream(t, 1) if r.streams == "all" else [] for t, r in zip(tasks, recipes, strict=True)]
        self._sizes = [len(some) or int(r.streams) for some, r in zip(self._every, recipes, strict=True)]  # streams
        self._most = [min(r.periods, task.training_periods) for r, task in zip(recipes, tasks, strict=True)]  # periods
        self._kinds, self._recipes = kinds, recipes
        self._clips = [recipe.clip for recipe in recipes]
        self._forward, self._began = (
            np.zeros(len(population)),
            0.0,
        )  # seconds of each net's passes in this update; when it began

    def _make_optimizer(self, _: Any) -> torch.optim.Optimizer:
        """One for all nets, with a parameter group for each recipe."""
        by_recipe = self.nets.by_learner()
        recipes = {repr(recipe): recipe for recipe in self._recipes}
        return optimizers.make_optimizer([recipes[name] for name in by_recipe], list(by_recipe.values()))

    def configure_callbacks(self) -> list[L.Callback]:
        """One thread does the work of this process."""
        return [_OneThread()]

    def on_fit_start(self) -> None:
        """See `PopulationModule`; the nets have been tried out with their conditions."""
        PopulationModule.on_fit_start(self)
        self.nets.forget()

    def weights(self, index: int) -> np.ndarray:
        """See `PopulationModule.weights`."""
        net = self.nets.net(index)
        return net.vector() if isinstance(net, TimingNet) else parameter_vector(net)

    def outputs(self, index: int, stream: Stream) -> np.ndarray:
        """See `PopulationModule.outputs`."""
        with torch.no_grad():
            outputs: Tensor = self.nets.net(index)(torch.from_numpy(stream.inputs).reshape(1, -1, 1))
        return outputs.flatten().numpy()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """The sum of the losses of this process's running nets: 0 where only other processes still have some."""
        self._began, self._forward = time.perf_counter(), np.zeros(len(self.population))
        self.nets.forget()  # the test has joined the parameters without a gradient
        loss = torch.zeros((), dtype=torch.float64, device=self.device, requires_grad=True)
        for piece in self._train():
            loss = loss + mean_loss(piece.batch, piece.outputs, piece.judgement.steps).sum()
            self.train_metrics.update(piece.judgement)
        return loss

    def _train(self) -> Iterator[Piece]:
        """The running nets along their next training streams, which are counted.

        Nets run along the first period only, and those that are right along more, twice as many each time: most nets
        are soon wrong, and what comes after that counts for nothing.
        """
        state, first = self.state, self.state.training_streams.tolist()
        going_on, periods = self.running(), 1
        while going_on:
            streams = self._training_streams(going_on, first, periods)
            going_on = []
            for piece in self._run(streams, training=True):
                whole, most = piece.judgement.is_whole.any(-1).tolist(), [self._most[net] for net in piece.nets]
                done = [r for r, net in enumerate(piece.nets) if not (whole[r] and most[r] > periods)]
                going_on += [net for r, net in enumerate(piece.nets) if whole[r] and most[r] > periods]
                if done:
                    here = piece if len(done) == len(piece.nets) else _rows(piece, done)
                    state.net_steps.numpy()[here.nets] += here.judgement.steps.sum(-1).cpu().numpy()
                    state.training_size.numpy()[here.nets] = here.judgement.size[:, -1].cpu().numpy()
                    yield here
            periods *= GROWTH

    def _training_streams(self, nets: Sequence[int], first: Sequence[int], periods: int) -> dict[int, list[Stream]]:
        drawn = [net for net in nets if not self._every[net]]
        draws = [
            Draw(net, first[net] + k, 0, min(periods, self._most[net]))
            for net in drawn
            for k in range(self._sizes[net])
        ]
        found = iter(self._draws.draw(draws, Purpose.TRAINING))
        streams = {net: [next(found) for _ in range(self._sizes[net])] for net in drawn}
        return {net: streams.get(net) or self._some_periods(net, periods) for net in nets}

    def _some_periods(self, net: int, periods: int) -> list[Stream]:
        return every_stream(self._tasks[net], min(periods, self._most[net]))

    def _run(self, streams: Mapping[int, Sequence[Stream]], training: bool) -> Iterator[Piece]:
        """Nets along streams, those of a kind and a shape at once."""
        groups: dict[tuple[object, int, int], list[int]] = {}
        for net, some in streams.items():
            groups.setdefault((self._kinds[net], len(some), padded_length(some)), []).append(net)
        for (_, count, steps), nets in groups.items():
            start = time.perf_counter()
            batch = replica_batch([streams[net] for net in nets], steps, self._tolerance[nets])
            batch = Batch(*(part.to(self.device) for part in batch))
            noise = self._noise(nets, count) if training else None
            outputs = self.nets(batch.inputs, nets, noise)
            self._forward[nets] += (time.perf_counter() - start) / len(nets)
            yield Piece(nets, batch, outputs, judge(batch, outputs))

    def _noise(self, nets: list[int], streams: int) -> Tensor | None:
        """On the initial states in training, of nets that all have it or all have none."""
        condition = self.population.condition_of(nets[0])
        if not condition.initial_state.noise:
            return None
        states, first = 2 if condition.model.has_cells else 1, self.state.training_streams[nets].numpy()
        noise = self._draws.initial_noise(nets, first, streams, states, condition.model.hidden_size)
        return torch.from_numpy(condition.initial_state.noise * noise).to(self.device)

    def configure_gradient_clipping(self, optimizer: Any, *_: Any, **__: Any) -> None:
        """Each net's gradient by itself."""
        self.nets.clip(self._clips)

    def optimizer_step(self, *arguments: Any, **named: Any) -> None:
        """The update, then the tests and verdicts."""
        running, steps_before, weights_before = self.running(), int(self.state.net_steps.sum()), self.nets.copy()
        super().optimizer_step(*arguments, **named)
        self.state.verdict.numpy()[self.nets.settle(weights_before, running)] = Verdict.DIVERGED
        if not running:
            self.net_steps_per_second = 0.0
            return
        share = self._forward / max(float(self._forward.sum()), 1e-12)  # of the backward pass and the update, too
        tests_from = time.perf_counter()
        self._forward = np.zeros(len(self.population))
        self._after_update(running)
        self.seconds += torch.from_numpy(share * (tests_from - self._began) + self._forward)
        seconds = time.perf_counter() - self._began
        self.net_steps_per_second = (int(self.state.net_steps.sum()) - steps_before) / seconds
        self.trainer.should_stop = self.is_finished

    def _after_update(self, updated: Sequence[int]) -> None:
        """Test the nets and reach their verdicts, by the same rule as the engines."""
        state, people = self.state, self.population
        state.training_streams.numpy()[updated] += [self._sizes[net] for net in updated]
        nets = [net for net in updated if state.verdict[net] == Verdict.RUNNING]
        solved = self._test(nets)
        streams, steps = state.training_streams.tolist(), state.net_steps.tolist()
        for net in nets:
            budget = people.condition_of(net).budget
            if net in solved:
                state.verdict[net] = Verdict.SOLVED
            elif streams[net] >= budget.training_streams or steps[net] >= budget.net_steps:
                state.verdict[net] = Verdict.UNSOLVED

    @torch.no_grad()
    def _test(self, nets: Sequence[int]) -> set[int]:
        """Run nets along their test streams, each up to the first wrong prediction, and return the solved ones.

        They run along growing prefixes, as in training.
        """
        state, numbers, tasks = self.state, self.state.training_streams.tolist(), self._tasks
        state.start_test(nets)
        solved, places = set(), dict.fromkeys(nets, (0, 1))  # which test stream, and how many periods of it
        while places:
            draws = [Draw(n, numbers[n], test, min(most, tasks[n].test_periods)) for n, (test, most) in places.items()]
            found = self._draws.draw(draws, Purpose.TEST)
            streams = {net: [one] for net, one in zip(places, found, strict=True)}
            for piece in self._run(streams, training=False):
                ended = []
                for row, (net, is_whole) in enumerate(
                    zip(piece.nets, piece.judgement.is_whole[:, 0].tolist(), strict=True)
                ):
                    test, periods = places[net]
                    if is_whole and periods < tasks[net].test_periods:
                        places[net] = test, periods * GROWTH
                        continue
                    ended.append(row)
                    places[net] = test + 1, 1
                    if is_whole and test + 1 == tasks[net].test_streams:
                        solved.add(net)
                    if not is_whole or net in solved:
                        del places[net]
                state.count_tests([piece.nets[row] for row in ended], *(p[ended, 0] for p in piece.judgement))
        return solved

    def reliability(self) -> list[float]:
        """See `PopulationModule.reliability`; the numbers of the test streams are those of `run_fresh_tests`."""
        solved = np.flatnonzero(self.state.verdict.numpy() == Verdict.SOLVED).tolist()
        before, passed = copy.deepcopy(self.state), np.zeros(len(self.population))
        for _ in range(TEST_SETS if solved else 0):
            self.state.training_streams.numpy()[solved] += 1
            passed[list(self._test(solved))] += 1
        self.state = before
        shares: list[float] = (passed[solved] / TEST_SETS).tolist()
        return shares

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add how far the nets are."""
        checkpoint["replicas"] = {
            "names": self.names(),
            "state": self.state.tensors(),
            "seconds": self.seconds,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from there; the checkpoint is of the same replicas."""
        stored = checkpoint["replicas"]
        if stored["names"] != self.names():
            raise ValueError("a checkpoint of other replicas")
        self.state = Counters(**stored["state"])
        self.seconds = stored["seconds"]
        self.nets.forget()

    def part(self, rows: Sequence[int]) -> dict[str, Any]:
        """See `PopulationModule.part`."""
        index = list(rows)
        state = {name: tensor[index] for name, tensor in self.state.tensors().items()}
        optimizer = cast(torch.optim.Optimizer, self.optimizers(use_pl_optimizer=False))
        return {"state": state, "seconds": self.seconds[index], "nets": self.nets.part(index, optimizer)}

    def put_part(self, rows: Sequence[int], part: dict[str, Any]) -> None:
        """See `PopulationModule.put_part`."""
        index = list(rows)
        for name, tensor in self.state.tensors().items():
            tensor[index] = part["state"][name]
        self.seconds[index] = part["seconds"]
        self.nets.put_part(index, part["nets"], cast(torch.optim.Optimizer, self.optimizers(use_pl_optimizer=False)))


def _build(population: Population, net: int) -> nn.Module:
    return build_net(population.condition_of(net), int(population.seed[net]), int(population.replica[net]))


def _kind(condition: Condition) -> tuple[object, ...]:
    """What nets that can run side by side have in common."""
    recipe, noise = cast(BPTT, condition.recipe), condition.initial_state.noise
    kind = condition.output_activation, condition.peepholes, str(condition.model), recipe.truncated, noise
    if condition.model.name == "own":
        return *kind, condition.task  # the user's function may make other nets for each
    return (*kind, str(condition.initial_state)) if condition.model.name == "cell" else kind


def _rows(part: Any, rows: list[int]) -> Any:
    """Some rows of a list or tensor, or of each part of a named tuple."""
    if isinstance(part, Tensor):
        return part[rows]
    return type(part)(*(_rows(one, rows) for one in part)) if isinstance(part, tuple) else [part[row] for row in rows]


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
