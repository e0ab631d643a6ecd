"""What the README shows works as it stands there."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from timing_tasks.cli.compose import Call, jobs
from timing_tasks.cli.config import experiment
from timing_tasks.cli.schema import ExperimentKeys
from timing_tasks.report.restarts import STARTS, outcome, restarted
from timing_tasks.report.tables import cells
from timing_tasks.results.row import COLUMNS, Row, read_rows
from timing_tasks.results.statistics import paired_ratio, summarise

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL))
def test_its_python_runs(code: str):
    x = torch.randn(4, 5, 8)
    names: dict[str, object] = {"x": x, "lstm": nn.LSTM(8, 32, batch_first=True)}
    exec(code, names)
    assert tuple(names["output"].shape) == (4, 5, 32)  # type: ignore[attr-defined]


def test_the_layer_takes_the_place_of_nn_lstm_as_it_says():
    code = next(code for code in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if "in place of" in code)
    x = torch.randn(4, 5, 8)
    names: dict[str, object] = {"x": x, "nn": nn}
    theirs = eval(re.search(r"in place of (.*)", code)[1], names)
    exec(code, names)
    ours, expected = (names["output"], names["h"], names["c"]), theirs(x)
    for mine, reference in zip(ours, (expected[0], *expected[1]), strict=True):
        assert mine.shape == reference.shape


def _commands() -> list[list[str]]:
    """Those of scripts, in blocks of their own and in the report, split as a shell does."""
    found = []
    for text in (TEXT, (ROOT / "results" / "README.md").read_text()):
        for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line.partition("#")[0] if " # " in line else line)
                scripts = [place for place, word in enumerate(words) if re.fullmatch(r"reproduce/\w+\.py", word)]
                found += [[Path(words[place]).stem, *words[place + 1 :]] for place in scripts]
    return found


TWICE_EIGHT = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "16", "LOCAL_WORLD_SIZE": "8", "RANK": "0"}


def test_its_commands_are_understood(monkeypatch: pytest.MonkeyPatch):
    found = _commands()
    assert len(found) > 20
    for script, *overrides in found:
        overrides = [override for override in overrides if override != "-m" and not override.startswith("hydra/")]
        for job in jobs(overrides):
            for name, value in TWICE_EIGHT.items():  # what torchrun sets in the example for two machines
                monkeypatch.setenv(name, value) if "trainer.num_nodes=2" in job else monkeypatch.delenv(
                    name, raising=False
                )
            config = Call(script, ROOT, tuple(job)).config()
            is_experiment = issubclass(OmegaConf.get_type(config), ExperimentKeys)
            if is_experiment and ("trainer=gpus" not in job or torch.cuda.is_available()):
                experiment(config)


PAGES = [ROOT / "README.md", *sorted((ROOT / "results").glob("*.md"))]


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_its_links_lead_somewhere(path: Path):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text()):
        assert "://" in target or (path.parent / target).exists(), target


def test_it_names_every_script_and_every_column():
    for script in (ROOT / "reproduce").glob("*.py"):
        assert script.name in TEXT
    assert ", ".join(COLUMNS) in TEXT.replace("\n", " ")


def test_its_headline_is_of_the_verdict():
    section = TEXT.partition("## What comes out")[2].partition("\n## ")[0]
    lines = [line.removesuffix("|") for line in section.splitlines() if line.startswith("| ")]
    verdict = (ROOT / "results" / "README.md").read_text().partition("## The verdict")[2].splitlines()
    assert len(lines) > 10
    for line in lines:
        assert any(full.startswith(line) for full in verdict), line
    readings = [path for path in (ROOT / "results" / "protocols").iterdir() if path.is_dir()]
    assert f"Of the {len(readings)} readings" in section


def median(rows: list[Row]) -> str:
    return cells.thousands(summarise(rows).median)


def test_what_it_says_of_spikes_far_apart_is_in_the_rows():
    def solved(rate: str, peepholes: bool, interval: int) -> int:
        rows = read_rows(ROOT / "results" / "rates_spikes" / f"rate_{rate}" / "runs.csv")
        asked = (peepholes, interval)
        return sum((row.peepholes, row.interval, row.status) == (*asked, "solved") for row in rows)

    assert "at our rate intervals of up to 40 steps, which those with peepholes do not" in TEXT
    assert (solved("1e-4", False, 40), solved("1e-4", True, 40)) == (10, 0)
    assert "of up to 50, and then those with peepholes do, too" in TEXT
    assert all(solved("2e-5", peepholes, f) >= 9 for peepholes in (True, False) for f in (30, 40, 50))


def test_its_answer_has_the_numbers_of_the_rows():
    rows = read_rows(ROOT / "results" / "initial_state" / "runs.csv")
    answer = " ".join(TEXT.partition("**Yes,")[2].partition("Three lines")[0].split())

    def of(state: str, **wanted: Any) -> list[Row]:
        values = wanted | {"initial_state": state}
        return [row for row in rows if all(getattr(row, name) == value for name, value in values.items())]

    def solved(state: str, **wanted: Any) -> int:
        return summarise(of(state, **wanted)).solved

    cos = {"waveform": "cos", "interval": 10, "peepholes": True}
    tri = {"waveform": "tri", "interval": 25, "peepholes": True}
    rect = {"waveform": "rect", "interval": 10, "peepholes": True}
    assert f"F = 10, {median(of('learned', **cos))} instead of {median(of('zero', **cos))} thousand" in answer
    assert f"tri, F = 25, {median(of('learned', **tri))} instead of {median(of('zero', **tri))}" in answer
    assert f"a median of {median(of('learned', **rect))} instead of {median(of('zero', **rect))} thousand" in answer
    assert f"{paired_ratio(of('learned', **rect), of('zero', **rect)).ratio:.1f} times as many" in answer
    smooth = [{"waveform": w, "interval": f, "tolerance": 0.3} for w in ("cos", "tri") for f in (10, 25)]
    close = {"waveform": "cos", "tolerance": 0.15}
    for wanted in smooth:
        assert (solved("learned", peepholes=False, **wanted), solved("zero", peepholes=False, **wanted)) == (50, 0)
        ratio = paired_ratio(of("learned", peepholes=True, **wanted), of("zero", peepholes=True, **wanted)).ratio
        assert 4.5 < 1 / ratio < 7.5
    assert solved("zero", task="pfg", peepholes=False) == 0
    assert (solved("learned", **close), solved("zero", **close)) == (100, 0)
    spikes = {"task": "gts", "interval": 40, "peepholes": True}
    assert f"{solved('learned', **spikes)} of 50 nets solve it instead of none" in answer
    assert solved("zero", **spikes) == 0
    three = {"task": "msd", "offsets": (0, 1, 2), "peepholes": False}
    assert f"({solved('learned', **three)} of 50 instead of {solved('zero', **three)})" in answer
    for task, offsets, least, most in (
        ("nmsd", (0, 1), 0.97, 0.99),
        ("gts", (0,), 0.88, 1.0),
        ("gts", (0, 1), 0.88, 1.0),
    ):
        for interval in (10, 20, 30, 40):
            for peepholes in (True, False):
                wanted = {"task": task, "offsets": offsets, "interval": interval, "peepholes": peepholes}
                pairs = paired_ratio(of("learned", **wanted), of("zero", **wanted)) if of("zero", **wanted) else None
                if pairs and pairs.pairs > 1:
                    assert least - 0.005 <= pairs.ratio <= most, wanted
    three = {"task": "gts", "offsets": (0, 1, 2), "peepholes": False}
    assert paired_ratio(of("learned", **three), of("zero", **three)).ratio == pytest.approx(0.5, abs=0.05)
    groups = restarted(rows)
    assert {outcome(group, "zero").steps_back for group in groups[:2]} == {7}
    assert all(outcome(group, "zero").at_best[-1] == 1 for group in groups[:2])
    assert all(outcome(group, start).at_best[-1] > 0.99 for group in groups[:2] for start in STARTS)
    assert [
        round(outcome(groups[2], start).at_best[-1], 1)
        for start in STARTS
        if start not in ("learned", "a random phase")
    ] == [0.9] * 4
    shares = [100 * outcome(group, "zero").on_time[-1] for group in groups[:2]]
    assert f"{shares[0]:.0f}% of the cos nets, {shares[1]:.0f}% of the tri nets" in answer


def test_what_back_propagation_gives_has_the_numbers_of_the_rows():
    rows = read_rows(ROOT / "results" / "recipes" / "runs.csv")
    said = " ".join(TEXT.partition("### What it gives")[2].partition("\n## ")[0].split())

    def of(
        task: str,
        interval: int,
        asked: tuple[int, ...] | str,
        recipe: str = "bptt",
        state: str = "learned",
        model: str = "peephole_lstm 1",
    ):
        wanted = (task, interval, recipe, state, model)
        mine = [row for row in rows if (row.task, row.interval, row.recipe, row.initial_state, row.model) == wanted]
        return summarise([row for row in mine if asked in (row.offsets, row.waveform)])

    forty, fifty = of("nmsd", 40, (0, 1)), of("nmsd", 50, (0, 1))
    assert (
        f"F = 40 is solved by {forty.solved} of 10 nets with peepholes after a median of "
        f"{cells.thousands(forty.median)}" in said
    )
    assert f"F = 50 by {fifty.solved} of 10 after {cells.thousands(fifty.median)}" in said
    assert (
        f"solved by {of('msd', '10', '0 1').solved} of 10 (two intervals) and {of('msd', '10', '0 1 2').solved} of 10 "
        "(three)" in said
    )
    assert f"F = 30 is solved by {of('gts', '30', '0').solved} of 10, and no net learns F = 40 or 50" in said
    ratios = [of("gts", f, (0,), "online").median / of("gts", f, (0,)).median for f in (10, 20)]
    assert f"take {ratios[0]:.0f} and {ratios[1]:.0f} times fewer" in said
    assert not any(of("gts", f, (0,), state=state).solved for f in (40, 50) for state in ("zero", "learned"))
    more = [(of("gts", 10, asked, "online").solved, of("gts", 10, asked).solved) for asked in ((0, 1), (0, 1, 2))]
    assert f"the paper's rule is better: 10 of 10 nets instead of {more[0][1]} and {more[1][1]}" in said
    assert more[0][0] == more[1][0] == 10
    smooth = [(f, wave) for f in (10, 25) for wave in ("cos", "tri")]
    assert all(of("pfg", f, wave).solved == 10 for f, wave in smooth)
    assert {of("pfg", f, wave, state="zero").solved for f, wave in smooth} <= {7, 8, 9, 10}

    def all_of(model: str) -> int:
        return sum(
            (row.status, row.recipe, row.initial_state, row.model) == ("solved", "bptt", "learned", model)
            for row in rows
        )

    counts = [all_of(model) for model in ("lstm 1", "gru 1", "peephole_lstm 1")]
    assert (
        f"in all {counts[0]} and {counts[1]} of 200 nets with a learned state, instead of {counts[2]} with peepholes"
        in said
    )
    assert not any(of("pfg", f, "rect", state=state).solved for f in (10, 25) for state in ("zero", "learned"))
