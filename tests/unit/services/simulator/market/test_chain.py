from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.ticks import TickColumns
from libs.market.calendar import load_calendar
from libs.market.option_chain import chain_view
from libs.market.quotes import QuoteBook
from libs.market.rulebook import load_rulebook
from services.simulator.domain.market.chain import SyntheticChain
from services.simulator.domain.market.surface import RATE
from services.simulator.domain.market.underlyings import DEFAULT_UNIVERSE
from tests.proofs import examples

DAY = date(2026, 6, 10)
SPECS = {spec.tradingsymbol: spec for spec in DEFAULT_UNIVERSE}
OPEN_MS = load_calendar().sessions("NFO", DAY)[0].open_ms
CLOSE_MS = load_calendar().sessions("NFO", DAY)[0].close_ms


def chain_of(*symbols: str, seed: int = 7, day: date = DAY) -> SyntheticChain:
    return SyntheticChain(
        seed,
        day,
        [SPECS[symbol].instrument() for symbol in symbols],
        {symbol: SPECS[symbol].start_price for symbol in symbols},
        load_rulebook(),
        load_calendar(),
    )


CHAIN = chain_of("NIFTY 50", "RELIANCE")
moves = st.floats(0.95, 1.05)
times = st.integers(OPEN_MS, CLOSE_MS)


def spots(move: float) -> dict[str, float]:
    return {symbol: SPECS[symbol].start_price * move for symbol in CHAIN.symbols}


def columns_equal(left: TickColumns, right: TickColumns) -> bool:
    pairs = zip(left.columns().values(), right.columns().values(), strict=True)
    return all(np.array_equal(_values(a), _values(b)) for a, b in pairs)


def _values(column: np.ndarray | None) -> np.ndarray:
    return np.empty(0) if column is None else column


def mids(quotes: TickColumns) -> np.ndarray:
    assert quotes.bid_price is not None
    assert quotes.ask_price is not None
    return np.asarray((quotes.bid_price + quotes.ask_price) / 2)


def spreads(quotes: TickColumns) -> np.ndarray:
    assert quotes.bid_price is not None
    assert quotes.ask_price is not None
    return np.asarray(quotes.ask_price - quotes.bid_price)


@given(moves, times)
def test_quotes_are_never_crossed_and_the_last_price_lies_between(move: float, at_ms: int) -> None:
    quotes = CHAIN.quotes(spots(move), at_ms)
    assert quotes.bid_price is not None
    assert quotes.ask_price is not None
    assert np.all(quotes.bid_price < quotes.ask_price)
    assert np.all(quotes.bid_price <= quotes.last_price)
    assert np.all(quotes.last_price <= quotes.ask_price)


@given(moves, times)
def test_prices_are_multiples_of_the_tick_and_at_least_one(move: float, at_ms: int) -> None:
    quotes = CHAIN.quotes(spots(move), at_ms)
    for column in (quotes.bid_price, quotes.ask_price, quotes.last_price):
        assert column is not None
        assert np.all(column == np.rint(column * 20) / 20)
        assert column.min() >= 0.05


@given(moves, times)
def test_quantities_are_whole_lots(move: float, at_ms: int) -> None:
    quotes = CHAIN.quotes(spots(move), at_ms)
    lots = np.array([contract.lot_size for contract in CHAIN.contracts])
    for column in (quotes.bid_quantity, quotes.ask_quantity, quotes.volume_traded, quotes.oi):
        assert column is not None
        assert not np.any(column % lots)
    assert quotes.bid_quantity is not None
    assert quotes.bid_quantity.min() > 0


@given(moves, times)
def test_mids_obey_put_call_parity_within_their_spreads(move: float, at_ms: int) -> None:
    quotes = CHAIN.quotes(spots(move), at_ms)
    calls, puts = mids(quotes)[::2], mids(quotes)[1::2]
    room = (spreads(quotes)[::2] + spreads(quotes)[1::2]) / 2 + 0.1
    strike = np.array([contract.strike for contract in CHAIN.contracts[::2]])
    years = np.array([_years(row, at_ms) for row in range(0, len(CHAIN.contracts), 2)])
    spot = np.array([spots(move)[_symbol(row)] for row in range(0, len(CHAIN.contracts), 2)])
    parity = spot - strike * np.exp(-RATE * years)
    assert np.all(np.abs(calls - puts - parity) <= room)


def _symbol(row: int) -> str:
    return {"NIFTY": "NIFTY 50"}.get(CHAIN.contracts[row].name, "RELIANCE")


def _years(row: int, at_ms: int) -> float:
    expiry = CHAIN.contracts[row].expiry
    assert expiry is not None
    close_ms = load_calendar().sessions("NFO", expiry)[-1].close_ms
    return (close_ms - at_ms) / (365 * 24 * 3_600_000)


@given(moves, times)
def test_calls_fall_and_puts_rise_with_the_strike(move: float, at_ms: int) -> None:
    fair = CHAIN.fair_values(spots(move), at_ms)
    for name, expiry in {(c.name, c.expiry) for c in CHAIN.contracts}:
        rows = [i for i, c in enumerate(CHAIN.contracts) if (c.name, c.expiry) == (name, expiry)]
        assert np.all(np.diff(fair[rows[::2]]) < 1e-9)
        assert np.all(np.diff(fair[rows[1::2]]) > -1e-9)


@given(moves, times, st.sets(st.integers(0, len(CHAIN.contracts) - 1), min_size=1))
def test_a_quote_does_not_depend_on_what_else_is_asked_for(
    move: float, at_ms: int, chosen: set[int]
) -> None:
    rows = np.array(sorted(chosen))
    together = CHAIN.quotes(spots(move), at_ms).take(rows)
    assert columns_equal(CHAIN.quotes(spots(move), at_ms, rows), together)
    mask = np.isin(np.arange(len(CHAIN.contracts)), rows)
    assert columns_equal(CHAIN.quotes(spots(move), at_ms, mask), together)


@given(moves, times)
def test_quotes_of_a_chain_do_not_depend_on_other_underlyings_or_their_order(
    move: float, at_ms: int
) -> None:
    reliance = [i for i, c in enumerate(CHAIN.contracts) if c.name == "RELIANCE"]
    expected = CHAIN.quotes(spots(move), at_ms).take(np.array(reliance))
    assert columns_equal(RELIANCE_ALONE.quotes(spots(move), at_ms), expected)
    assert columns_equal(REVERSED.quotes(spots(move), at_ms), CHAIN.quotes(spots(move), at_ms))


RELIANCE_ALONE = chain_of("RELIANCE")
REVERSED = chain_of("RELIANCE", "NIFTY 50")


def test_another_seed_gives_other_quotes() -> None:
    other = chain_of("NIFTY 50", "RELIANCE", seed=8)
    assert not columns_equal(other.quotes({}, OPEN_MS), CHAIN.quotes({}, OPEN_MS))


@examples(25)
@given(st.lists(times, min_size=2, max_size=20))
def test_cumulative_volume_never_falls(at: list[int]) -> None:
    volumes = [CHAIN.quotes({}, at_ms).volume_traded for at_ms in sorted(at)]
    assert np.all(np.diff(np.array(volumes), axis=0) >= 0)


def test_volume_grows_fastest_at_the_ends_of_the_day() -> None:
    hours = [OPEN_MS + quarter * 900_000 for quarter in range(26)]
    volumes = [CHAIN.quotes({}, at_ms).volume_traded for at_ms in hours]
    traded = np.diff([int(volume.sum()) for volume in volumes if volume is not None])
    assert traded[0] > 1.5 * traded[12]
    assert traded[-1] > 1.3 * traded[12]
    assert volumes[0] is not None


def test_volume_is_highest_near_the_money_and_least_deep_inside_it() -> None:
    calls = np.mean([_call_volumes(seed) for seed in range(20)], axis=0)
    at_the_money = calls.size // 2
    assert np.argmax(calls) in range(at_the_money - 2, at_the_money + 3)
    assert calls[at_the_money] > 1.5 * calls[-1] > 7 * calls[0]


def test_contracts_near_the_money_are_found_at_any_spot() -> None:
    rows = CHAIN.near_the_money({"NIFTY 50": 25_210.0, "RELIANCE": 1_380.0}, 3)
    near = [CHAIN.contracts[row] for row in rows]
    strikes = {contract.strike for contract in near if contract.name == "NIFTY"}
    assert strikes == {25_050.0, 25_100.0, 25_150.0, 25_200.0, 25_250.0, 25_300.0, 25_350.0}
    assert len(near) == 2 * 2 * (7 + 7)


def test_spots_may_be_an_array_in_the_order_of_the_symbols() -> None:
    by_name = spots(1.01)
    as_array = np.array([by_name[symbol] for symbol in CHAIN.symbols])
    assert columns_equal(CHAIN.quotes(as_array, OPEN_MS), CHAIN.quotes(by_name, OPEN_MS))


def test_a_missing_spot_is_the_price_at_the_open() -> None:
    assert columns_equal(CHAIN.quotes({}, OPEN_MS), CHAIN.quotes(spots(1.0), OPEN_MS))


def test_quotes_within_a_second_are_the_same_and_carry_the_whole_second() -> None:
    quotes = CHAIN.quotes({}, OPEN_MS + 999)
    assert set(quotes.exchange_timestamp.tolist()) == {OPEN_MS}


def test_a_token_that_is_not_listed_is_refused() -> None:
    assert CHAIN.rows([CHAIN.contracts[3].instrument_token]).tolist() == [3]
    with pytest.raises(KeyError):
        CHAIN.rows([12345])


def test_options_far_out_of_the_money_cost_one_tick_at_least_on_expiry_day() -> None:
    day = date(2026, 6, 16)
    chain = chain_of("NIFTY 50", day=day)
    close_ms = load_calendar().sessions("NFO", day)[0].close_ms
    quotes = chain.quotes({}, close_ms)
    today = np.array([contract.expiry == day for contract in chain.contracts])
    fair = chain.fair_values({}, close_ms)
    strike = np.array([contract.strike for contract in chain.contracts])
    is_call = np.array([contract.instrument_type == "CE" for contract in chain.contracts])
    intrinsic = np.maximum(np.where(is_call, 25_100 - strike, strike - 25_100), 0)
    assert np.allclose(fair[today], intrinsic[today])
    assert quotes.bid_price is not None
    assert np.all(quotes.bid_price[today & (intrinsic == 0)] == 0.05)


def test_near_the_money_spreads_pass_the_filter_of_the_executor() -> None:
    rows = CHAIN.near_the_money({}, 3)
    quotes = CHAIN.quotes({}, OPEN_MS + 3_600_000, rows)
    assert np.all(spreads(quotes) / mids(quotes) < 0.05)
    assert quotes.oi is not None
    assert quotes.volume_traded is not None
    assert quotes.oi.min() >= 1000
    assert quotes.volume_traded.min() >= 100


def test_the_chain_reader_recovers_forward_and_a_smile() -> None:
    at_ms, expiry = OPEN_MS + 3_600_000, date(2026, 6, 16)
    contracts = [contract for contract in CHAIN.contracts if contract.expiry == expiry]
    quotes = CHAIN.quotes({}, at_ms)
    book = QuoteBook(quotes.instrument_token)
    book.update(
        quotes.instrument_token,
        quotes.exchange_timestamp,
        bid_price=quotes.bid_price,
        ask_price=quotes.ask_price,
    )
    close_ms = load_calendar().sessions("NFO", expiry)[0].close_ms
    view = chain_view(contracts, book, 25_100.0, at_ms, close_ms)
    assert view.forward == pytest.approx(25_100 * np.exp(RATE * view.years), abs=0.5)
    near = np.abs(view.strike - 25_100) <= 150
    assert np.all((view.implied_volatility[near] > 0.08) & (view.implied_volatility[near] < 0.2))
    put_wing, call_wing = (
        view.implied_volatility[view.strike == 24_800],
        view.implied_volatility[view.strike == 25_400],
    )
    assert np.nanmean(put_wing) > np.nanmean(call_wing)


def _call_volumes(seed: int) -> np.ndarray:
    """Volume of the day of the 17 calls of RELIANCE's nearest expiry, lowest strike first."""
    chain = chain_of("RELIANCE", seed=seed)
    volume = chain.quotes({}, CLOSE_MS).volume_traded
    assert volume is not None
    return np.asarray(volume[: len(volume) // 2 : 2])
