"""Philox4x32-10, the counter-based random number generator of Salmon, Moraes, Dror and Shaw (SC 2011).

A block of four random words is a pure function of a key and a counter. Any engine, process or resumed run that names
the same key and counter therefore draws the same numbers, and none of them keeps a state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

Words = TypeVar("Words", np.ndarray, "Tensor")

_MASK = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10


def philox4x32(
    counter: tuple[Words, Words, Words, Words], key: tuple[Words, Words]
) -> tuple[Words, Words, Words, Words]:
    """Four random 32-bit words for each counter and key.

    Args:
        counter: four arrays or tensors of int64, each entry in [0, 2^32), of shapes that broadcast.
        key: two of the same kind.

    Returns:
        Four of the same kind and of the broadcast shape, entries in [0, 2^32).
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        # int64 products wrap modulo 2^64; masked after the shift, their halves are those of the unsigned product.
        product0, product1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1, c2, c3 = (
            ((product1 >> 32) & _MASK) ^ c1 ^ k0,
            product1 & _MASK,
            ((product0 >> 32) & _MASK) ^ c3 ^ k1,
            product0 & _MASK,
        )
        k0, k1 = (k0 + _WEYL[0]) & _MASK, (k1 + _WEYL[1]) & _MASK
    return c0, c1, c2, c3


def uniform(seed: int | np.ndarray, replica: int | np.ndarray, purpose: int, count: int) -> np.ndarray:
    """`count` float64 numbers, uniform in [0, 1) on a grid of 2^-53, for a seed, a replica and a purpose.

    Args:
        seed: a number, or an array of int64, shape [...].
        replica: a number, or an array of int64, shape [...].
        purpose: one of `tasks.streams.Purpose`.
        count: how many.

    Returns:
        shape [..., count]; [count] for a single seed and replica.

    Raises:
        ValueError: seed or replica outside [0, 2^32).
    """
    check_key(seed, replica)
    block = np.arange((count + 1) // 2, dtype=np.int64)  # two numbers a block
    zero = np.zeros_like(block)
    words = philox4x32((block, zero, zero, zero + purpose), (np.expand_dims(seed, -1), np.expand_dims(replica, -1)))
    shape = (*words[0].shape[:-1], 2 * len(block))
    high, low = (np.stack(pair, axis=-1).reshape(shape) for pair in (words[0::2], words[1::2]))
    bits = ((high >> 5) << 26) | (low >> 6)  # 27 + 26 bits
    result: np.ndarray = bits[..., :count] * 2.0**-53
    return result


def check_key(seed: int | np.ndarray, replica: int | np.ndarray) -> None:
    """Raise ValueError unless both numbers fit a half of Philox's key."""
    for name, value in (("seed", seed), ("replica", replica)):
        wrong = np.extract(np.less(value, 0) | np.greater_equal(value, 2**32), value)
        if len(wrong):
            raise ValueError(f"{name}={wrong[0]}: a whole number from 0 to 2^32 - 1")
