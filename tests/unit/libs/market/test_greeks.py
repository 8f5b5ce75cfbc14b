import math
import time

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from libs.market.greeks import (
    forward_by_parity,
    forward_or_spot,
    greeks,
    implied_volatility,
    price,
    years_to,
)

DAY_MS = 24 * 3600 * 1000

forwards = st.floats(50, 60_000)
moneyness = st.floats(-0.15, 0.15)
years = st.floats(1 / 365, 1)
rates = st.floats(0, 0.1)
volatilities = st.floats(0.05, 1.5)


def test_years_are_of_365_days() -> None:
    assert years_to(365 * DAY_MS, 0) == 1
    assert years_to(0, DAY_MS) == -1 / 365


@pytest.mark.parametrize(
    ("forward", "strike", "is_call", "expected"),
    [
        # 100 e^(-0.05) (2 N(0.1) - 1) at the money, by hand
        (100.0, 100.0, True, 95.1229425 * 0.0796556746),
        (100.0, 100.0, False, 95.1229425 * 0.0796556746),
    ],
)
def test_prices_at_the_money_by_hand(
    forward: float, strike: float, is_call: bool, expected: float
) -> None:
    assert price(forward, strike, 1, 0.05, 0.2, is_call) == pytest.approx(expected, rel=1e-8)


def test_the_textbook_example_is_reproduced() -> None:
    # Hull, Options, Futures and Other Derivatives, ch. 18: put on crude oil futures, F = K = 20
    assert price(20, 20, 4 / 12, 0.09, 0.25, False) == pytest.approx(1.12, abs=0.005)


@pytest.mark.parametrize(("years_left", "volatility"), [(0.0, 0.2), (0.1, 0.0), (-0.1, 0.2)])
def test_without_time_or_volatility_only_the_intrinsic_value_is_left(
    years_left: float, volatility: float
) -> None:
    values = price(100, [90, 100, 110], years_left, 0, volatility, [True, True, False])
    assert values == pytest.approx([10, 0, 10])


@given(forwards, moneyness, years, rates, volatilities)
def test_call_less_put_is_the_discounted_forward_less_strike(
    forward: float, m: float, t: float, r: float, v: float
) -> None:
    strike = forward * math.exp(m)
    call, put = price(forward, strike, t, r, v, [True, False])
    assert call - put == pytest.approx(math.exp(-r * t) * (forward - strike), abs=forward * 1e-12)


@given(forwards, moneyness, years, rates, volatilities)
def test_a_premium_lies_between_its_bounds(
    forward: float, m: float, t: float, r: float, v: float
) -> None:
    strike = forward * math.exp(m)
    call, put = price(forward, strike, t, r, v, [True, False]) * math.exp(r * t)
    slack = forward * 1e-12
    assert max(forward - strike, 0) - slack <= call <= forward
    assert max(strike - forward, 0) - slack <= put <= strike


@given(forwards, moneyness, years, rates, volatilities, st.booleans())
def test_the_implied_volatility_of_a_price_is_its_volatility(
    forward: float, m: float, t: float, r: float, v: float, is_call: bool
) -> None:
    strike = forward * math.exp(m)
    assume(abs(m) < 5 * v * math.sqrt(t))
    premium = price(forward, strike, t, r, v, is_call)
    assert implied_volatility(premium, forward, strike, t, r, is_call) == pytest.approx(v, abs=1e-8)


@given(forwards, moneyness, years, volatilities, st.floats(0.0001, 1), st.booleans())
def test_a_solved_volatility_explains_the_premium(
    forward: float, m: float, t: float, v: float, factor: float, is_call: bool
) -> None:
    strike = forward * math.exp(m)
    premium = factor * price(forward, strike, t, 0.06, v, is_call)
    solved = implied_volatility(premium, forward, strike, t, 0.06, is_call)
    assume(not np.isnan(solved))
    again = price(forward, strike, t, 0.06, solved, is_call)
    assert again == pytest.approx(float(premium), abs=forward * 1e-10)


@pytest.mark.parametrize(
    ("premium", "strike", "is_call"),
    [
        (np.nan, 100, True),
        (0.0, 100, True),
        (-1.0, 100, True),
        (9.9 * math.exp(-0.03), 90, True),
        (10.0 * math.exp(-0.03), 90, True),
        (9.9 * math.exp(-0.03), 110, False),
        (100.0, 90, True),
        (100.0, 90, False),
        (5.0, 0, True),
        (5.0, -1, True),
    ],
)
def test_a_premium_outside_its_bounds_has_no_volatility(
    premium: float, strike: float, is_call: bool
) -> None:
    assert np.isnan(implied_volatility(premium, 100, strike, 0.5, 0.06, is_call))


@pytest.mark.parametrize("years_left", [0.0, -0.01, np.nan])
def test_an_expired_option_has_neither_volatility_nor_greeks(years_left: float) -> None:
    assert np.isnan(implied_volatility(5.0, 100, 100, years_left, 0.06, True))
    expired = greeks(100, 100, years_left, 0.06, 0.2, True)
    columns = (expired.delta, expired.gamma, expired.theta, expired.vega, expired.rho)
    assert all(np.isnan(column) for column in columns)


def test_one_bad_contract_does_not_spoil_its_chain() -> None:
    solved = implied_volatility([8.0, np.nan, 0.0, 7.5], 100, 100, 0.5, 0.0, True)
    assert np.isnan(solved).tolist() == [False, True, True, False]


def test_no_contracts_have_no_volatilities() -> None:
    assert implied_volatility([], 100, [], 0.5, 0.06, []).shape == (0,)


@given(forwards, moneyness, years, rates, volatilities, st.booleans())
def test_greeks_agree_with_finite_differences(
    f: float, m: float, t: float, r: float, v: float, is_call: bool
) -> None:
    assume(abs(m) < 3 * v * math.sqrt(t))
    k = f * math.exp(m)
    g = greeks(f, k, t, r, v, is_call)
    h = f * v * math.sqrt(t) * 1e-3
    up, at, down = price([f + h, f, f - h], k, t, r, v, is_call)
    assert g.delta == pytest.approx((up - down) / (2 * h), abs=1e-5)
    assert g.gamma * h * h == pytest.approx(up - 2 * at + down, rel=1e-3, abs=f * 1e-11)
    by_volatility = price(f, k, t, r, [v + 1e-4, v - 1e-4], is_call)
    assert g.vega == pytest.approx(np.subtract(*by_volatility) / 2e-4 / 100, rel=1e-3, abs=f * 1e-8)
    by_rate = price(f, k, t, [r + 1e-5, r - 1e-5], v, is_call)
    assert g.rho == pytest.approx(np.subtract(*by_rate) / 2e-5 / 100, rel=1e-4, abs=f * 1e-8)
    by_time = price(f, k, [t * 0.9999, t * 1.0001], r, v, is_call)
    slope = np.subtract(*by_time) / (0.0002 * t) / 365
    assert g.theta == pytest.approx(slope, rel=1e-3, abs=f * 1e-8)


def test_a_call_gains_and_a_put_loses_as_the_forward_rises() -> None:
    g = greeks(25_000, 25_000, 5 / 365, 0.06, 0.12, [True, False])
    assert g.delta == pytest.approx([0.5, -0.5], abs=0.01)
    assert (g.theta < 0).all()
    assert (g.vega > 0).all()


def test_a_chain_is_solved_in_about_a_millisecond() -> None:
    strike = 25_000 + 50 * (np.arange(100) - 50)
    is_call = np.arange(100) % 2 == 0
    premium = price(25_000, strike, 5 / 365, 0.06, 0.12, is_call)
    took = []
    for _ in range(20):
        began = time.perf_counter()
        implied_volatility(premium, 25_000, strike, 5 / 365, 0.06, is_call)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.005  # about 0.3 ms on an idle core; the rest is for busy ones


STRIKES = np.array([24_800.0, 24_900, 25_000, 25_100, 25_200])
IS_TIGHT = np.ones(5, np.bool_)


def mids(forward: float) -> tuple[np.ndarray, np.ndarray]:
    call = price(forward, STRIKES, 0.02, 0.06, 0.12, True)
    return call, price(forward, STRIKES, 0.02, 0.06, 0.12, False)


@given(st.floats(24_500, 25_500))
def test_parity_finds_the_forward_of_fair_prices(forward: float) -> None:
    found = forward_by_parity(STRIKES, *mids(forward), 25_000, 0.02, 0.06, IS_TIGHT)
    assert found == pytest.approx(forward)


def test_one_wild_quote_does_not_move_the_forward() -> None:
    call, put = mids(25_040)
    call[2] += 300
    assert forward_by_parity(STRIKES, call, put, 25_000, 0.02, 0.06, IS_TIGHT) == pytest.approx(
        25_040
    )


def test_far_strikes_do_not_count() -> None:
    strike = 25_000 + 50.0 * np.arange(-20, 21)
    is_tight = np.abs(strike - 25_000) > 500
    found = forward_by_parity(strike, strike, strike, 25_000, 0.02, 0.06, is_tight)
    assert found is None


def test_without_tight_pairs_the_spot_grown_at_six_percent_stands_in() -> None:
    call, put = mids(25_040)
    loose = ~IS_TIGHT
    assert forward_by_parity(STRIKES, call, put, 25_000, 0.02, 0.06, loose) is None
    grown = forward_or_spot(STRIKES, call * np.nan, put, 25_000, 0.02, 0.06, IS_TIGHT)
    assert grown == pytest.approx(25_000 * math.exp(0.06 * 0.02))
    by_parity = forward_or_spot(STRIKES, call, put, 25_000, 0.02, 0.06, IS_TIGHT)
    assert by_parity == pytest.approx(25_040)


@given(
    st.lists(
        st.tuples(st.floats(-8, 8), st.floats(0.03, 3), st.floats(1e-4, 2), st.booleans()),
        min_size=1,
        max_size=20,
    )
)
def test_a_chain_is_solved_as_each_of_its_contracts_alone(
    rows: list[tuple[float, float, float, bool]],
) -> None:
    deviations, v, t, is_call = (np.array(column) for column in zip(*rows, strict=True))
    strike = 25_000 * np.exp(np.clip(deviations * v * np.sqrt(t), -3, 3))
    premium = price(25_000, strike, t, 0.06, v, is_call)
    together = implied_volatility(premium, 25_000, strike, t, 0.06, is_call)
    one_by_one = [
        float(implied_volatility(premium[row], 25_000, strike[row], t[row], 0.06, is_call[row]))
        for row in range(len(rows))
    ]
    assert together == pytest.approx(one_by_one, rel=1e-9, nan_ok=True)


def test_far_wings_and_wild_volatilities_are_solved_as_near_ones_are() -> None:
    for deviation in (0.0, 0.5, 3.0, 8.0, 15.0, 25.0):
        for v in (0.01, 0.1, 1.0, 4.0, 7.0):
            strike = 25_000 * math.exp(min(deviation * v, 20.0))
            premium = price(25_000, strike, 1.0, 0.0, v, True)
            solved = implied_volatility(premium, 25_000, strike, 1.0, 0.0, True)
            assert solved == pytest.approx(v, rel=1e-7), (deviation, v)
