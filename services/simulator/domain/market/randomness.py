"""Randomness that depends only on a seed and stable keys, never on order or on what else exists."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from libs.market.arrays import FloatArray

HashArray = NDArray[np.uint64]

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_FIRST_FACTOR = np.uint64(0xBF58476D1CE4E5B9)
_SECOND_FACTOR = np.uint64(0x94D049BB133111EB)
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))
_WORDS = 4


def stable_hash(*keys: object) -> int:
    """64-bit hash of the keys' texts, the same in every process and version."""
    text = "\x1f".join(str(key) for key in keys)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def generator(*keys: object) -> np.random.Generator:
    """Generator of its own for the keys, usually seed, purpose, symbol and day."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(stable_hash(*keys))))


def mixed(keys: HashArray, counter: int) -> HashArray:
    """One 64-bit hash per key at a counter; the finaliser of SplitMix64 (Steele et al. 2014)."""
    value = keys ^ np.uint64(counter * _GOLDEN & _MASK)
    value = (value ^ (value >> _SHIFTS[0])) * _FIRST_FACTOR
    value = (value ^ (value >> _SHIFTS[1])) * _SECOND_FACTOR
    return np.asarray(value ^ (value >> _SHIFTS[2]), np.uint64)


def uniforms(keys: HashArray, counter: int) -> FloatArray:
    """Four rows of uniform numbers in [0, 1), one column per key, from one hash of each."""
    words: NDArray[Any] = mixed(keys, counter).view(np.uint16).reshape(-1, _WORDS)
    return np.asarray(words.T * 2.0**-16, np.float64)


def autoregressive(shocks: FloatArray, decay: float) -> FloatArray:
    """x[t] = decay · x[t-1] + shocks[t] along the first axis, from 0; a prefix gives a prefix.

    Solved as a weighted sum, so `decay ** len(shocks)` must stay above 1e-300.
    """
    powers = decay ** np.arange(len(shocks)).reshape(-1, *[1] * (shocks.ndim - 1))
    return np.asarray(powers * np.cumsum(shocks / powers, axis=0), np.float64)
