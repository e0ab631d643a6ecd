from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.helpers.rows import row
from timing_tasks.report.tables import Table, fitting, markdown, show, with_short_words
from timing_tasks.report.tables.cells import asked
from timing_tasks.report.tables.comparison import comparison
from timing_tasks.report.tables.pairs import initial_states, variants
from timing_tasks.report.tables.readings import readings
from timing_tasks.report.tables.recipes import recipes, summary
from timing_tasks.report.tables.verdict import peepholes, verdict
from timing_tasks.results.published import Published, read_published
from timing_tasks.results.reliability import Reliability
from timing_tasks.results.row import read_rows
from timing_tasks.results.seconds import read_seconds

PAPERS = {
    **{"forget_gate": True, "output_activation": "sigmoid", "tolerance": 0.49, "protocol": "p"},
    **{"initial_state": "zero", "recipe": "online"},
}


COSINE = {"task": "pfg", "offsets": (), "waveform": "cos", "tolerance": 0.3}


@pytest.fixture
def published() -> list[Published]:
    return read_published(Path(__file__).parents[2] / "reproduce" / "published")


def rows(peepholes: bool, *streams: int, status: str = "solved", **changes: Any):
    values = PAPERS | {"peepholes": peepholes, "status": status} | changes
    return [row(k, training_streams=s, **values) for k, s in enumerate(streams)]


def test_a_table_sets_the_papers_values_beside_ours(published: list[Published]):
    table = comparison(
        "T",
        rows(False, 150000, 170000) + rows(True, 9000000, 9000000, status="unsolved", test_size=7),
        published,
    )
    assert dict(zip(table.header, table.lines[0], strict=True)) == {
        "F": "10",
        "I(n)": "{0,1}",
        "net": "LSTM",
        "paper %": "100?",
        "paper streams": "160?",
        "paper ±": "14",
        "solved": "2/2",
        "solved 95%": "34–100%",
        "streams": "160",
        "streams s.e.": "10.00",
        "median": "150",
        "restricted": "160",
        "given up": "",
        "solved is": "compatible",
        "streams are": "compatible",
        "solved seen": "< 11%",  # (1 - p)² = .8
        "streams seen": "< 0.64, > 1.36",
        "solved p (Holm)": "1.000 (1.000)",
        "streams p (Holm)": "1.000 (1.000)",
    }
    second = dict(zip(table.header, table.lines[1], strict=True))
    assert [second[name] for name in ("paper %", "paper streams", "solved", "streams", "median")] == [
        *("100?", "125?", "0/2†", "-", "> 9000"),
    ]
    assert (second["given up"], second["solved is"], second["streams are"]) == (
        *("2 from 9000 on, best 7", "undecided", "undecided"),
    )
    text = markdown(table)
    assert "recalled" in text
    assert "† A net was given up earlier" in text
    assert "Of 2 tests 0 say that something differs" in text
    assert "Protocol: p." in text
    assert text.count("\n|") == 4


def test_a_verified_value_carries_no_question_mark():
    value = Published(
        *("1", "nmsd", 10, (0, 1), "", False, True, "sigmoid", 0.49),
        *(100, Decimal(160), Decimal(14), None, None, "130", "", True),
    )
    table = comparison("T", rows(False, 150000), [value])
    assert table.lines[0][3:5] == ("100", "160")
    assert "recalled" not in markdown(table)


@pytest.mark.parametrize("width", [60, 80, 100, 300])
def test_a_terminal_shows_what_it_has_room_for_and_breaks_no_cell(published: list[Published], width: int):
    table = comparison("T", rows(False, 150000, 170000), published)
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    show(table, console)
    text = console.export_text()
    line = next(line for line in text.splitlines() if "{0,1}" in line)
    shown = [table.lines[0][place] for place in fitting(table, width)]
    assert line.split() == " ".join(shown).split()
    assert all(len(line) <= width for line in text.splitlines())
    assert (len(shown) == len(table.header)) == (width == 300) == ("No room here" not in text)


@pytest.mark.parametrize("name", ["table1", "table3", "table4", "initial_state", "recipes", "horizon"])
def test_the_committed_tables_fit_eighty_columns(name: str, published: list[Published]):
    folder = Path(__file__).parents[2] / "results" / name
    some, seconds = read_rows(folder / "runs.csv"), read_seconds(folder)
    tables = [comparison("T", some, published), recipes("T", some, seconds), summary("T", some, seconds)]
    tables += [verdict("T", some, published), peepholes("T", some, published), initial_states("T", some)]
    for table in tables:
        console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
        show(table, console)
        lines = console.export_text().splitlines()
        assert not table.lines or len(lines) > len(table.lines)
        short = with_short_words(table)
        cells = [" ".join(line[place] for place in fitting(short, 80)).split() for line in short.lines]
        assert [line.split() for line in lines if line.split() in cells][: len(cells)] == cells


def test_a_long_name_is_short_in_the_table_and_whole_under_it():
    long = "bptt(optimizer={_target_: torch.optim.SGD, lr: 0.1})"
    table = Table("T", ("recipe", "alone"), ((long, long), ("bptt", "x"), (long, "y")))
    text = markdown(table)
    assert "| bptt(optimizer={_target… [1] |" in text
    assert f"[1] {long}" in text
    assert text.count(long) == 2  # where it is a command, and once in the note


def test_solved_nets_have_their_reliability_beside_them(published: list[Published]):
    some = [row(k, task="gts", training_streams=41000 + k) for k in range(2)]
    found = {one.replica_key: Reliability(100, 58 + 4 * k, 900) for k, one in enumerate(some)}
    table = comparison("T", some, published, found)
    assert table.lines[0][table.header.index("reliable (95%)")] == "60% (35–81)"  # two nets say little
    assert "fresh test sets" in markdown(table)
    assert "reliable (95%)" not in comparison("T", some, published).header


def test_nets_without_forget_gate_and_waveforms_have_lines_of_their_own():
    some = [row(0, forget_gate=gate, **COSINE) for gate in (True, False)]
    table = comparison("T", some, [])
    assert [line[1:3] for line in table.lines] == [("cos", "peephole, f = 1"), ("cos", "peephole")]
    assert table.header[1] == "shape"
    assert table.lines[0][table.header.index("RMSE")] == "0.100"


def test_tasks_are_named_where_there_are_several():
    some = [row(0, **COSINE), row(0, task="msd")]
    table = comparison("T", some, [])
    assert table.header[:3] == ("task", "F", "asked")
    assert [line[:3] for line in table.lines] == [("PFG", "10", "cos"), ("MSD", "10", "{0,1}")]


def test_a_condition_that_is_not_the_papers_has_no_value_of_the_paper(published: list[Published]):
    table = comparison("T", rows(True, 9, output_activation="identity") + rows(False, 9), published)
    assert table.lines[1][3:5] == ("", "")
    assert "Identity output: NMSD F=10 {0,1} peephole." in table.notes


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"offsets": (0, 1, 2)}, "{0,1,2}"),
        ({"offsets": (0, 1, 2, 3)}, "{0,…,3}"),
        ({"offsets": (0, 1, 2, 4)}, "{0,1,2,4}"),
        (COSINE, "cos"),
        (COSINE | {"tolerance": 0.15}, "cos ±0.15"),
        ({"task": "ready_set_go"}, "{0,1}"),
        ({"task": "somebodys_own"}, "{0,1}"),
        ({"task": "somebodys_own", "tolerance": 0.2}, "{0,1} ±0.2"),
    ],
)
def test_what_is_asked_has_a_short_name(changes: dict[str, Any], text: str):
    assert asked(row(0, **changes)) == text


def test_nets_that_differ_in_one_thing_are_compared():
    some = rows(False, 100, 200) + rows(True, 300, 400) + rows(True, 300, 9, forget_gate=False)
    table = variants("T", some)
    assert table is not None
    assert [(line[2], line[4]) for line in table.lines] == [("peephole", "peephole, f = 1"), ("peephole", "LSTM")]
    line = dict(zip(table.header, table.lines[1], strict=True))
    assert (line["first solved"], line["second solved"]) == ("2/2", "2/2")
    assert float(line["rate ratio (95%)"].split()[0]) < 1  # the peephole nets are slower here
    assert variants("T", rows(True, 100)) is None
    assert variants("T", rows(True, 9, status="unsolved") + rows(False, 9, status="unsolved")) is None


def test_a_learned_state_is_set_against_the_zero_state():
    some = rows(True, 400, 800) + rows(True, 100, 200, initial_state="learned")
    some += rows(True, 900, 900, initial_state="learned_cell_output", status="unsolved")
    some += rows(False, 900, 900, status="unsolved") + rows(False, 900, status="unsolved", initial_state="learned")
    table = initial_states("T", some)
    lines = [dict(zip(table.header, line, strict=True)) for line in table.lines]
    assert [(line["net"], line["learned"]) for line in lines] == [
        ("LSTM", "s(0), y(0)"),
        ("peephole", "s(0), y(0)"),
        ("peephole", "y(0)"),
    ]
    assert lines[1]["zero solved"] == lines[1]["learned solved"] == "2/2"
    assert lines[1]["zero 95%"] == "34–100%"
    assert (lines[1]["zero median"], lines[1]["learned median"]) == ("0.40", "0.10")
    assert (lines[1]["ratio"], lines[1]["ratio 95%"], lines[1]["pairs"]) == ("0.25", "0.25–0.25", "2")
    assert float(lines[1]["rate ratio (95%)"].split()[0]) > 1
    assert (lines[2]["ratio"], lines[0]["rate ratio (95%)"], lines[0]["p (log-rank)"]) == ("", "", "")


def test_readings_are_marked_by_what_comes_out_as_published(published: list[Published]):
    runs = {
        "good": rows(False, 150000, 170000, 160000) + rows(True, 120000, 130000, 125000),
        "bad": rows(False, 15000, 17000, 16000) + rows(True, 9000000, 9000000, status="unsolved"),
    }
    table = readings("T", runs, published)
    assert table.header == ("reading", "net", "NMSD 10 {0,1}", "=, ≠")
    assert table.lines == (
        ("good", "LSTM", "3/3 1.00 =", "1, 0"),
        ("", "peephole", "3/3 1.00 =", "1, 0"),
        ("bad", "LSTM", "3/3 0.10 ≠", "0, 1"),
        ("", "peephole", "0/2 ?", "0, 0"),
    )
    assert "recalled" in markdown(table)
