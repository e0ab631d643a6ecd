"""Reliability: the file beside the rows and the interval over nets."""

import math
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.rows import row
from timing_tasks.results.reliability import (
    Reliability,
    append_reliability,
    finish_reliability,
    pooled,
    read_reliability,
)


def test_what_is_written_is_read_whatever_a_kill_leaves(tmp_path: Path):
    some = [row(k, offsets=(0, 2), tolerance=0.3) for k in range(3)]
    one, other = Reliability(100, 97, 995), Reliability(100, 0, 12)
    append_reliability(tmp_path, {some[1].replica_key: one})
    with (tmp_path / "reliability.csv").open("a") as file:
        file.write("nmsd,10,0\0\nnmsd,10,0 1,,true,zero,online,p,true,sigmoid,0.49,m,,1,2,100,101,5\n")
    append_reliability(tmp_path, {some[0].replica_key: other})
    assert read_reliability(tmp_path) == {some[1].replica_key: one, some[0].replica_key: other}
    finish_reliability(tmp_path, some)
    lines = (tmp_path / "reliability.csv").read_text().splitlines()
    assert lines[1].endswith("true,sigmoid,0.3,peephole_lstm 1,,1,0,100,0,12")
    assert len(lines) == 3
    assert read_reliability(tmp_path / "none") == {}


def test_nets_are_the_sample_not_their_tests():
    share, (low, high) = pooled([Reliability(100, 100, 1000)] * 10)
    assert (share, high) == pytest.approx((1.0, 1.0))
    assert low == pytest.approx(1 - 3.8415 / (10 + 3.8415), abs=1e-4)  # Wilson's for 10 of 10
    # Nets that differ by no more than chance does are as good as all their tests.
    drawn = np.random.default_rng(1).binomial(100, 0.8, 50)
    share, (low, high) = pooled([Reliability(100, int(k), 0) for k in drawn])
    assert high - low == pytest.approx(2 * 1.96 * math.sqrt(0.16 / 5000), rel=0.25)
    # Nets that pass all or nothing are single trials.
    share, (low, high) = pooled([Reliability(100, 100 * (k % 2), 0) for k in range(20)])
    assert (low, high) == pytest.approx((0.299, 0.701), abs=0.02)  # Wilson's for 10 of 20
    assert all(map(math.isnan, pooled([Reliability(100, 3, 0)])[1]))
