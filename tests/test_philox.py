import numpy as np
import pytest
import torch

from timing_tasks.philox import philox4x32, uniform

# The known answers that the generator's authors publish with it (Random123, kat_vectors, philox4x32 10).
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN_ANSWERS)
def test_known_answers_of_the_authors(counter, key, expected):
    words = philox4x32(tuple(np.array([c]) for c in counter), tuple(np.array([k]) for k in key))
    assert tuple(int(word[0]) for word in words) == expected


def test_tensors_give_the_same_words_as_arrays():
    generator = np.random.default_rng(0)
    counter = tuple(generator.integers(0, 2**32, 50) for _ in range(4))
    key = tuple(generator.integers(0, 2**32, 50) for _ in range(2))
    words = philox4x32(counter, key)
    tensors = philox4x32(tuple(map(torch.from_numpy, counter)), tuple(map(torch.from_numpy, key)))
    for word, tensor in zip(words, tensors, strict=True):
        np.testing.assert_array_equal(word, tensor.numpy())


def test_uniform_numbers_fill_the_unit_interval():
    numbers = np.concatenate([uniform(3, replica, 2, 19) for replica in range(2000)])
    assert numbers.min() >= 0
    assert numbers.max() < 1
    # 38,000 numbers: standard error of the mean 0.0015, of the variance 0.0004
    assert abs(numbers.mean() - 0.5) < 0.008
    assert abs(numbers.var() - 1 / 12) < 0.002


def test_uniform_numbers_do_not_depend_on_how_many_are_asked_for():
    np.testing.assert_array_equal(uniform(3, 4, 2, 19)[:7], uniform(3, 4, 2, 7))


def test_the_numbers_of_many_replicas_at_once_are_those_of_each():
    seeds, replicas = np.array([[3], [2**32 - 1]]), np.arange(5)
    np.testing.assert_array_equal(
        uniform(seeds, replicas, 2, 7), [[uniform(int(seed), int(r), 2, 7) for r in replicas] for seed in seeds[:, 0]]
    )
    assert uniform(3, replicas[:0], 2, 7).shape == (0, 7)
    with pytest.raises(ValueError, match="replica=-1: "):
        uniform(3, np.array([0, -1]), 2, 7)


@pytest.mark.parametrize(("seed", "replica"), [(-1, 0), (2**32, 0), (0, -1), (0, 2**32)])
def test_numbers_that_do_not_fit_the_key_are_refused(seed, replica):
    with pytest.raises(ValueError, match="from 0 to"):
        uniform(seed, replica, 2, 3)
