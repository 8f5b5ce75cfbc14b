import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.simulator.domain.market.randomness import (
    autoregressive,
    generator,
    mixed,
    stable_hash,
    uniforms,
)

keys = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20)
counters = st.integers(0, 2**40)


def test_a_hash_is_the_same_in_every_process() -> None:
    assert stable_hash(7, "RELIANCE") == 0x4C266EDDBCEC3FFA


def test_generators_of_the_same_keys_draw_the_same() -> None:
    assert generator(1, "a").random() == generator(1, "a").random()
    assert generator(1, "a").random() != generator(1, "b").random()


@given(keys, counters)
def test_noise_of_a_key_does_not_depend_on_its_company(values: list[int], counter: int) -> None:
    together = uniforms(np.array(values, np.uint64), counter)
    alone = [uniforms(np.array([value], np.uint64), counter) for value in values]
    assert np.array_equal(together, np.hstack(alone))
    assert np.all((together >= 0) & (together < 1))


@given(counters)
def test_different_keys_have_different_hashes(counter: int) -> None:
    hashes = mixed(np.arange(1000, dtype=np.uint64), counter)
    assert np.unique(hashes).size == hashes.size


def test_noise_is_spread_evenly() -> None:
    noise = uniforms(np.arange(100_000, dtype=np.uint64), 5)
    assert np.allclose(noise.mean(axis=1), 0.5, atol=0.005)
    assert np.allclose(np.corrcoef(noise), np.eye(4), atol=0.02)


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=300), st.floats(0.5, 0.99))
def test_an_autoregressive_series_follows_its_recurrence(shocks: list[float], decay: float) -> None:
    series, expected = autoregressive(np.array(shocks), decay), 0.0
    for value, shock in zip(series, shocks, strict=True):
        expected = decay * expected + shock
        assert np.isclose(value, expected, atol=1e-7)
