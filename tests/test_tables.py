from pathlib import Path

from rich.console import Console

from tests.test_results import row
from timing_tasks.tables import Published, comparison, markdown, read_published, show

DATA = Path(__file__).parent.parent / "reproduce" / "published" / "table1.csv"


PAPERS = {"forget_gate": "true", "output_activation": "sigmoid", "tolerance": "0.49", "protocol": "p"}


def rows(peepholes: str, *streams: str, status: str = "solved"):
    return [row(k, peepholes=peepholes, training_streams=s, status=status, **PAPERS) for k, s in enumerate(streams)]


def test_the_published_values_are_data_and_say_that_nobody_checked_them():
    values = read_published(DATA)
    assert len(values) == 14
    assert {value.verified for value in values} == {"false"}
    one = next(v for v in values if (v.task, v.interval, v.offsets, v.peepholes) == ("nmsd", "30", "0 1", "true"))
    assert (one.solved_percent, one.streams, one.streams_deviation) == ("80", "12885", "2091")


def test_a_table_sets_the_papers_values_beside_ours():
    table = comparison(
        "T",
        rows("false", "150000", "170000") + rows("true", "9000000", "9000000", status="unsolved"),
        read_published(DATA),
    )
    assert table.lines[0][:9] == (
        "NMSD",
        "10",
        "{0,1}",
        "LSTM",
        "100?",
        "160 ± 14?",
        "2/2",
        "100 (34–100)",
        "160 ± 14.1",
    )
    assert table.lines[0][9] == "150"
    assert table.lines[1][3:] == ("peephole", "100?", "125 ± 14?", "0/2", "0 (0–66)", "-", "> 9000")
    text = markdown(table)
    assert "recalled" in text
    assert "Cut short" in text
    assert "Protocol: p." in text
    assert text.count("\n|") == 4


def test_a_verified_value_carries_no_question_mark():
    value = Published("1", "nmsd", "10", "0 1", "", "false", "sigmoid", "0.49", "100", "160", "14", "", "", "130", "", "true")
    table = comparison("T", rows("false", "150000"), [value])
    assert table.lines[0][4:6] == ("100", "160 ± 14")
    assert "recalled" not in markdown(table)


def test_the_terminal_shows_every_value_on_one_line():
    table = comparison("T", rows("false", "150000", "170000"), read_published(DATA))
    console = Console(width=132, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    show(table, console)
    line = next(line for line in console.export_text().splitlines() if "NMSD" in line)
    assert line.split() == " ".join(table.lines[0]).split()


def test_nets_without_forget_gate_and_waveforms_have_lines_of_their_own():
    some = [
        row(0, task="pfg", offsets="", waveform="cos", peepholes="true", forget_gate=gate, rmse="0.1") for gate in ("true", "false")
    ]
    table = comparison("T", some, [])
    assert [line[2:4] for line in table.lines] == [("cos", "peephole"), ("cos", "peephole, no forget gate")]
    assert table.header[2] == "I(n) or shape"


def test_a_condition_that_is_not_the_papers_has_no_value_of_the_paper():
    some = [row(0, peepholes="true", **PAPERS | {"output_activation": "identity"})]
    table = comparison("T", some, read_published(DATA))
    assert table.lines[0][4:6] == ("", "")
    assert "Identity output: NMSD F=10 {0,1} peephole." in table.notes
