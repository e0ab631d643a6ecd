"""`benchmark`: which timing tasks a net of one's own can learn, how fast, and how it compares."""

from __future__ import annotations

import copy
import functools
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from timing_tasks.conditions.condition import Budget, Condition, Protocol
from timing_tasks.conditions.initial_state import ZERO, NamedInitialState
from timing_tasks.conditions.model import Model
from timing_tasks.conditions.recipe import BPTT, usual_streams
from timing_tasks.data import as_task
from timing_tasks.errors import ConfigurationError, UserError, check_whole
from timing_tasks.experiment.experiment import Experiment
from timing_tasks.experiment.run import run
from timing_tasks.learning.module import check_net
from timing_tasks.learning.optimizers import check
from timing_tasks.models.initial_state import Learned
from timing_tasks.models.timing_net import OUTPUT_ACTIVATIONS
from timing_tasks.results.row import COLUMNS, Key, Row
from timing_tasks.results.seconds import read_seconds
from timing_tasks.tasks import Task, check_task
from timing_tasks.tasks.suites import SUITES

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

MakeNet = Callable[[Task, int], nn.Module]

BUDGETS = {"quick": 1_000, "standard": 10_000}
STEPS = 300  # net-steps, training and tests together, for each training stream of a budget
_PROTOCOL = Protocol("none", 1.0, 0.0, 0.0, 0.0, 0.0)  # readings of the paper do not concern a net of one's own


class Rows(list[Row]):
    """The rows of some nets, one a replica, as a list.

    Attributes:
        seconds: of wall-clock time that each net cost, by `Row.replica_key`.
    """

    def __init__(self, rows: Iterable[Row] = (), seconds: Mapping[Key, float] | None = None) -> None:
        super().__init__(rows)
        self.seconds = dict(seconds or {})

    def __add__(self, other: Sequence[Row]) -> Rows:  # type: ignore[override]
        """The rows of both, for one table or figure.

        Raises:
            ConfigurationError: nets of both have the same name, and trained alike.
        """
        mine = {row.replica_key for row in self}
        if twice := [row.model for row in other if row.replica_key in mine]:
            raise ConfigurationError("name", twice[0], "another name for nets of another kind")
        return Rows([*self, *other], self.seconds | getattr(other, "seconds", {}))

    def __iadd__(self, other: Sequence[Row]) -> Rows:  # type: ignore[override]
        """See `__add__`."""
        return self + other

    def table(self) -> str:
        """Two tables as Markdown: over all tasks, and task by task.

        Raises:
            UserError: there is no row.
        """
        from timing_tasks.report.tables import markdown
        from timing_tasks.report.tables.recipes import recipes, summary

        self._check()
        both = summary("Over all tasks", self, self.seconds), recipes("Task by task", self, self.seconds)
        return "\n".join(map(markdown, both))

    def plot(self) -> Figure:
        """Median training streams, task by task, with a marker for each net.

        Raises:
            UserError: there is no row.
        """
        from timing_tasks.report.figures.nets import streams_by_task

        self._check()
        return streams_by_task(self)

    def to_pandas(self) -> pandas.DataFrame:
        """One line a net, the columns of `runs.csv` and `seconds`.

        Raises:
            UserError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise UserError("to_pandas needs pandas: pip install 'timing-tasks[pandas]'") from None
        lines = [asdict(row) | {"seconds": self.seconds.get(row.replica_key)} for row in self]
        return pandas.DataFrame(lines, columns=[*COLUMNS, "seconds"])

    def _check(self) -> None:
        if not self:
            raise UserError("there is no row to show")


def usual_recipe(task: Task, lr: float = 0.01) -> BPTT:
    """Adam; the norm of a gradient is at most 1; each mini-batch has every possible stream, or 4 where there are many.

    Args:
        task: which.
        lr: the learning rate.
    """
    optimizer = {"_target_": "torch.optim.Adam", "lr": lr}
    return BPTT(f"bptt(adam lr={lr:g})", usual_streams(task), optimizer=optimizer, clip=1.0)


def benchmark(
    make_net: MakeNet,
    tasks: str | Sequence[Task | str] = "TIMING-20",
    *,
    name: str | None = None,
    replicas: int = 10,
    recipe: BPTT | Callable[[Task], BPTT] = usual_recipe,
    budget: int | str = "standard",
    seed: int = 1,
    output: str | Path | None = None,
) -> Rows:
    """Train replicas of any net on each of some tasks, and say of each whether, and when, it solved the task.

    A net that is right at every step of the test streams solves a task (`tasks.verdict`). Each net is a function of
    task, seed and replica: the same call gives the same rows on the same machine and version of torch. The nets of a
    task run side by side where `torch.vmap` can do that, else one after the other.

    Args:
        make_net: gives the untrained net for a task and a seed: any causal module from (N, T, 1) to (N, T, 1), such as
            a `TimingNet`. Its weights may come from torch's global generator, which is seeded before, or from the seed.
            It is trained in float64. `task.output_activation` says what the output unit needs: `sigmoid` where targets
            lie in [0, 1], `identity` elsewhere.
        tasks: the name of a suite (`TIMING-20`), or tasks, those with default parameters by their names.
        name: of the nets, in rows and tables; by default that of `make_net`.
        replicas: nets on each task.
        recipe: how they learn, or a function that says so for each task.
        budget: training streams after which a net is given up, or `quick` (1,000) or `standard` (10,000); it is also
            given up after 300 steps for each of these.
        seed: of weights and streams.
        output: the folder for rows, checkpoints and TensorBoard; the same call goes on from there after an
            interruption, and more nets can be added. None keeps nothing.

    Returns:
        The rows, task by task.

    Raises:
        UserError: a net that cannot be used, or a task that breaks the contract (`check_task`), with its name; a folder
            that cannot be used; or another value that cannot be.

    Example:
        >>> import timing_tasks, torch
        >>> from timing_tasks import TimingNet
        >>> from timing_tasks.tasks import NMSD
        >>> def gru(task, seed):
        ...     return TimingNet(torch.nn.GRU(1, 2, batch_first=True), initial_state="learned")
        >>> rows = timing_tasks.benchmark(gru, [NMSD(3)], replicas=2, budget=200)  # doctest: +SKIP
        >>> print(rows.table())  # doctest: +SKIP
    """
    described = str(name or getattr(make_net, "__name__", type(make_net).__name__))
    check_whole("replicas", replicas, 1, 10**6)
    check_whole("seed", seed, 0, 2**32 - 1)
    streams, budget_name = _streams(budget)
    conditions = []
    for task in _tasks(tasks):
        net = _tried_out(make_net, described, task, seed)
        learns = recipe if isinstance(recipe, BPTT) else recipe(task)
        activation = getattr(net, "output_activation", None)
        conditions.append(
            Condition(
                task,
                _PROTOCOL,
                Budget(streams, STEPS * streams),
                peepholes=False,
                output_activation=activation if activation in OUTPUT_ACTIVATIONS else task.output_activation,
                initial_state=_initial_state(net),
                recipe=learns,
                model=Model("own", 0, described, make=make_net),
            )
        )
    if len(set(map(str, (condition.columns for condition in conditions)))) < len(conditions):
        raise ConfigurationError("tasks", [str(condition.task) for condition in conditions], "each only once")
    check([condition.recipe for condition in conditions if isinstance(condition.recipe, BPTT)])
    described_run = functools.partial(
        Experiment,
        name="benchmark",
        title=described,
        conditions=tuple(conditions),
        replicas=replicas,
        seed=seed,
        engine="torch",
        threads=None,
        trainer={"accelerator": "cpu", "devices": 1, "num_nodes": 1},
        protocol=_PROTOCOL.name,
        budget=budget_name,
    )
    if output is not None:
        return _run(described_run(output=Path(output)))
    with tempfile.TemporaryDirectory() as folder:
        return _run(described_run(output=Path(folder)))


def _run(experiment: Experiment) -> Rows:
    rows = run(experiment)
    seconds = read_seconds(experiment.output)
    return Rows(rows, {row.replica_key: seconds[row.replica_key] for row in rows if row.replica_key in seconds})


def _streams(budget: int | str) -> tuple[int, str]:
    if isinstance(budget, str):
        if budget not in BUDGETS:
            raise ConfigurationError("budget", budget, f"a number of training streams, or {' or '.join(BUDGETS)}")
        return BUDGETS[budget], budget
    check_whole("budget", budget, 1, 2**31)
    return budget, str(budget)


def _tasks(tasks: str | Sequence[Task | str]) -> list[Task]:
    """The tasks, those that are not of this package checked."""
    if isinstance(tasks, str):
        if tasks not in SUITES:
            raise ConfigurationError("tasks", tasks, f"a list of tasks, or {' or '.join(SUITES)}")
        return list(SUITES[tasks])
    found = [as_task(task) for task in tasks]
    if not found:
        raise ConfigurationError("tasks", [], "at least one")
    for task in found:
        if not type(task).__module__.startswith("timing_tasks."):
            check_task(task)
    return found


def _initial_state(net: nn.Module) -> NamedInitialState:
    """What rows say of the state that a net starts from."""
    is_learned = any(isinstance(part, Learned) for part in net.modules())
    return NamedInitialState("learned") if is_learned else ZERO


def _tried_out(make_net: MakeNet, name: str, task: Task, seed: int) -> nn.Module:
    """The first net of a task.

    Raises:
        ConfigurationError: a net that cannot be trained, with its name.
    """

    def refuse(why: object) -> ConfigurationError:
        return ConfigurationError("make_net", name, f"for {task} it {why}".partition("\n")[0])

    def make() -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed << 32)
            return make_net(task, seed << 32)

    try:
        net, again = make(), make()
    except Exception as error:  # whatever the function says
        raise refuse(f"fails: {type(error).__name__}: {error}") from error
    if not isinstance(net, nn.Module):
        raise refuse(f"gives a {type(net).__name__}; a torch.nn.Module is needed")
    net, again = net.double(), again.double()
    if not any(parameter.requires_grad for parameter in net.parameters()):
        raise refuse("gives a net without parameters that learn")
    if any(parameter.is_complex() for parameter in net.parameters()):
        raise refuse("gives complex parameters; rows hold real ones, such as torch.view_as_real gives")
    if not all(map(torch.equal, net.parameters(), again.parameters())):
        raise refuse("gives other weights for the same seed")
    buffers = copy.deepcopy(list(net.buffers()))
    try:
        check_net(net)
        probe = torch.linspace(-1.0, 1.0, 24, dtype=torch.float64).reshape(2, 12, 1)
        with torch.no_grad():
            first, second = net(probe), net(probe)  # as in training
    except ConfigurationError as error:
        raise refuse(error.allowed) from error
    except Exception as error:  # whatever the module says
        raise refuse(f"fails: {type(error).__name__}: {error}") from error
    if not bool(first.isfinite().all()):
        raise refuse("gives outputs that are not finite")
    if not torch.equal(first, second) or not all(map(torch.equal, buffers, net.buffers())):
        raise refuse("gives other outputs in training when it is called again: dropout or changing buffers, say")
    return net
