"""The scripts as a user runs them: in a process of their own, by the commands of the configs and the README."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.helpers.scripts import LONG, QUICK, ROOT, command, rows, run

CONFIGS = sorted(p for p in (ROOT / "configs").glob("*.yaml") if p.stem != "base")
CONDITIONS = {"condition": 1, "table1": 6, "table2": 38, "table3": 28, "table4": 26, "hundred": 22}


def command_of(config: Path) -> list[str]:
    """The command in a config's first line, without `python`."""
    line = config.read_text().splitlines()[0]
    assert line.startswith(f"# python reproduce/{config.stem}.py")
    return shlex.split(line.removeprefix("# python "))


def test_every_script_has_a_config_and_every_config_a_script():
    assert {p.stem for p in CONFIGS} == {p.stem for p in (ROOT / "reproduce").glob("*.py")} - {
        "compare"
    }  # takes a folder


@pytest.mark.parametrize("name", CONDITIONS)
def test_the_command_of_a_table_runs(name: str, tmp_path: Path):
    script = command_of(ROOT / "configs" / f"{name}.yaml")
    done = run(str(ROOT / script[0]), *script[1:], *QUICK, f"output={tmp_path / 'out'}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = rows(tmp_path / "out")
    assert len(found) == 2 * CONDITIONS[name]
    table = (tmp_path / "out" / "table.md").read_text().partition("net against net")[0]
    assert table.count("\n|") == CONDITIONS[name] + 2
    assert "Protocol: closest." in done.stdout
    assert all(len(row["weights"].split()) == 19 for row in found)


@pytest.mark.parametrize("override", ["seed=2", "peepholes=true", "replicas=12"])
def test_a_figure_of_the_repositorys_rows_is_not_replaced_by_another(override: str, tmp_path: Path):
    before = {p: p.read_bytes() for p in (ROOT / "results" / "table3").iterdir() if p.is_file()}
    done = run(str(ROOT / "reproduce" / "figure_spikes.py"), override, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "give another folder" in done.stderr
    assert {p: p.read_bytes() for p in (ROOT / "results" / "table3").iterdir() if p.is_file()} == before


def test_a_report_without_solved_nets_has_its_tables_and_says_what_cannot_be_drawn(tmp_path: Path):
    done = run(
        str(ROOT / "reproduce" / "all.py"), *QUICK, "protocol=printed", "output='my (new) results'", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "my (new) results" / "README.md").read_text()
    assert text.count("No figure of") == 5
    tables = [path.read_text() for path in (tmp_path / "my (new) results").rglob("table.md")]
    assert sum("Protocol: printed." in table for table in tables) >= 4
    assert "left out: The learned initial state" in done.stdout
    own = (tmp_path / "my (new) results" / "printed_rates" / "table.md").read_text()
    assert "closest(learning_rate=1e-5 momentum=0.99)" in own  # a part that has a protocol of its own keeps it
    assert (tmp_path / "my (new) results" / "departures.md").exists()


def test_the_report_is_a_pure_function_of_the_rows(tmp_path: Path):
    script = command_of(ROOT / "configs" / "all.yaml")
    folder = tmp_path / "results"
    shutil.copytree(ROOT / "results", folder)
    figures = [path for path in folder.rglob("*") if path.suffix in (".png", ".svg")]
    for path in figures:
        path.unlink()
    done = run(str(ROOT / script[0]), *script[1:], f"output={folder}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for path in (p.relative_to(folder) for p in folder.rglob("*") if p.suffix in (".md", ".csv")):
        assert (folder / path).read_bytes() == (ROOT / "results" / path).read_bytes(), path
    begins = {".png": b"\x89PNG", ".svg": b"<?xml"}
    assert len(figures) >= 20
    assert all(path.read_bytes().startswith(begins[path.suffix]) for path in figures)


def test_some_readings_of_the_paper_are_run_each_in_its_folder(tmp_path: Path):
    script = [str(ROOT / "reproduce" / "protocols.py"), "output=o", *QUICK, "only=[as_printed,second_phase]"]
    done = run(*script, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    table = (tmp_path / "o" / "table.md").read_text()
    assert table.count("\n|") == 2 * 2 + 2
    assert "PFG 10 cos |" in table
    for name, protocol in (("as_printed", "printed"), ("second_phase", "closest(first_phase=1 learning_rate=1e-4)")):
        found = rows(tmp_path / "o" / name)
        assert len(found) == 2 * 18
        assert {row["protocol"] for row in found} == {protocol}
    assert {row["readings"] for row in found if row["task"] == "pfg"} == {"first_phase=1"}
    for override, key in (("protocol=printed", "protocol"), ("only=[best]", "only"), ("readings={}", "readings")):
        done = run(script[0], "output=other", override, cwd=tmp_path)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert key in done.stderr
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("name", ["protocols", "all"])
def test_a_script_with_a_folder_of_its_own_needs_one(name: str, tmp_path: Path):
    done = run(str(ROOT / "reproduce" / f"{name}.py"), "output=null", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"{name}.py: output=None: a folder\n")


def test_the_readmes_condition_command_runs(tmp_path: Path):
    text = (ROOT / "reproduce" / "README.md").read_text()
    found = re.search(r"^python (reproduce/condition\.py(?:[^\n]*\\\n)*[^\n]*)", text, re.MULTILINE)
    assert found
    script = shlex.split(found[1].replace("\\\n", " "))
    done = run(
        str(ROOT / script[0]), *[a for a in script[1:] if not a.startswith("output=")], *QUICK, "output=o", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert len(rows(tmp_path / "o")) == 2


def test_a_folder_with_other_rows_is_refused_untouched(tmp_path: Path):
    arguments = (str(ROOT / "reproduce" / "condition.py"), *QUICK, "output=o")
    assert run(*arguments, cwd=tmp_path).returncode == 0
    before = {p: p.read_bytes() for p in (tmp_path / "o").rglob("*") if p.is_file()}
    done = run(*arguments, "protocol.learning_rate=1e-3", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "learning_rate" in done.stderr
    assert {p: p.read_bytes() for p in (tmp_path / "o").rglob("*") if p.is_file()} == before


def test_more_replicas_keep_the_rows_that_are_there(tmp_path: Path):
    arguments = (str(ROOT / "reproduce" / "condition.py"), *QUICK, "output=o")
    assert run(*arguments, cwd=tmp_path).returncode == 0
    few = rows(tmp_path / "o")
    assert run(*arguments, "replicas=5", cwd=tmp_path).returncode == 0
    assert rows(tmp_path / "o")[:2] == few
    assert len(rows(tmp_path / "o")) == 5


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        ("task=gts task.min_interval=15 task.offsets=[0]", "GTS"),
        ("task=gts task.offsets=[0,1] forget_gate=false", "GTS"),
        ("task=pfg task.waveform=cos task.period=12", "PFG"),
        ("task=msd task.offsets=[0,1,2] output_activation=identity", "MSD"),
        ("task=pfg initial_state=learned", "peephole, learned"),
        ("task=gts initial_state=noisy peepholes=false", "LSTM, noisy 0.1"),
    ],
)
def test_every_task_can_be_run(overrides: str, line: str, tmp_path: Path):
    done = run(str(ROOT / "reproduce" / "condition.py"), *overrides.split(), *QUICK, "output=o", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert line in done.stdout
    assert {row["forget_gate"] for row in rows(tmp_path / "o")} == {
        "false" if "forget_gate=false" in overrides else "true"
    }


@pytest.mark.parametrize(
    ("overrides", "recipe", "model"),
    [
        ("task=gts recipe.optimizer.lr=0.5 initial_state=noisy", "bptt(optimizer.lr=0.5)", "peephole_lstm 1"),
        (
            "recipe.optimizer={_target_:torch.optim.Adam,lr:0.1}",
            "bptt(optimizer={_target_:torch.optim.Adam,lr:0.1})",
            "peephole_lstm 1",
        ),
        ("model=gru initial_state=learned", "bptt", "gru 1"),
        ("task=pfg model=custom model.target=torch.nn.Identity", "bptt", "torch.nn.Identity()"),
        (
            "task=pfg model=custom model.target=torch.nn.Linear model.arguments={in_features:1,out_features:3}",
            "bptt",
            "torch.nn.Linear(in_features=1, out_features=3)",
        ),
    ],
)
def test_back_propagation_through_time_trains_any_net(overrides: str, recipe: str, model: str, tmp_path: Path):
    few = ("recipe=bptt", "replicas=2", "budget.training_streams=20", "output=o")
    done = run(str(ROOT / "reproduce" / "condition.py"), *few, *overrides.split(), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = rows(tmp_path / "o")
    assert {(row["recipe"], row["model"], row["status"]) for row in found} == {(recipe, model, "unsolved")}
    assert {row["training_streams"] for row in found} == {"20"}
    assert len((tmp_path / "o" / "seconds.csv").read_text().splitlines()) == 3
    before = (tmp_path / "o" / "runs.csv").read_bytes()
    assert run(str(ROOT / "reproduce" / "condition.py"), *few, *overrides.split(), cwd=tmp_path).returncode == 0
    assert (tmp_path / "o" / "runs.csv").read_bytes() == before


@pytest.mark.parametrize("sweep", [(), ("-m",)])
def test_a_mapping_takes_the_place_of_the_one_that_was_there(sweep: tuple[str, ...], tmp_path: Path):
    adam = "recipe.optimizer={_target_:torch.optim.Adam,lr:0.01,betas:[0.9,0.9]}"
    few = (
        "recipe=bptt",
        "replicas=1",
        "budget.training_streams=4",
        "budget.net_steps=9",
        "task.offsets=[0,2]",
        "output=o",
    )
    done = run(str(ROOT / "reproduce" / "condition.py"), *sweep, *few, adam, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    [condition] = json.loads((tmp_path / "o" / "run.json").read_text())["conditions"].values()
    assert condition["recipe"]["optimizer"] == {"_target_": "torch.optim.Adam", "lr": 0.01, "betas": [0.9, 0.9]}
    assert condition["task"]["offsets"] == [0, 2]
    assert {row["recipe"] for row in rows(tmp_path / "o")} == {f"bptt({adam.removeprefix('recipe.')})"}


@pytest.mark.parametrize(("name", "conditions"), [("recipes", 160), ("horizon", 28)])
def test_a_comparison_of_recipes_runs(name: str, conditions: int, tmp_path: Path):
    script = command_of(ROOT / "configs" / f"{name}.yaml")
    few = ("replicas=1", "budget.training_streams=2", "budget.net_steps=2000", "engine.threads=1")
    done = run(str(ROOT / script[0]), *script[1:], *few, f"output={tmp_path / 'out'}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(rows(tmp_path / "out")) == conditions
    assert f"{conditions // 20} of 20" not in (tmp_path / "out" / "table.md").read_text()


def test_a_changed_protocol_says_so_in_every_row(tmp_path: Path):
    done = run(str(ROOT / "reproduce" / "condition.py"), *QUICK, "protocol.momentum=0.5", "output=o", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {row["protocol"] for row in rows(tmp_path / "o")} == {"closest(momentum=0.5)"}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_goes_on_where_it_stopped(number: signal.Signals, undisturbed: bytes, tmp_path: Path):
    pytest.importorskip("_timing_tasks_native")
    arguments = command(str(ROOT / "reproduce" / "condition.py"), *LONG, "output=o")
    # A shell that runs the tests in its background has them, and what they start, ignore Ctrl-C: undo that.
    process = subprocess.Popen(
        arguments,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    checkpoint = tmp_path / "o" / "checkpoints" / "online" / "previous.ckpt"
    while not checkpoint.exists() and process.poll() is None:  # two chunks
        time.sleep(0.05)
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == (-9 if number == signal.SIGKILL else 128 + number), errors
    if number != signal.SIGKILL:
        assert b"the same command goes on" in output
        assert b"Traceback" not in errors
    assert checkpoint.exists()
    last = checkpoint.with_name("last.ckpt")
    torn = number == signal.SIGKILL and last.exists()  # there is none if the kill came while it was being replaced
    if torn:  # by the power cut
        last.write_bytes(last.read_bytes()[:3000])
    done = run(*arguments[1:], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert ("is damaged" in done.stderr) == torn
    assert (tmp_path / "o" / "runs.csv").read_bytes() == undisturbed


def test_a_terminal_without_a_sign_ends_nothing(tmp_path: Path):
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
    asked = command(str(ROOT / "reproduce" / "condition.py"), *QUICK, "output=o")
    done = subprocess.run(asked, cwd=tmp_path, env=ascii_only, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "paper ?, streams s.e." in done.stdout  # a plus or minus


def test_importing_the_package_is_cheap():
    code = "import sys, timing_tasks; print(sorted({'torch', 'lightning', 'matplotlib'} & set(sys.modules)))"
    done = run("-c", code, cwd=ROOT)
    assert done.stdout.strip() == "[]"
