from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.helpers.rows import row
from timing_tasks.report.tables import markdown, show
from timing_tasks.report.tables.cells import asked
from timing_tasks.report.tables.comparison import comparison
from timing_tasks.report.tables.pairs import initial_states, variants
from timing_tasks.report.tables.readings import readings
from timing_tasks.results.published import Published, read_published

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
        "paper streams": "160 ± 14?",
        "solved (95%)": "2/2 (34–100%)",
        "streams (s.e.)": "160 ± 14.1 (10.00)",
        "median": "150",
        "restricted": "160",
        "given up": "",
        "against the paper": "compatible",
    }
    assert table.lines[1][2:] == (
        *("peephole", "100?", "125 ± 14?", "0/2† (0–66%)", "-", "> 9000", "9000", "2 from 9000 on, best 7"),
        "not comparable",
    )
    text = markdown(table)
    assert "recalled" in text
    assert "† Cut short" in text
    assert "Protocol: p." in text
    assert text.count("\n|") == 4


def test_a_verified_value_carries_no_question_mark():
    value = Published(
        *("1", "nmsd", 10, (0, 1), "", False, True, "sigmoid", 0.49),
        *(100, Decimal(160), Decimal(14), None, None, "130", "", True),
    )
    table = comparison("T", rows(False, 150000), [value])
    assert table.lines[0][3:5] == ("100", "160 ± 14")
    assert "recalled" not in markdown(table)


def test_the_terminal_shows_every_value_on_one_line(published: list[Published]):
    table = comparison("T", rows(False, 150000, 170000), published)
    console = Console(width=150, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    show(table, console)
    line = next(line for line in console.export_text().splitlines() if "{0,1}" in line)
    shown = [cell for column, cell in zip(table.header, table.lines[0], strict=True) if column not in table.details]
    assert line.split() == " ".join(shown).split()


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
    assert lines[1]["zero solved"] == lines[1]["learned solved"] == "2/2 (34–100%)"
    assert (lines[1]["zero median"], lines[1]["learned median"]) == ("0.40", "0.10")
    assert lines[1]["ratio (95%), pairs"] == "0.25 (0.25–0.25), 2"
    assert float(lines[1]["rate ratio (95%)"].split()[0]) > 1
    assert (lines[2]["ratio (95%), pairs"], lines[0]["rate ratio (95%)"], lines[0]["p (log-rank)"]) == ("", "", "")


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
