"""Streams from a DataLoader: the same whoever draws them, each once, and continued after an interrupted fit."""

import itertools
import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from timing_tasks import Batch, Task, TimingDataModule, TimingDataset
from timing_tasks.errors import ConfigurationError
from timing_tasks.learning.judgement import judge
from timing_tasks.tasks import Purpose, stream

GTS = Task("gts", 6, (0, 1, 2))


def keys(batch: Batch) -> list[tuple[float, ...]]:
    """What tells streams apart: the lengths of their periods."""
    return [tuple(np.bincount(period[period >= 0]).tolist()) for period in batch.period.numpy()]


def drawn(ranks: int, workers: int, batches: int, size: int) -> list[list[tuple[float, ...]]]:
    """The streams of all ranks, batch by batch, in the order of a single process's whole batch."""
    sets = [
        TimingDataset(GTS, batch_size=size // ranks, seed=3, periods=6, rank=rank, world_size=ranks)
        for rank in range(ranks)
    ]
    loaders = [DataLoader(one, batch_size=None, num_workers=workers) for one in sets]
    rows = itertools.islice(zip(*loaders, strict=True), batches)
    return [[key for batch in row for key in keys(batch)] for row in rows]


def test_ranks_and_workers_draw_together_what_one_process_draws():
    expected = drawn(1, 0, 4, 6)
    assert len({key for row in expected for key in row}) == 24  # none is drawn twice
    for ranks, workers in itertools.product((1, 2, 3), (0, 1, 2)):
        assert drawn(ranks, workers, 4, 6) == expected, (ranks, workers)


def test_a_batch_has_the_streams_of_the_plain_function_padded():
    batch = TimingDataset(GTS, batch_size=3, seed=5, periods=2, replica=1).batch(4)
    assert batch.inputs.shape == batch.targets.shape == (3, batch.steps, 1)
    for n in range(3):
        s = stream(GTS, 5, 1, 4 * 3 + n, periods=2)
        steps = len(s.inputs)
        assert batch.lengths[n] == steps
        for name, values in (
            ("inputs", s.inputs),
            ("targets", s.targets),
            ("mask", s.has_target),
            ("period", s.period),
        ):
            assert np.array_equal(getattr(batch, name)[n, :steps].numpy().reshape(-1), values)
        assert not batch.mask[n, steps:].any()
        assert (batch.period[n, steps:] == -1).all()
    assert judge(batch, batch.targets).is_whole.all()
    cut = batch.first(4)
    assert (cut.steps, cut.lengths.tolist()) == (4, [4, 4, 4])


def test_a_batch_can_have_every_stream_that_there_is():
    batch = TimingDataset("nmsd", offsets=[0, 3], batch_size="all").batch(7)
    assert batch.lengths.tolist() == [10, 13]
    with pytest.raises(ConfigurationError, match="too many"):
        TimingDataset("msd", batch_size="all")


@pytest.mark.parametrize(("task", "batches"), [("nmsd", 1), ("gts", 1), ("pfg", 1)])
def test_validation_and_test_show_the_papers_test_streams(task: str, batches: int):
    data = TimingDataModule(task, seed=2, batch_size=1)
    for loader, number in ((data.val_dataloader(), 0), (data.test_dataloader(), 1)):
        found = list(loader)
        assert len(found) == batches
        expected = [stream(data.task, 2, 0, number, Purpose.TEST, test) for test in range(data.task.test_streams)]
        assert [len(s.inputs) for s in expected] == torch.cat([batch.lengths for batch in found]).tolist()
        assert keys(found[0])[0] == tuple(np.bincount(expected[0].period).tolist())


def test_an_epoch_ends_and_the_next_goes_on():
    dataset = TimingDataset(GTS, batch_size=2, periods=3, batches=3)
    first = list(dataset)
    dataset.position = 3
    second = list(dataset)
    assert (len(first), len(second)) == (3, 3)
    assert keys(second[0]) == keys(dataset.batch(3))
    dataset.position = 5
    assert len(list(dataset)) == 1  # interrupted after two batches of the epoch


def test_what_a_data_module_is_made_of_is_plain():
    data = TimingDataModule(Task("pfg", 12, waveform="tri", tolerance=0.2), batch_size=4, seed=9)
    again = TimingDataModule(**data.hparams)
    assert again.task == data.task
    assert pickle.loads(pickle.dumps(data)).task == data.task


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ({"task": "gtss"}, "task"),
        ({"task": 3}, "task"),
        ({"task": "gts", "offsets": []}, "offsets"),
        ({"task": "gts", "offsets": 3}, "offsets"),
        ({"task": "gts", "min_interval": 0}, "min_interval"),
        ({"task": "gts", "interval": 10}, "interval"),
        ({"task": Task("gts", 5, (0,)), "offsets": [0]}, "offsets"),
        ({"task": "pfg", "waveform": "saw"}, "waveform"),
        ({"task": "gts", "batch_size": 0}, "batch_size"),
        ({"task": "gts", "batch_size": 2.5}, "batch_size"),
        ({"task": "gts", "periods": 0}, "periods"),
        ({"task": "nmsd", "periods": 2}, "periods"),
        ({"task": "gts", "num_workers": -1}, "num_workers"),
        ({"task": "gts", "batches_per_epoch": 0}, "batches_per_epoch"),
        ({"task": "gts", "seed": -1}, "seed"),
    ],
    ids=str,
)
def test_an_argument_that_cannot_be_is_named(arguments: dict[str, object], key: str):
    with pytest.raises(ConfigurationError) as raised:
        TimingDataModule(**arguments)
    assert raised.value.key.rpartition(".")[2] == key
    assert "\n" not in str(raised.value)
