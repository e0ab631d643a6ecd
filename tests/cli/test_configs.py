"""What the configs describe: the committed rows, values in their forms, and that nothing heavy is imported for it."""

import json
from pathlib import Path

import pytest

from tests.helpers.scripts import ROOT, rows, run
from timing_tasks.cli.compose import Call
from timing_tasks.cli.config import experiment
from timing_tasks.cli.help import help_of
from timing_tasks.errors import ConfigurationError
from timing_tasks.experiment.experiment import Experiment
from timing_tasks.experiment.run import is_complete

SCRIPTS = sorted(
    path.stem for path in (ROOT / "reproduce").glob("*.py") if path.stem != "compare"
)  # which takes a folder
CONDITION = str(ROOT / "reproduce" / "condition.py")
FEW = ("replicas=1", "budget.training_streams=4", "budget.net_steps=2e3", "engine.threads=1")


def described(name: str, *overrides: str) -> Experiment:
    return experiment(Call(name, ROOT, overrides).config())


def committed() -> list[tuple[str, tuple[str, ...], str]]:
    """Script, overrides and folder of every part of `all.py` and every reading."""
    found = []
    for part in Call("all", ROOT).config().parts:
        budget = [f"budget={part.budget}"] if "budget" in part else []
        name = Call(part.script, ROOT).config().name
        found.append((part.script, (*part.get("overrides", []), *budget), part.get("folder", name)))
    for name in ("protocols", "rates", "rates_spikes"):
        for reading, overrides in Call(name, ROOT).config().readings.items():
            found.append((name, tuple(overrides), f"{name}/{reading}"))
    return found


def test_committed_rows_are_those_that_the_configs_describe():
    found = committed()
    assert len(found) > 50
    for name, overrides, folder in found:
        one = experiment(Call(name, ROOT, overrides, str(ROOT / "results" / folder)).config())
        there = json.loads((ROOT / "results" / folder / "run.json").read_text())["conditions"]
        here = json.loads(json.dumps(one.described_conditions))
        assert {key: there.get(key) for key in here} == here, (name, folder)
        assert is_complete(one), (name, folder)


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_says_what_a_script_does_and_what_each_key_means(name: str):
    text = help_of(Call(name, ROOT))
    assert text.splitlines()[0] in (ROOT / "reproduce" / f"{name}.py").read_text()
    assert f"`python reproduce/{name}.py" in text.splitlines()[0]
    lines = [line for line in text.splitlines() if line.startswith("  ")]
    assert lines
    assert all(": " in line and len(line.partition(": ")[2]) > 3 for line in lines)


def test_an_override_is_added_to_what_a_config_has_changed_already():
    def names(*overrides: str) -> set[str]:
        condition = described("delays", *overrides).conditions[0]
        return {condition.protocol.name, condition.recipe.name}

    assert names() == {"closest(output_gate_bias=2.0)", "bptt(intervals)"}
    more = names("protocol.momentum=0.5", "recipe.clip=null")
    assert more == {"closest(output_gate_bias=2.0 momentum=0.5)", "bptt(intervals clip=null)"}
    assert "closest(output_gate_bias=1.0)" in names("protocol.output_gate_bias=1.0")


def test_what_a_config_describes_is_known_before_torch_is_imported():
    code = (
        "import sys; from pathlib import Path; from timing_tasks.cli.compose import Call;"
        "from timing_tasks.cli.config import experiment; from timing_tasks.cli import application;"
        "from timing_tasks.cli.scripts import experiment as script;"
        f"experiment(Call('table1', Path({str(ROOT)!r})).config());"
        "print(sorted({'torch', 'lightning', 'matplotlib', 'scipy'} & set(sys.modules)))"
    )
    done = run("-c", code, cwd=ROOT)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_a_whole_number_may_be_written_as_a_float_is():
    one = described("condition", "replicas=1e2", "seed=3.0", "budget.net_steps=1e6", "task.min_interval=2e1")
    assert (one.replicas, one.seed, one.conditions[0].budget.net_steps) == (100, 3, 10**6)
    assert one.conditions[0].task.min_interval == 20
    assert all(type(value) is int for value in (one.replicas, one.seed, one.conditions[0].budget.net_steps))
    with pytest.raises(ConfigurationError, match="a whole number"):
        described("condition", "replicas=1.5")


def test_some_conditions_of_a_table_can_be_selected():
    tasks = [condition.task for condition in described("table1", "select=[{name:msd}]", "peepholes=true").conditions]
    assert [(task.name, task.offsets) for task in tasks] == [("msd", (0, 1)), ("msd", (0, 1, 2))]
    assert len(described("table1", "select=[{name:msd},{min_interval:50}]").conditions) == 6
    for nothing in ("select=[{name:gts}]", "select=[]", "select=msd"):
        with pytest.raises(ConfigurationError, match="what some conditions have"):
            described("table1", nothing)


def test_a_run_goes_on_for_a_time_that_is_given():
    assert described("condition").max_seconds is None
    assert described("condition", "trainer.max_time=01:02:03:04").max_seconds == 93784
    with pytest.raises(ConfigurationError, match="days, hours, minutes and seconds"):
        described("condition", "trainer.max_time=ten")


def test_a_sweep_may_change_keys_that_only_its_options_have(tmp_path: Path):
    sweep = ("-m", "recipe=bptt,online_and_bptt", "recipe.streams=4", *FEW)
    done = run(CONDITION, *sweep, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    found = [rows(path.parent) for path in tmp_path.glob("runs/condition/*/runs.csv")]
    assert sorted([row["recipe"] for row in some] for some in found) == [
        ["bptt(streams=4)"],
        ["bptt(streams=4)", "online"],
    ]


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (
            "-m recipe=bptt,online recipe.streams=4",
            "recipe.streams='4': no such key with recipe=online; there are none",
        ),
        ("hydra/launcher=foo", "hydra/launcher='foo': one of basic, "),
        ("-m hydra/launcher=foo seed=1,2", "hydra/launcher='foo': one of basic, "),
        ("-m seed=1,2 hydra.sweep.dir=/proc/none", "hydra.sweep.dir='/proc/none': "),
        ("--cfg job replcas=3", "replcas='3': no such key; did you mean replicas?"),
        ("fast_dev_run=maybe", "fast_dev_run='maybe': true or false"),
    ],
)
def test_what_hydra_would_tell_in_many_lines_is_one(overrides: str, told: str, tmp_path: Path):
    done = run(CONDITION, *overrides.split(), cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"condition.py: {told}")
    assert list(tmp_path.iterdir()) == []
