"""From a command line to what the script does: checked first, every run of a sweep too, then run."""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from timing_tasks.cli import schema
from timing_tasks.cli.compose import SLURM, Call, for_sweep, jobs, keys_of, of_sweep
from timing_tasks.cli.config import experiment
from timing_tasks.cli.help import help_of
from timing_tasks.cli.start import told
from timing_tasks.errors import ConfigurationError
from timing_tasks.experiment.experiment import Experiment
from timing_tasks.results.folder import differences

_SWEEP = ("-m", "--multirun")
_SWEEPS = Path("runs") / "sweep"
# Nothing is written but what the run itself writes.
_HYDRA = (
    *("hydra/job_logging=disabled", "hydra/hydra_logging=disabled", "hydra.output_subdir=null", "hydra.run.dir=."),
    *(f"hydra.sweep.dir={_SWEEPS.as_posix()}", "hydra.sweep.subdir=."),
)
_SCRIPTS: dict[type, str] = {  # the module of `timing_tasks.cli.scripts` for each kind of config
    schema.ExperimentKeys: "experiment",
    schema.ReadingsKeys: "readings",
    schema.AllKeys: "everything",
    schema.CheckKeys: "check",
    schema.VerdictKeys: "verdict",
    schema.ReliabilityKeys: "reliability",
}


def main(name: str, home: Path) -> None:
    """Do what the script of a name does with the overrides of the command line.

    Raises:
        UserError: for the first value, folder or run that cannot be.
        StoppedError, KeyboardInterrupt: the user has stopped it.
    """
    if name == "compare":  # takes a folder, no overrides
        importlib.import_module("timing_tasks.cli.scripts.compare").main(sys.argv[1:], home)
        return
    arguments = [argument for argument in sys.argv[1:] if argument not in _SWEEP]
    is_sweep = len(arguments) < len(sys.argv[1:])
    call = Call(name, home, tuple(arguments))
    if {"-h", "--help"} & set(arguments):
        print(help_of(call.other(name)))
    elif any(argument.startswith("-") for argument in arguments):
        call.other(name, [one for one in arguments if "=" in one and not one.startswith("-")]).config()
        # Its own flags are Hydra's to answer for; with overrides it cannot help.
        _by_hydra(call, ["--hydra-help"] if "--hydra-help" in arguments else arguments)
    elif is_sweep:
        _check_sweep(call)
        _by_hydra(call, [_SWEEP[0], *_HYDRA, *for_sweep(arguments)])
    else:
        run(call.config(), call)


def run(config: DictConfig, call: Call) -> None:
    """Do what the script of a composed config does."""
    module = importlib.import_module(f"timing_tasks.cli.scripts.{_SCRIPTS[keys_of(config)]}")
    if not config.get("fast_dev_run", False):
        module.main(config, call)
        return
    with tempfile.TemporaryDirectory() as folder:
        config.output = folder
        module.main(config, call)


def _by_hydra(call: Call, arguments: list[str]) -> None:
    """Let Hydra call `run`, here or elsewhere, as often as it is asked to."""

    @hydra.main(version_base="1.3", config_path=str(call.home / "configs"), config_name=call.name)
    def application(config: DictConfig) -> None:
        one = call.other(call.name, of_sweep(HydraConfig.get().overrides.task))
        with told():
            run(one.finished(config), one)

    sys.argv[1:] = arguments
    application()


def _check_sweep(call: Call) -> None:
    """Raise UserError for the first invalid run, or the folder, of a sweep, before any of its runs starts."""
    elsewhere = ("trainer",) if SLURM in call.overrides else ()  # GPUs, say, need not be on this machine
    folder = next((one.partition("=")[2] for one in call.overrides if one.startswith("hydra.sweep.dir=")), _SWEEPS)
    found: list[Experiment] = []
    for job in jobs(call.overrides):
        config = call.other(call.name, job).config()
        if not issubclass(keys_of(config), schema.ExperimentKeys):
            continue
        if elsewhere:
            config = call.other(call.name, [one for one in job if not one.startswith(elsewhere)]).config()
        one = experiment(config)
        found += [one] if any(value.startswith("output=") for value in job) else []
    _check_folders(found)
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        told_as = f"{error.strerror}; a folder that can be written is needed"
        raise ConfigurationError("hydra.sweep.dir", str(folder), told_as) from None


def _check_folders(experiments: Sequence[Experiment]) -> None:
    """Raise ConfigurationError where one folder is asked for and the runs cannot share it."""
    first: dict[Path, Experiment] = {}
    for one in experiments:
        there, here = ((of.identity, of.described_conditions) for of in (first.setdefault(one.output, one), one))
        if differing := differences(there, here):
            why = f"not for runs that differ ({'; '.join(differing[:3])}); left out, each has a folder of its own"
            raise ConfigurationError("output", str(one.output), why)
