import math

import numpy as np
import pytest

from timing_tasks.errors import ConfigurationError
from timing_tasks.tasks import Purpose, Stream, Task, is_correct, root_mean_square_error, stream, stream_size
from timing_tasks.tasks.streams import offsets


def test_msd_marks_each_period_with_a_spike_at_its_last_step():
    task = Task("msd", 10, (0, 1, 2))
    shown = stream(task, seed=1, replica=2, number=3)
    drawn = offsets(task, 1, 2, Purpose.TRAINING, 3)
    ends = np.cumsum(10 + drawn)  # T(0) = F + I(0), T(n) = T(n-1) + F + I(n); steps are numbered from 1
    assert len(shown.inputs) == ends[-1]
    np.testing.assert_array_equal(np.flatnonzero(shown.inputs) + 1, ends)
    np.testing.assert_array_equal(shown.has_target, shown.inputs == 1)
    np.testing.assert_array_equal(shown.targets[shown.has_target], drawn)
    assert len(drawn) == 100
    assert len(offsets(task, 1, 2, Purpose.TEST, 3)) == 1000
    assert set(drawn) == {0, 1, 2}


def test_nmsd_is_one_period_and_tests_every_offset_in_turn():
    task = Task("nmsd", 10, (0, 3, 5))
    assert task.test_streams == 3
    for test, offset in enumerate(task.offsets):
        shown = stream(task, 1, 2, 7, Purpose.TEST, test)
        assert len(shown.inputs) == 10 + offset
        assert shown.targets[-1] == offset
    assert {len(stream(task, 1, 2, number).inputs) for number in range(50)} == {10, 13, 15}


def test_gts_exchanges_input_and_target():
    shown = stream(Task("gts", 4, (1, 2)), 5, 0, 0)
    assert shown.has_target.all()
    assert set(np.unique(shown.targets)) == {0, 1}
    lengths = np.bincount(shown.period)
    for period in range(100):
        inside = shown.inputs[shown.period == period]
        assert (inside == inside[0]).all()  # held over the period
        assert lengths[period] == 4 + inside[0]
        assert shown.targets[shown.period == period].tolist() == [0] * (lengths[period] - 1) + [1]


@pytest.mark.parametrize(
    ("waveform", "values"),
    [
        ("cos", [0.0, 0.5, 1.0, 0.5]),
        ("tri", [0.0, 0.5, 1.0, 0.5]),
        ("rect", [0.0, 0.0, 0.0, 1.0]),
    ],
)
def test_waveforms_begin_at_their_first_value(waveform, values):
    shown = stream(Task("pfg", 4, (), waveform, 0.3), 0, 0, 0, periods=2)
    np.testing.assert_allclose(shown.targets, values * 2, atol=1e-15)
    assert not shown.inputs.any()
    assert shown.has_target.all()


def test_cosine_is_the_papers():
    shown = stream(Task("pfg", 25, (), "cos", 0.3), 0, 0, 0, periods=1)
    expected = [0.5 * (1 - math.cos(2 * math.pi * m / 25)) for m in range(25)]
    np.testing.assert_allclose(shown.targets, expected, atol=1e-15)


def test_streams_differ_by_number_replica_seed_purpose_and_test():
    task = Task("msd", 10, (0, 1))
    drawn = [
        offsets(task, *arguments, periods=100).tobytes()
        for arguments in (
            (1, 0, Purpose.TRAINING, 0),
            (1, 0, Purpose.TRAINING, 1),
            (1, 1, Purpose.TRAINING, 0),
            (2, 0, Purpose.TRAINING, 0),
            (1, 0, Purpose.TEST, 0, 0),
            (1, 0, Purpose.TEST, 0, 1),
        )
    ]
    assert len(set(drawn)) == len(drawn)


@pytest.mark.parametrize("name", ["nmsd", "msd"])
def test_offsets_are_uniform(name):
    task = Task(name, 10, (0, 1, 2))
    numbers = range(6000) if name == "nmsd" else range(60)
    drawn = np.concatenate([offsets(task, 1, 0, Purpose.TRAINING, number) for number in numbers])
    counts = np.bincount(drawn)
    assert len(drawn) == 6000
    assert np.abs(counts - 2000).max() < 4 * math.sqrt(6000 * 2 / 9)


def test_a_prediction_is_right_within_the_tolerance_only():
    assert is_correct(np.array([1.0, 1.0, 1.0, 0.0]), np.array([0.52, 0.51, np.nan, np.inf]), 0.49).tolist() == [
        True,
        False,
        False,
        False,
    ]


def test_stream_size_counts_whole_periods_before_the_first_mistake():
    shown = stream(Task("gts", 3, (0,)), 0, 0, 0, periods=4)
    outputs = shown.targets.copy()
    assert stream_size(shown, outputs, 0.49) == 4
    outputs[7] = 1.0
    assert stream_size(shown, outputs, 0.49) == 2
    outputs[0] = np.nan
    assert stream_size(shown, outputs, 0.49) == 0


def test_mistakes_without_a_target_do_not_count():
    shown = Stream(np.zeros(3), np.zeros(3), np.array([False, False, True]), np.zeros(3, dtype=np.int64))
    assert stream_size(shown, np.array([9.0, 9.0, 0.1]), 0.49) == 1
    assert root_mean_square_error(shown, np.array([9.0, 9.0, 0.1])) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (("lsd", 10, (0,)), "task"),
        (("msd", 0, (0,)), "task.min_interval"),
        (("msd", 2.5, (0,)), "task.min_interval"),
        (("pfg", 0, (), "cos"), "task.period"),
        (("msd", 10, ()), "task.offsets"),
        (("msd", 10, (-1, 0)), "task.offsets"),
        (("msd", 10, (0, 0)), "task.offsets"),
        (("msd", 10, (0, True)), "task.offsets"),
        (("msd", 10, (0,), "cos"), "task.waveform"),
        (("pfg", 10, (), "saw"), "task.waveform"),
        (("pfg", 10, (0,), "cos"), "task.offsets"),
        (("msd", 10, (0,), "", 0.0), "task.tolerance"),
        (("msd", 10, (0,), "", math.nan), "task.tolerance"),
    ],
)
def test_impossible_tasks_are_refused_by_key(arguments, key):
    with pytest.raises(ConfigurationError) as raised:
        Task(*arguments)
    assert raised.value.key == key
