from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.market.calendar import Calendar, load_calendar
from services.simulator.domain.market.history import minute_candles
from services.simulator.domain.market.levels import PriceLevels
from services.simulator.domain.market.paths import PricePath, market_day, on_tick, price_path
from services.simulator.domain.market.session_shape import session_shape
from services.simulator.domain.market.underlyings import DEFAULT_UNIVERSE, UnderlyingSpec
from tests.proofs import examples

DAY = date(2026, 6, 10)
specs = st.sampled_from(DEFAULT_UNIVERSE)
seeds = st.integers(0, 2**32)


def path_of(spec: UnderlyingSpec, seed: int = 7, day: date = DAY) -> PricePath:
    calendar = load_calendar()
    before = calendar.previous_trading_day("NSE", day)
    market = market_day(seed, day, calendar.sessions("NSE", day))
    return price_path(market, spec, PriceLevels(seed, spec, day).of(day, before))


@examples(25)
@given(specs, seeds)
def test_the_same_seed_gives_the_same_path_and_another_seed_another(
    spec: UnderlyingSpec, seed: int
) -> None:
    path, again, other = path_of(spec, seed), path_of(spec, seed), path_of(spec, seed + 1)
    assert np.array_equal(path.last_price, again.last_price)
    assert np.array_equal(path.volume_traded, again.volume_traded)
    assert not np.array_equal(path.last_price, other.last_price)


@examples(25)
@given(specs, seeds)
def test_a_path_is_positive_on_its_tick_and_its_volume_never_falls(
    spec: UnderlyingSpec, seed: int
) -> None:
    path = path_of(spec, seed)
    assert np.all(path.last_price > 0)
    assert np.array_equal(path.last_price, on_tick(path.last_price, spec.tick_size))
    assert np.all(np.diff(path.volume_traded) >= 0)
    assert (path.volume_traded[-1] > 0) != spec.is_index


@examples(25)
@given(specs, seeds)
def test_price_and_volume_stand_still_while_nothing_ticks(spec: UnderlyingSpec, seed: int) -> None:
    path = path_of(spec, seed)
    quiet = ~path.is_tick[1:]
    assert not np.any(np.diff(path.last_price)[quiet])
    assert not np.any(np.diff(path.volume_traded)[quiet])


def test_a_path_has_one_element_per_second_of_the_session(
    index: UnderlyingSpec, calendar: Calendar
) -> None:
    (session,) = calendar.sessions("NSE", DAY)
    path = path_of(index)
    assert path.at_ms[0] == session.open_ms
    assert path.at_ms[-1] == session.close_ms - 1000
    assert np.all(np.diff(path.at_ms) == 1000)


def test_a_day_of_two_sessions_has_no_seconds_between_them(index: UnderlyingSpec) -> None:
    path = path_of(index, day=date(2021, 2, 24))
    gaps = np.diff(path.at_ms)
    assert np.flatnonzero(gaps > 1000).size == 1
    assert gaps.max() > 4 * 3_600_000


def test_a_closed_day_is_refused(calendar: Calendar) -> None:
    with pytest.raises(ValueError, match="closed day"):
        market_day(7, date(2026, 6, 13), calendar.sessions("NSE", date(2026, 6, 13)))


def test_indices_tick_each_second_and_stocks_in_most(
    index: UnderlyingSpec, stock: UnderlyingSpec
) -> None:
    assert path_of(index).is_tick.all()
    assert 0.6 < path_of(stock).is_tick.mean() < 0.95


def test_the_previous_close_is_where_the_day_before_ended(stock: UnderlyingSpec) -> None:
    today, yesterday = path_of(stock), path_of(stock, day=date(2026, 6, 9))
    assert today.previous_close == yesterday.last_price[-1]


def test_the_price_at_a_time_is_the_last_one_up_to_it(stock: UnderlyingSpec) -> None:
    path = path_of(stock)
    assert path.price_at(int(path.at_ms[100]) + 999) == path.last_price[100]
    assert path.price_at(int(path.at_ms[0]) - 1) == path.last_price[0]
    assert path.price_at(int(path.at_ms[-1]) + 60_000) == path.last_price[-1]


def test_indices_and_stocks_move_together(index: UnderlyingSpec, stock: UnderlyingSpec) -> None:
    moves = [np.diff(np.log(path_of(spec).last_price[::300])) for spec in (index, stock)]
    assert 0.3 < np.corrcoef(moves)[0, 1] < 0.9


@pytest.mark.parametrize(("symbol", "usual"), [("NIFTY 50", 0.010), ("RELIANCE", 0.020)])
def test_the_range_of_a_day_is_realistic(symbol: str, usual: float, calendar: Calendar) -> None:
    spec = next(spec for spec in DEFAULT_UNIVERSE if spec.tradingsymbol == symbol)
    day, ranges = DAY, []
    for _ in range(40):
        price = path_of(spec, day=day).last_price
        ranges.append((price.max() - price.min()) / price[0])
        day = calendar.previous_trading_day("NSE", day)
    assert np.mean(ranges) == pytest.approx(usual, rel=0.25)


def test_moving_averages_cross_about_once_a_day(stock: UnderlyingSpec, calendar: Calendar) -> None:
    closes: list[np.ndarray] = []
    day = DAY
    for _ in range(40):
        closes.insert(0, path_of(stock, day=day).last_price[899::900])
        day = calendar.previous_trading_day("NSE", day)
    above = _ema(np.concatenate(closes), 9) > _ema(np.concatenate(closes), 21)
    assert 0.6 < np.count_nonzero(np.diff(above)) / 40 < 2.5


def _ema(values: np.ndarray, span: int) -> np.ndarray:
    average, series = values[0], []
    for value in values:
        average += 2 / (span + 1) * (value - average)
        series.append(average)
    return np.array(series)


def test_volume_and_volatility_are_highest_at_the_ends_of_the_day(calendar: Calendar) -> None:
    shape = session_shape(calendar.sessions("NSE", DAY))
    for curve in (shape.volume, shape.deviation):
        morning, noon, evening = curve[:1800].sum(), curve[10_000:11_800].sum(), curve[-1800:].sum()
        assert morning > 1.3 * noon
        assert evening > 1.2 * noon


@given(st.floats(0.01, 1e6), st.sampled_from(["0.05", "0.01", "0.1"]))
def test_rounding_gives_the_float_nearest_to_a_multiple_of_the_tick(
    value: float, tick: str
) -> None:
    rounded = float(on_tick(value, Decimal(tick)))
    assert Decimal(repr(rounded)) % Decimal(tick) == 0
    assert rounded > 0
    assert abs(rounded - value) <= float(tick)


@examples(25)
@given(specs, seeds)
def test_minute_candles_hold_all_ticks_and_all_volume(spec: UnderlyingSpec, seed: int) -> None:
    path = path_of(spec, seed)
    candles = minute_candles(path)
    assert candles["ticks"].sum() == path.is_tick.sum()
    assert candles["volume"].sum() == path.volume_traded[-1]
    assert np.array_equal(np.cumsum(candles["volume"]), candles["cumulative_volume"])
    assert np.all(candles["low"] <= np.minimum(candles["open"], candles["close"]))
    assert np.all(candles["high"] >= np.maximum(candles["open"], candles["close"]))
    assert candles["high"].max() == path.last_price.max()
    assert np.all(candles["opened_at_ms"] % 60_000 == 0)


def test_a_minute_candle_opens_and_closes_with_its_first_and_last_tick(
    index: UnderlyingSpec,
) -> None:
    path = path_of(index)
    candles = minute_candles(path)
    assert candles["opened_at_ms"].size == 375
    assert np.array_equal(candles["open"], path.last_price[::60])
    assert np.array_equal(candles["close"], path.last_price[59::60])
