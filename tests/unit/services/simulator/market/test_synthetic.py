from datetime import date

import numpy as np
import pytest

from libs.events.ticks import COLUMN_TYPES, TickColumns
from libs.market.calendar import Calendar
from libs.market.rulebook import Rulebook
from services.simulator.domain.market.defects import NO_DEFECTS, DefectRates
from services.simulator.domain.market.frames import Frame
from services.simulator.domain.market.history import minute_candles
from services.simulator.domain.market.synthetic import SyntheticMarket
from services.simulator.domain.market.underlyings import DEFAULT_UNIVERSE, UnderlyingSpec

DAY = date(2026, 6, 10)
SEED = 7
MANY_DEFECTS = DefectRates(duplicate=0.05, late=0.05, epoch_zero=0.01, zero_price=0.01)


@pytest.fixture(scope="module")
def frames(market: SyntheticMarket) -> list[Frame]:
    return list(market.frames())


@pytest.fixture(scope="module")
def clean(stock: UnderlyingSpec, calendar: Calendar, rulebook: Rulebook) -> SyntheticMarket:
    return SyntheticMarket(SEED, DAY, calendar, rulebook, [stock], defects=NO_DEFECTS)


def columns_equal(left: TickColumns, right: TickColumns) -> bool:
    pairs = zip(left.columns().values(), right.columns().values(), strict=True)
    return all(np.array_equal(_values(a), _values(b)) for a, b in pairs)


def _values(column: np.ndarray | None) -> np.ndarray:
    return np.empty(0) if column is None else column


def underlying_rows(frames: list[Frame], token: int) -> TickColumns:
    ticks = TickColumns.concat([frame.columns for frame in frames])
    return ticks.take(ticks.instrument_token == token)


def test_frames_come_once_a_second_until_some_seconds_after_the_close(
    frames: list[Frame], calendar: Calendar
) -> None:
    (session,) = calendar.sessions("NSE", DAY)
    times = [frame.at_ms for frame in frames]
    assert times == list(range(session.open_ms, session.close_ms + 5000, 1000))


def test_no_tick_is_ahead_of_its_frame(frames: list[Frame]) -> None:
    assert all(frame.columns.exchange_timestamp.max() <= frame.at_ms for frame in frames)


def test_every_chain_second_the_contracts_near_the_money_are_quoted(
    market: SyntheticMarket, frames: list[Frame]
) -> None:
    contracts = {contract.instrument_token for contract in market.contracts}
    quoted = [len(contracts.intersection(f.columns.instrument_token.tolist())) for f in frames[:11]]
    assert all(quoted[second] > 400 for second in (0, 5, 10))
    assert not any(quoted[second] for second in range(11) if second % 5)


def test_frames_after_the_close_repeat_the_closing_prices(
    market: SyntheticMarket, frames: list[Frame]
) -> None:
    last = frames[-1].columns
    closing = market.spots(frames[-1].at_ms)
    prices = dict(zip(last.instrument_token.tolist(), last.last_price.tolist(), strict=True))
    assert prices == {u.instrument_token: closing[u.tradingsymbol] for u in market.underlyings}


def test_the_same_seed_gives_the_same_frames(
    frames: list[Frame], calendar: Calendar, rulebook: Rulebook
) -> None:
    again = SyntheticMarket(SEED, DAY, calendar, rulebook)
    for hour in (frames[:3600], frames[-3600:]):
        pairs = zip(hour, again.frames(start_ms=hour[0].at_ms), strict=False)
        assert all(columns_equal(a.columns, b.columns) for a, b in pairs)


def test_the_order_in_which_symbols_are_listed_is_irrelevant(
    market: SyntheticMarket, frames: list[Frame], calendar: Calendar, rulebook: Rulebook
) -> None:
    turned = SyntheticMarket(SEED, DAY, calendar, rulebook, specs=DEFAULT_UNIVERSE[::-1])
    assert turned.instruments == market.instruments
    pairs = zip(frames[:600], turned.frames(), strict=False)
    assert all(columns_equal(a.columns, b.columns) for a, b in pairs)


def test_a_symbol_alone_has_the_path_it_has_in_company(
    market: SyntheticMarket, stock: UnderlyingSpec, calendar: Calendar, rulebook: Rulebook
) -> None:
    alone = SyntheticMarket(SEED, DAY, calendar, rulebook, specs=[stock])
    assert np.array_equal(alone.path("RELIANCE").last_price, market.path("RELIANCE").last_price)
    assert np.array_equal(
        alone.path("RELIANCE").volume_traded, market.path("RELIANCE").volume_traded
    )


def test_another_seed_gives_another_market(
    market: SyntheticMarket, calendar: Calendar, rulebook: Rulebook
) -> None:
    other = SyntheticMarket(SEED + 1, DAY, calendar, rulebook)
    assert other.path("RELIANCE").last_price[0] != market.path("RELIANCE").last_price[0]


def test_frames_may_begin_at_any_time(market: SyntheticMarket, frames: list[Frame]) -> None:
    late = list(market.frames(start_ms=frames[20_001].at_ms - 500))
    assert [frame.at_ms for frame in late] == [frame.at_ms for frame in frames[20_001:]]
    pairs = zip(late, frames[20_001:], strict=True)
    assert all(columns_equal(a.columns, b.columns) for a, b in pairs)


def test_contracts_followed_each_second_agree_with_the_frames(
    market: SyntheticMarket, frames: list[Frame]
) -> None:
    frame = frames[5000].columns
    token = int(frame.instrument_token[-1])
    quote = market.quotes([token], frames[5000].at_ms)
    assert quote.last_price[0] == frame.last_price[-1]
    assert len(market.quotes([token], frames[5001].at_ms)) == 1
    with pytest.raises(KeyError):
        market.quotes([1], frames[0].at_ms)


def test_frames_are_those_of_the_underlyings_and_every_few_seconds_quotes(
    market: SyntheticMarket, frames: list[Frame]
) -> None:
    alone = list(zip(range(11), market.underlying_frames(), strict=False))
    for second, frame in alone:
        both = frames[second]
        assert both.at_ms == frame.at_ms
        assert columns_equal(both.columns.take(slice(0, len(frame.columns))), with_gaps(frame))
        assert (len(both.columns) > len(frame.columns)) == (second % 5 == 0)


def with_gaps(frame: Frame) -> TickColumns:
    """Give the columns with those that only options carry where options are in the frame."""
    is_quoted = frame.columns.oi is None and frame.at_ms // 1000 % 5 == 0
    return TickColumns.concat([frame.columns, NO_OPTIONS]) if is_quoted else frame.columns


BOARD_ONLY = {"last_trade_time", "open_price"}
"""What the exchange's board keeps, not a market."""
NO_OPTIONS = TickColumns(
    **{name: np.empty(0, kind) for name, kind in COLUMN_TYPES.items() if name not in BOARD_ONLY}
)


def test_options_are_quoted_in_their_order_at_any_prices(market: SyntheticMarket) -> None:
    at_ms = market.path("INFY").at_ms[100].item()
    quotes = market.option_quotes(market.spots(at_ms), at_ms)
    tokens = [contract.instrument_token for contract in market.contracts]
    assert quotes.instrument_token.tolist() == tokens
    assert columns_equal(quotes, market.quotes(tokens, at_ms))


def test_the_previous_closes_are_those_of_the_day_before(market: SyntheticMarket) -> None:
    closes = market.previous_closes()
    yesterday = {one.tradingsymbol: bars["close"][-1] for _, one, bars in market.history(1)}
    assert closes == yesterday
    assert market.trading_day == DAY


def test_history_has_as_many_days_as_the_market_was_made_with(
    calendar: Calendar, rulebook: Rulebook, stock: UnderlyingSpec
) -> None:
    market = SyntheticMarket(SEED, DAY, calendar, rulebook, [stock], history_days=2)
    assert len(list(market.history())) == 2


def test_history_ends_on_the_day_before_and_continues_into_the_day(market: SyntheticMarket) -> None:
    history = list(market.history(3))
    assert sorted({day for day, _, _ in history}) == [
        date(2026, 6, 5),
        date(2026, 6, 8),
        date(2026, 6, 9),
    ]
    assert len(history) == 3 * len(market.underlyings)
    for _, instrument, candles in history[-len(market.underlyings) :]:
        path = market.path(instrument.tradingsymbol)
        assert candles["close"][-1] == path.previous_close


def test_history_of_a_day_is_what_that_day_itself_was(
    market: SyntheticMarket, calendar: Calendar, rulebook: Rulebook
) -> None:
    yesterday = SyntheticMarket(SEED, date(2026, 6, 9), calendar, rulebook)
    for _, instrument, candles in market.history(1):
        lived = minute_candles(yesterday.path(instrument.tradingsymbol))
        assert np.array_equal(candles["close"], lived["close"])
        assert np.array_equal(candles["volume"], lived["volume"])


def test_without_defects_the_frames_hold_each_tick_of_the_path_once(
    clean: SyntheticMarket, stock: UnderlyingSpec, calendar: Calendar
) -> None:
    rows = underlying_rows(list(clean.frames(chain_seconds=10**6)), stock.instrument_token)
    path = clean.path(stock.tradingsymbol)
    in_session = rows.take(rows.exchange_timestamp < calendar.sessions("NSE", DAY)[0].close_ms)
    assert np.array_equal(in_session.exchange_timestamp, path.at_ms[path.is_tick])
    assert np.array_equal(in_session.last_price, path.last_price[path.is_tick])
    assert in_session.volume_traded is not None
    assert np.array_equal(in_session.volume_traded, path.volume_traded[path.is_tick])


def test_quotes_of_a_stock_enclose_its_last_price(
    clean: SyntheticMarket, stock: UnderlyingSpec
) -> None:
    rows = underlying_rows(list(clean.frames(chain_seconds=10**6)), stock.instrument_token)
    assert rows.bid_price is not None
    assert rows.ask_price is not None
    assert np.all(rows.bid_price < rows.ask_price)
    assert np.all((rows.bid_price == rows.last_price) | (rows.ask_price == rows.last_price))


def test_defects_are_extra_or_displaced_rows_and_no_tick_is_lost(
    clean: SyntheticMarket, stock: UnderlyingSpec, calendar: Calendar, rulebook: Rulebook
) -> None:
    dirty = SyntheticMarket(SEED, DAY, calendar, rulebook, [stock], defects=MANY_DEFECTS)
    rows = underlying_rows(list(dirty.frames(chain_seconds=10**6)), stock.instrument_token)
    true = underlying_rows(list(clean.frames(chain_seconds=10**6)), stock.instrument_token)
    sound = rows.take((rows.exchange_timestamp > 0) & (rows.last_price > 0))
    _, first = np.unique(sound.exchange_timestamp, return_index=True)
    assert columns_equal(sound.take(first), true)
    shares = (
        len(sound) - len(true),
        np.sum(rows.exchange_timestamp == 0),
        np.sum(rows.last_price == 0),
    )
    assert np.allclose(np.array(shares) / len(true), (0.05, 0.01, 0.01), rtol=0.3)


def test_late_ticks_arrive_a_second_late_behind_the_others(
    stock: UnderlyingSpec, calendar: Calendar, rulebook: Rulebook
) -> None:
    late = DefectRates(late=0.05)
    market = SyntheticMarket(SEED, DAY, calendar, rulebook, [stock], defects=late)
    frames = list(market.frames(chain_seconds=10**6))
    delays = np.concatenate([f.at_ms - f.columns.exchange_timestamp for f in frames[1:]])
    late_rows = delays == 1000
    assert set(delays[delays < 10_000].tolist()) == {0, 1000}
    assert 0.03 < late_rows.mean() < 0.07


def test_the_demo_has_a_few_defects(frames: list[Frame], stock: UnderlyingSpec) -> None:
    rows = underlying_rows(frames, stock.instrument_token)
    steps_back = np.sum(np.diff(rows.exchange_timestamp[rows.exchange_timestamp > 0]) < 0)
    repeats = len(rows) - np.unique(rows.exchange_timestamp).size
    assert 0 < steps_back < 0.005 * len(rows)
    assert 0 < repeats < 0.01 * len(rows)


def test_where_options_trade_longer_the_frames_go_on_until_their_close(
    calendar: Calendar, rulebook: Rulebook
) -> None:
    day = date(2026, 8, 4)
    market = SyntheticMarket(SEED, day, calendar, rulebook, DEFAULT_UNIVERSE[:2])
    cash, options = (calendar.sessions(name, day)[-1].close_ms for name in ("NSE", "NFO"))
    frames = list(market.frames(start_ms=cash))
    assert frames[-1].at_ms == options + 4000
    assert len(frames[6].columns) == 0
    quoted = [frame.at_ms for frame in frames if len(frame.columns) > 10]
    assert (min(quoted), max(quoted)) == (cash, options - 5000)


def test_a_market_of_indices_alone_has_frames_without_volume(
    index: UnderlyingSpec, calendar: Calendar, rulebook: Rulebook
) -> None:
    market = SyntheticMarket(SEED, DAY, calendar, rulebook, [index], defects=NO_DEFECTS)
    frame = next(iter(market.frames(start_ms=market.path("NIFTY 50").at_ms[1])))
    assert frame.columns.volume_traded is None
    assert frame.columns.instrument_token.tolist() == [256265]


def test_a_day_on_which_the_market_is_closed_is_refused(
    calendar: Calendar, rulebook: Rulebook
) -> None:
    with pytest.raises(ValueError, match="closed day"):
        SyntheticMarket(SEED, date(2026, 6, 13), calendar, rulebook)


def test_a_whole_day_of_2021_can_be_played_too(calendar: Calendar, rulebook: Rulebook) -> None:
    market = SyntheticMarket(SEED, date(2021, 6, 9), calendar, rulebook)
    assert {c.lot_size for c in market.contracts if c.name == "NIFTY"} == {75}
    assert len(next(iter(market.frames())).columns) > 300
