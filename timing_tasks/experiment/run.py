"""A run from start to end: conditions in, rows out, whatever interrupts it in between."""

from __future__ import annotations

import functools
import math
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import timing_tasks
from timing_tasks.conditions.condition import CONDITION_COLUMNS
from timing_tasks.conditions.recipe import BPTT, Recipe
from timing_tasks.errors import ResultsError
from timing_tasks.experiment.experiment import Experiment
from timing_tasks.experiment.started import by_itself, started
from timing_tasks.results.folder import ResultsFolder
from timing_tasks.results.row import Key, Row

if TYPE_CHECKING:
    from timing_tasks.experiment.checkpoints import Checkpoints
    from timing_tasks.learning.population import PopulationModule

_GOING_ON = "they go on from the checkpoint, if there is one; with recipe=bptt they begin anew"


def run(
    experiment: Experiment,
    announce: Callable[[str], None] = lambda text: None,
) -> list[Row]:
    """Train every replica that has no row yet, and return all rows of the conditions, one after the other.

    Of the processes that torchrun or SLURM has started for one run, rank 0 alone looks at the folder and has rows; the
    others train what it says and return none.

    Args:
        experiment: what to run.
        announce: told, before training starts, where everything is written to.

    Raises:
        ResultsError: the output folder cannot be used.
        StoppedError, KeyboardInterrupt: the user has stopped the run; repeated, it goes on from there.
    """
    folder, rank = _folder(experiment), _rank(experiment)
    if rank is not None and rank > 0:
        _train(experiment, folder, [], [])
        return []
    keys = _keys(experiment)
    everything = folder.complete(keys)
    if everything is None:
        everything = _run_missing(experiment, folder, keys, announce)
    else:
        announce(f"rows: {folder.rows_path}")
        if rank is not None:
            _train(experiment, folder, [], [])  # the other processes are waiting
    place = {
        tuple(condition.columns[name] for name in CONDITION_COLUMNS): c
        for c, condition in enumerate(experiment.conditions)
    }
    mine = [row for row in everything if row.condition in place]
    mine.sort(key=lambda row: (place[row.condition], row.order))
    return mine


def is_complete(experiment: Experiment) -> bool:
    """Whether all rows are there, so that `run` would train nothing."""
    return _folder(experiment).complete(_keys(experiment)) is not None


def _folder(experiment: Experiment) -> ResultsFolder:
    return ResultsFolder(experiment.output, experiment.identity, experiment.described_conditions)


def _rank(experiment: Experiment) -> int | None:
    """Which of several processes this is, that torchrun or SLURM has started for the run; else None."""
    who = started()
    return who.rank if who is not None and experiment.processes > 1 else None


def _run_missing(
    experiment: Experiment,
    folder: ResultsFolder,
    keys: dict[Key, tuple[int, int]],
    announce: Callable[[str], None],
) -> list[Row]:
    """Train what has no row, and return all rows of the folder."""
    with folder.opened() as rows:
        there = {row.replica_key: row for row in rows}
        missing = [place for key, place in keys.items() if key not in there]
        before = [(keys[key][0], row) for key, row in there.items() if key in keys]
        announce(
            f"rows, checkpoints and TensorBoard: {folder.path}"
            + (f" ({len(there)} rows are there)" if there else "")
            + (f"\nnets that a smaller budget gave up: {folder.going_on}; {_GOING_ON}" if folder.going_on else "")
        )
        if missing or _rank(experiment) is not None:
            _train(experiment, folder, missing, before)
        everything = folder.finish()
        if absent := len(keys.keys() - {row.replica_key for row in everything}):
            raise ResultsError(f"{folder.rows_path}: {absent} replicas are missing; repeat the command")
        return everything


def _train(
    experiment: Experiment, folder: ResultsFolder, missing: list[tuple[int, int]], before: list[tuple[int, Row]]
) -> None:
    """Train the replicas at the places `missing`, one recipe after the other.

    `before` has condition and row of those that are finished already.
    """
    limit = math.inf if experiment.max_seconds is None else experiment.max_seconds
    deadline = time.monotonic() + limit
    for recipe in (Recipe, BPTT):
        places = [place for place in missing if type(experiment.conditions[place[0]].recipe) is recipe]
        is_run = any(type(condition.recipe) is recipe for condition in experiment.conditions)
        if places or (is_run and _rank(experiment) is not None):
            with by_itself():
                _fit_all(experiment, folder, recipe, places, before, deadline)


def _fit_all(
    experiment: Experiment,
    folder: ResultsFolder,
    recipe: type[Recipe],
    missing: list[tuple[int, int]],
    before: list[tuple[int, Row]],
    deadline: float,
) -> None:
    """Train the replicas at the places `missing`, all of one recipe, from the last checkpoint on, until `deadline`."""
    from timing_tasks.experiment import processes
    from timing_tasks.experiment.checkpoints import Checkpoints

    kind = _module_class(recipe)
    checkpoints = Checkpoints(folder.checkpoints / kind.recipe_name, kind.checkpoint_keys)
    fits = _fits(experiment, recipe, missing, checkpoints.latest()) if missing else []
    first = _Fit(experiment, folder, checkpoints, before, deadline)
    for number, (places, checkpoint) in enumerate(processes.as_rank_0_says(first.trainer, fits)):
        one = first if number == 0 else _Fit(experiment, folder, checkpoints, before, deadline)
        one.run(_module(experiment, recipe, places), checkpoint)


def _fits(
    experiment: Experiment, recipe: type[Recipe], missing: list[tuple[int, int]], checkpoint: str | None
) -> list[tuple[list[tuple[int, int]], str | None]]:
    """Which replicas train together, and the checkpoint that they go on from.

    The nets of `bptt` have all had the same number of updates: those of a checkpoint go on first, all of them, and
    others begin after that. The online recipe's checkpoints serve any replicas.
    """
    if recipe is not BPTT or checkpoint is None:
        return [(missing, checkpoint)]
    import torch

    from timing_tasks.learning.online.population import Population
    from timing_tasks.learning.population import replica_names

    stored = torch.load(checkpoint, weights_only=True, mmap=True)["replicas"]["names"]
    wanted = [(c, r) for c in range(len(experiment.conditions)) for r in range(experiment.replicas)]
    names = replica_names(
        Population.of(experiment.conditions, wanted, experiment.seed), _module_class(recipe).engine_name
    )
    place = dict(zip(names, wanted, strict=True))
    if not set(stored) <= place.keys():
        warnings.warn(f"{checkpoint} has other replicas, too, than these: all begin anew", stacklevel=2)
        return [(missing, None)]
    together = [place[name] for name in stored]
    if not set(together) & set(missing):
        return [(missing, None)]
    others = [one for one in missing if one not in set(together)]
    return [(together, checkpoint), *([(others, None)] if others else [])]


def _module_class(recipe: type[Recipe]) -> type[PopulationModule]:
    from timing_tasks.learning.online.module import OnlinePopulationModule
    from timing_tasks.learning.replicas import ReplicasModule

    return ReplicasModule if recipe is BPTT else OnlinePopulationModule


def _module(experiment: Experiment, recipe: type[Recipe], places: list[tuple[int, int]]) -> PopulationModule:
    """The module of the replicas at some places."""
    from timing_tasks.learning.online.engine import create
    from timing_tasks.learning.online.module import OnlinePopulationModule
    from timing_tasks.learning.online.population import Population
    from timing_tasks.learning.replicas import ReplicasModule

    population = Population.of(experiment.conditions, places, experiment.seed)
    if recipe is BPTT:
        return ReplicasModule(population)
    engine = create(experiment.engine, experiment.threads, sharers=experiment.trainer["devices"])
    return OnlinePopulationModule(population, engine)


class _Fit:
    """A Lightning trainer with what a run adds to it: rows, checkpoints, progress, TensorBoard, several processes."""

    def __init__(
        self,
        experiment: Experiment,
        folder: ResultsFolder,
        checkpoints: Checkpoints,
        before: list[tuple[int, Row]],
        deadline: float,
    ) -> None:
        import lightning as L

        from timing_tasks.experiment import processes
        from timing_tasks.experiment.row_writer import RowWriter
        from timing_tasks.experiment.tensorboard.boards import Boards
        from timing_tasks.experiment.tensorboard.curves import TensorBoardCurves
        from timing_tasks.experiment.tensorboard.pictures import TensorBoardPictures
        from timing_tasks.experiment.terminal import TerminalProgress

        boards = Boards(folder.path / "tensorboard", experiment)
        self.path, self.exchange = folder.path, processes.Exchange(deadline)
        with warnings.catch_warnings():
            processes.quiet()
            self.trainer = L.Trainer(
                **experiment.trainer,
                strategy=processes.SeparateNets() if experiment.processes > 1 else "auto",
                plugins=processes.environment(),
                max_epochs=1,
                max_steps=-1,
                logger=False,  # the modules log nothing: the callbacks below write what TensorBoard shows
                callbacks=[
                    *(self.exchange, RowWriter(folder, row_of, before)),
                    *(TensorBoardCurves(boards, experiment, before), TensorBoardPictures(boards)),
                    *(checkpoints, TerminalProgress(before)),
                ],
                enable_checkpointing=True,
                enable_model_summary=False,
                limit_val_batches=0,  # the callbacks see every verdict
                num_sanity_val_steps=0,
                log_every_n_steps=1,
                use_distributed_sampler=False,
                default_root_dir=str(folder.path),
            )

    def run(self, module: PopulationModule, checkpoint: str | None) -> None:
        """Train the replicas of a module.

        Raises:
            ResultsError: TensorBoard's files cannot be written.
        """
        from timing_tasks.experiment import processes

        with warnings.catch_warnings():
            processes.quiet()
            try:
                with processes.fitting(self.trainer, self.exchange):
                    self.trainer.fit(module, ckpt_path=checkpoint)
            except SystemExit:  # Lightning's answer to Ctrl-C
                raise KeyboardInterrupt from None
            except OSError as error:  # of TensorBoard
                raise ResultsError.of(self.path, error) from None


def row_of(module: PopulationModule, index: int) -> Row:
    """The row of a replica, as the module's state says."""
    from timing_tasks.learning.online.population import Verdict

    population, state = module.population, module.state
    verdict = Verdict(int(state.verdict[index]))
    return Row(
        **population.condition_of(index).columns,
        replica=int(population.replica[index]),
        seed=int(population.seed[index]),
        status=verdict.name.lower(),
        training_streams=int(state.training_streams[index]),
        rmse=state.root_mean_square_error(index) if verdict == Verdict.SOLVED else None,
        net_steps=int(state.net_steps[index]),
        engine=module.engine_name,
        version=timing_tasks.__version__,
        commit=commit(),
        test_size=int(state.test_size[index]),
        weights=tuple(module.weights(index).tolist()),
    )


def _keys(experiment: Experiment) -> dict[Key, tuple[int, int]]:
    """The `Row.replica_key` of every replica, in the table's order, and its place: condition and number."""
    names = [tuple(condition.columns[name] for name in CONDITION_COLUMNS) for condition in experiment.conditions]
    return {
        (*name, experiment.seed, replica): (c, replica)
        for c, name in enumerate(names)
        for replica in range(experiment.replicas)
    }


@functools.cache
def commit() -> str:
    """The commit of the checkout that the code, or the script that runs, comes from; `unknown` without one.

    A `+` says that the code that runs is not that commit's: the checkout has been changed, or another state of it
    installed.
    """
    package = Path(timing_tasks.__file__).resolve().parent

    def git(folder: Path, *arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    for folder in (package, Path(sys.argv[0]).resolve().parent):
        try:
            source = Path(git(folder, "rev-parse", "--show-toplevel")) / package.name
            # An installed package also holds copies of configs and scripts, which stand elsewhere in a checkout.
            modules = [f.relative_to(package) for f in package.rglob("*.py") if "_share" not in f.parts]
            same = all((source / f).read_bytes() == (package / f).read_bytes() for f in modules)
            changed = not same or git(source, "status", "--porcelain", "--", ".")
            return git(source, "rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
        except (OSError, subprocess.CalledProcessError):
            continue
    return "unknown"
