import math
from dataclasses import replace
from pathlib import Path

from tests.helpers.published import paper
from tests.helpers.rows import row
from timing_tasks.results import published
from timing_tasks.results.published import read_published

DATA = Path(__file__).parents[2] / "reproduce" / "published"


def test_the_published_values_are_data_and_say_what_nobody_checked():
    values = read_published(DATA)
    assert {v.table: sum(w.table == v.table for w in values) for v in values} == {"1": 14, "3": 21, "4": 19}
    assert [v.tolerance for v in values if v.verified] == [0.15]
    one = next(v for v in values if (v.task, v.interval, v.offsets, v.peepholes) == ("nmsd", 30, (0, 1), True))
    assert (one.solved, one.mean, one.deviation) == (8, 12_885_000, 2_091_000)
    failure = next(v for v in values if v.failed)
    assert failure.solved == 0
    assert math.isnan(failure.mean)
    unknown = next(v for v in values if v.table == "1" and v.interval == 50)
    assert unknown.solved is None


def test_no_condition_is_published_twice():
    values = read_published(DATA)
    conditions = {tuple(getattr(value, name) for name in published._CONDITION) for value in values}
    assert len(conditions) == len(values)


def test_a_value_is_of_rows_of_its_condition_alone():
    values = {"peepholes": True, "forget_gate": True, "output_activation": "sigmoid", "tolerance": 0.49}
    mine = row(0, task="gts", offsets=(0,), initial_state="zero", recipe="online", **values)
    assert paper("100").is_of(mine)
    for name, value in (("offsets", (0, 1)), ("forget_gate", False), ("initial_state", "learned"), ("recipe", "bptt")):
        assert not paper("100").is_of(replace(mine, **{name: value}))
