"""The spot that a chain of options implies."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.market.greeks import price
from libs.market.parity import spot_by_parity

STRIKES = np.arange(23_000.0, 26_000.0, 50.0)
RATE, YEARS = 0.06, 7 / 365


def mids(spot: float) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...]:
    forward = spot * math.exp(RATE * YEARS)
    return tuple(price(forward, STRIKES, YEARS, RATE, 0.13, is_call) for is_call in (True, False))


@given(st.floats(23_500, 25_500))
def test_the_spot_of_a_consistent_chain_comes_back(spot: float) -> None:
    call, put = mids(spot)
    tight = np.ones(len(STRIKES), np.bool_)
    assert spot_by_parity(STRIKES, call, put, YEARS, RATE, tight) == pytest.approx(spot, abs=1e-6)


def test_only_strikes_with_tight_quotes_count() -> None:
    call, put = mids(24_510)
    wild = np.where(STRIKES == 24_500, 5.0, call)
    tight = STRIKES != 24_500
    found = spot_by_parity(STRIKES, wild, put, YEARS, RATE, tight)
    assert found == pytest.approx(24_510, abs=1e-6)


@pytest.mark.parametrize("tight", [np.zeros(60, np.bool_), np.ones(60, np.bool_)])
def test_without_a_tight_pair_there_is_no_spot(
    tight: np.ndarray[tuple[int], np.dtype[np.bool_]],
) -> None:
    nothing = np.full(60, np.nan)
    assert spot_by_parity(STRIKES, nothing, nothing, YEARS, RATE, tight) is None


def test_tight_quotes_far_from_the_money_alone_give_no_spot() -> None:
    call, put = mids(24_510)
    far = STRIKES < 23_100
    spot = spot_by_parity(STRIKES, call, put, YEARS, RATE, far)
    assert spot is None
