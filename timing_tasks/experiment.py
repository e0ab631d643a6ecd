"""A run from start to end: conditions in, rows out, whatever interrupts it in between."""

from __future__ import annotations

import functools
import logging
import math
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path

import timing_tasks
from timing_tasks.condition import Condition
from timing_tasks.config import Experiment
from timing_tasks.errors import ResultsError
from timing_tasks.results import ResultsFolder, Row


def run(experiment: Experiment, announce: Callable[[str], None] = lambda text: None) -> list[Row]:
    """Train every replica that has no row yet, and return the rows of all, condition by condition.

    Args:
        experiment: what to run.
        announce: told, before training starts, where everything is written to.

    Raises:
        ResultsError: the output folder cannot be used.
        KeyboardInterrupt: the user has stopped the run; repeated, it goes on from there.
    """
    folder = ResultsFolder(experiment.output, experiment.identity)
    keys = {
        row_key(condition, experiment.seed, replica): (position, replica)
        for position, condition in enumerate(experiment.conditions)
        for replica in range(experiment.replicas)
    }
    with folder.opened() as rows:
        there = {row.replica_key for row in rows}
        missing = [place for key, place in keys.items() if key not in there]
        announce(f"rows, checkpoints and TensorBoard: {folder.path}" + (f" ({len(there)} rows are there)" if there else ""))
        if missing:
            _train(experiment, folder, missing)
        everything = folder.finish(keys)
        wanted = [row for row in everything if row.replica_key in keys]
        if len(wanted) < len(keys):
            raise ResultsError(f"{folder.rows_path}: {len(keys) - len(wanted)} replicas are missing; repeat the command")
        return wanted


def _train(experiment: Experiment, folder: ResultsFolder, missing: list[tuple[int, int]]) -> None:
    import lightning as L
    from lightning.pytorch.loggers import TensorBoardLogger

    from timing_tasks.data import TimingDataModule
    from timing_tasks.learning.callbacks import Checkpoints, PopulationProgress, RowWriter, TensorBoardCurves
    from timing_tasks.learning.engine import Population, create
    from timing_tasks.learning.online import OnlineModule

    engine = create(experiment.engine, experiment.threads)
    population = Population.of(experiment.conditions, missing, experiment.seed)
    module = OnlineModule(population, engine)
    checkpoints = Checkpoints(folder.checkpoints)
    writer = RowWriter(folder, lambda index, state: _row(population, index, state, engine.name))
    logger = TensorBoardLogger(str(folder.path), name="tensorboard", version="", default_hp_metric=False)
    done = len(experiment.conditions) * experiment.replicas - len(missing)
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        trainer = L.Trainer(
            **experiment.trainer,
            max_epochs=1,
            max_steps=-1,
            logger=logger,
            callbacks=[writer, TensorBoardCurves(experiment), checkpoints, PopulationProgress(done)],
            enable_checkpointing=True,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=1,
            use_distributed_sampler=False,
            default_root_dir=str(folder.path),
        )
        try:
            trainer.fit(module, TimingDataModule(population), ckpt_path=checkpoints.latest())
        except SystemExit:  # Lightning's answer to Ctrl-C
            raise KeyboardInterrupt from None
    writer.write(module)  # replicas that a checkpoint knew as finished, but a kill kept from the rows


def _row(population: object, index: int, state: object, engine: str) -> Row:
    from timing_tasks.learning.engine import Population, State, Verdict

    assert isinstance(population, Population)
    assert isinstance(state, State)
    verdict = Verdict(int(state.verdict[index]))
    rmse = state.root_mean_square_error(index) if verdict == Verdict.SOLVED else math.nan
    seed, replica = int(population.seed[index]), int(population.replica[index])
    return Row(
        *row_key(population.condition_of(index), seed, replica)[:8],
        replica=str(replica),
        seed=str(seed),
        status=verdict.name.lower(),
        training_streams=str(int(state.training_streams[index])),
        rmse="" if math.isnan(rmse) else repr(rmse),
        net_steps=str(int(state.net_steps[index])),
        engine=engine,
        version=timing_tasks.__version__,
        commit=commit(),
        **dict(zip(("forget_gate", "output_activation", "tolerance"), _rest(population.condition_of(index)), strict=True)),
    )


def _rest(condition: Condition) -> tuple[str, ...]:
    return str(condition.forget_gate).lower(), condition.output_activation, repr(float(condition.task.tolerance))


def row_key(condition: Condition, seed: int, replica: int) -> tuple[str, ...]:
    """The `Row.replica_key` that a replica's row will have."""
    task = condition.task
    return (
        *(task.name, str(task.min_interval), " ".join(map(str, task.offsets)), task.waveform),
        *(str(condition.peepholes).lower(), condition.initial_state, condition.recipe, condition.protocol.name),
        *_rest(condition),
        *(str(seed), str(replica)),
    )


@functools.cache
def commit() -> str:
    """The commit of the checkout that this code is in, `+` if it has been changed since; `unknown` outside a checkout."""
    here = Path(timing_tasks.__file__).resolve().parent

    def git(*arguments: str) -> str:
        return subprocess.run(["git", "-C", str(here), *arguments], capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", str(here))
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
