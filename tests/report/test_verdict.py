"""The verdict on the paper: what its tables say of the committed rows, and of rows made up."""

import shlex
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import hydra
import pytest

from tests.helpers.rows import row
from tests.helpers.scripts import ROOT, run
from timing_tasks.cli.config import experiment
from timing_tasks.cli.scripts.verdict import PAPERS_TABLES
from timing_tasks.conditions.condition import CONDITION_COLUMNS
from timing_tasks.report.tables import Table
from timing_tasks.report.tables.verdict import peepholes, verdict
from timing_tasks.results.compared import compare_papers_nets
from timing_tasks.results.published import Published, read_published
from timing_tasks.results.row import Row, read_rows


@pytest.fixture(scope="module")
def published() -> list[Published]:
    return read_published(ROOT / "reproduce" / "published")


def rows(net: bool, *streams: int, status: str = "solved") -> list[Row]:
    """Of NMSD F=10, for which the paper has 160 ± 14 and, with peepholes, 125 ± 14 thousand, 10 of 10 each."""
    values = {
        "forget_gate": True,
        "output_activation": "sigmoid",
        "tolerance": 0.49,
        "peepholes": net,
        "status": status,
    }
    return [
        row(k, training_streams=1000 * s, initial_state="zero", recipe="online", **values)
        for k, s in enumerate(streams)
    ]


def cells(table: Table, line: int) -> dict[str, str]:
    return dict(zip(table.header, table.lines[line], strict=True))


def test_a_condition_is_held_against_the_papers_numbers(published: list[Published]):
    table = verdict("T", rows(False, *range(140, 180, 4)) + rows(True, *range(40, 50)), published)
    first, second = cells(table, 0), cells(table, 1)
    assert (first["solved is"], first["streams are"]) == ("compatible", "compatible")
    assert (second["solved is"], second["streams are"]) == ("compatible", "faster")
    assert (first["streams"], first["streams s.e."]) == ("158", "3.83")  # 12.1 / sqrt(10)
    assert "Of the 2 conditions that are not in these searches – solved: 2 compatible" in table.notes[1]
    assert "streams: 1 compatible, 1 faster" in table.notes[1]
    chosen = verdict("T", rows(False, *range(140, 180, 4)), published, {("nmsd", 10, (0, 1), "", 0.49)})
    assert (cells(chosen, 0)["protocol"], chosen.notes[1][:48]) == (
        "searched",
        "Of the 1 conditions of the searches for the clos",
    )


@pytest.mark.parametrize(
    ("solved", "streams", "said"),
    [
        ((100, 0), (41, 0), "better"),
        ((0, 100), (0, 41), "worse"),
        ((80, 100), (100, 200), "no difference"),  # those that are not solved may have been the slowest
        ((100, 100), (100, 200), "better"),
        ((100, 100), (100, 105), "no difference"),
        ((30, 0), (954, 0), "no difference"),
        ((None, 100), (0, 41), "undecided"),
    ],
)
def test_two_nets_of_the_paper_are_compared(
    solved: tuple[int | None, int | None], streams: tuple[int, int], said: str, published: list[Published]
):
    nets = [
        replace(
            published[0],
            solved_percent=percent,
            streams=Decimal(mean) if mean else None,
            streams_deviation=Decimal(10) if mean else None,
        )
        for percent, mean in zip(solved, streams, strict=True)
    ]
    assert compare_papers_nets(*nets) == said


def test_where_peepholes_are_better_is_set_beside_where_the_paper_says_so(published: list[Published]):
    slow, fast = range(140, 180, 4), range(40, 50)
    for with_peepholes, here, said in ((fast, "better", "only here"), (slow, "no difference", "as printed")):
        [line] = peepholes("T", rows(False, *slow) + rows(True, *with_peepholes), published).lines
        assert line[-2:] == (here, said)
    [line] = peepholes(
        "T", rows(False, *slow, status="unsolved") + rows(True, *slow, status="unsolved"), published
    ).lines
    assert line[-2:] == ("none solved", "open")


def test_each_line_of_the_committed_verdict_says_how_to_run_it_alone(published: list[Published]):
    files = [ROOT / "results" / name / "runs.csv" for name in PAPERS_TABLES]
    everything = list({row.replica_key: row for path in files for row in read_rows(path)}.values())
    table = verdict("T", everything, published)
    found = {}
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(ROOT / "configs")):
        for line in table.lines:
            overrides = ["budget=paper", *shlex.split(line[-1].strip("`"))]
            described = experiment(hydra.compose("condition", overrides=overrides))
            [condition] = described.conditions
            is_cut_short = "†" in line[table.header.index("solved")]
            assert (condition.budget.net_steps < 10**10) == is_cut_short
            found[tuple(condition.columns[name] for name in CONDITION_COLUMNS)] = described.replicas
    nets = Counter(row.condition for row in everything)
    assert found == {
        name: nets[name]
        for name in nets
        if any(v.is_of(r) for v in published for r in everything if r.condition == name)
    }


def test_the_script_prints_it_and_needs_rows(tmp_path: Path):
    script = str(ROOT / "reproduce" / "verdict.py")
    done = run(script, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Are peepholes better?" in done.stdout
    for folder, said in ((tmp_path, "no rows of table1"), (tmp_path / "nowhere", "results")):
        done = run(script, f"results={folder}", cwd=tmp_path)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert said in done.stderr
