from datetime import date, datetime
from typing import Any

import numpy as np
import pytest

from libs.events.ticks import TickColumns
from libs.market.calendar import IST, Calendar
from libs.market.dump import read_dump
from libs.market.rulebook import Rulebook
from services.simulator.domain.board import Board
from services.simulator.domain.errors import InputError, NotFound
from services.simulator.domain.feed.packets import frames
from services.simulator.domain.market.defects import NO_DEFECTS, DefectRates
from services.simulator.domain.market.frames import Frame
from services.simulator.domain.market.history import MinuteCandles, minute_candles
from services.simulator.domain.market.synthetic import SyntheticMarket
from services.simulator.domain.market.underlyings import DEFAULT_UNIVERSE
from tests.unit.services.simulator.oracle import parsed
from tests.unit.services.simulator.plays import (
    DAY,
    INDEX_TOKEN,
    OPTION_TOKEN,
    STOCK_TOKEN,
    ScriptedMarket,
    everything,
    play,
    second_frames,
    ticks,
)

MANY_DEFECTS = DefectRates(duplicate=0.05, late=0.05, epoch_zero=0.01, zero_price=0.01)
MINUTE_MS = 60_000
COLUMNS = ("open", "high", "low", "close", "volume")


@pytest.fixture(scope="module")
def small(calendar: Calendar, rulebook: Rulebook) -> SyntheticMarket:
    """An index and three stocks with many defects."""
    return SyntheticMarket(7, DAY, calendar, rulebook, DEFAULT_UNIVERSE[:4], MANY_DEFECTS)


@pytest.fixture(scope="module")
def clean(calendar: Calendar, rulebook: Rulebook) -> SyntheticMarket:
    return SyntheticMarket(7, DAY, calendar, rulebook, DEFAULT_UNIVERSE[:4], NO_DEFECTS)


@pytest.fixture(scope="module")
def played(small: SyntheticMarket, calendar: Calendar) -> Board:
    """The board after ten minutes."""
    board = Board(small, calendar)
    play(board, 601)
    return board


@pytest.fixture
def open_ms(calendar: Calendar) -> int:
    return calendar.sessions("NSE", DAY)[0].open_ms


def keys(board: Board) -> list[str]:
    return [one.key for one in board.instruments]


def candles_of(board: Board, token: int, interval: str = "minute") -> list[list[Any]]:
    day = board.now_ms // 86_400_000 * 86_400_000
    candles: list[list[Any]] = board.historical(token, interval, day, board.now_ms)["candles"]
    return candles


def scripted(calendar: Calendar, prices: list[float], open_ms: int, **changes: Any) -> Board:
    return Board(ScriptedMarket(second_frames(open_ms, prices), **changes), calendar)


def test_before_the_first_second_the_time_is_a_second_before_the_open(
    clean: SyntheticMarket, calendar: Calendar, open_ms: int
) -> None:
    board = Board(clean, calendar)
    assert (board.now_ms, board.trading_day, board.is_over) == (open_ms - 1000, DAY, False)
    stock = board.find("NSE", "RELIANCE")
    assert stock is not None
    assert board.quote(stock.instrument_token) is None
    assert board.ohlc(["NSE:RELIANCE"])["NSE:RELIANCE"]["ohlc"]["open"] == 0


def test_the_minutes_of_the_underlyings_are_the_generators_in_spite_of_defects(
    small: SyntheticMarket, played: Board
) -> None:
    for one in small.underlyings:
        true = minute_candles(small.path(one.tradingsymbol))
        rows = candles_of(played, one.instrument_token)[:10]
        for place, name in enumerate(COLUMNS, 1):
            column: np.ndarray[Any, Any] = dict(true)[name]  # type: ignore[assignment]
            assert [row[place] for row in rows] == column[:10].tolist()


def test_the_minutes_of_an_option_are_folded_from_its_quotes_each_second(
    clean: SyntheticMarket, calendar: Calendar
) -> None:
    board = Board(clean, calendar)
    contract = clean.contracts[3]
    prices, volumes = [], []
    for _ in range(60):
        board.advance()
        quote = board.quote(contract.instrument_token)
        assert quote is not None
        prices.append(quote.last_price)
        volumes.append((quote.volume, quote.oi))
    (row,) = board.historical(contract.instrument_token, "minute", 0, board.now_ms, oi=True)[
        "candles"
    ]
    assert row[1:] == [prices[0], max(prices), min(prices), prices[-1], *volumes[-1]]


def test_each_second_all_options_are_quoted_at_the_underlyings_prices(
    clean: SyntheticMarket, calendar: Calendar
) -> None:
    board = Board(clean, calendar)
    play(board, 8)
    true = clean.option_quotes(clean.spots(board.now_ms), board.now_ms)
    assert true.bid_price is not None
    for row, contract in enumerate(clean.contracts):
        quote = board.quote(contract.instrument_token)
        assert quote is not None
        assert quote.at_ms == board.now_ms
        assert (quote.last_price, quote.bid_price) == (true.last_price[row], true.bid_price[row])


def test_options_send_packets_every_few_seconds_and_busy_ones_each_second(
    clean: SyntheticMarket, calendar: Calendar
) -> None:
    board = Board(clean, calendar, option_seconds=3)
    options = {one.instrument_token for one in clean.contracts}
    busy = {clean.contracts[0].instrument_token, clean.underlyings[1].instrument_token, 12345}
    sent = [options & set(board.advance(busy).full["instrument_token"].tolist()) for _ in range(7)]
    assert [len(tokens) for tokens in sent] == [
        len(options),
        1,
        1,
        len(options),
        1,
        1,
        len(options),
    ]
    assert sent[1] == {clean.contracts[0].instrument_token}


def test_the_rows_of_the_underlyings_are_the_markets_own_with_their_defects(
    small: SyntheticMarket, calendar: Calendar
) -> None:
    board = Board(small, calendar)
    market = [
        frame.columns for _, frame in zip(range(300), small.underlying_frames(), strict=False)
    ]
    tokens = [one.instrument_token for one in small.underlyings]
    for frame in market:
        rows = board.advance()
        for bodies in (rows.index, rows.full):
            mine = bodies[np.isin(bodies["instrument_token"], tokens)]
            theirs = frame.take(np.isin(frame.instrument_token, mine["instrument_token"]))
            assert mine["instrument_token"].tolist() == theirs.instrument_token.tolist()
            assert np.allclose(mine["last_price"], theirs.last_price * 100)
            assert np.array_equal(mine["exchange_timestamp"], theirs.exchange_timestamp // 1000)


def test_a_snapshot_read_by_the_official_client_is_what_the_quote_calls_say(
    played: Board,
) -> None:
    rows = played.snapshot([one.instrument_token for one in played.instruments] + [12345])
    read = {tick["instrument_token"]: tick for tick in parsed(frames(rows, everything(played)))}
    quotes = played.quotes(keys(played))
    assert len(read) == len(quotes) == len(played.instruments)
    for quote in quotes.values():
        tick = read[quote["instrument_token"]]
        assert tick["last_price"] == quote["last_price"]
        assert tick["ohlc"] == quote["ohlc"]
        assert clock(tick["exchange_timestamp"]) == quote["timestamp"]
        if tick["tradable"]:
            assert_traded(tick, quote)


def test_what_ticks_in_a_second_is_what_a_snapshot_then_says(
    clean: SyntheticMarket, calendar: Calendar
) -> None:
    board = Board(clean, calendar)
    play(board, 5)
    sent = parsed(frames(board.advance(), everything(board)))
    shown = parsed(frames(board.snapshot([t["instrument_token"] for t in sent]), everything(board)))
    assert len(sent) > len(clean.contracts)
    assert sent == shown


def assert_traded(tick: dict[str, Any], quote: dict[str, Any]) -> None:
    pairs = {
        "last_traded_quantity": "last_quantity",
        "average_traded_price": "average_price",
        "volume_traded": "volume",
        "total_buy_quantity": "buy_quantity",
        "total_sell_quantity": "sell_quantity",
        "oi": "oi",
        "oi_day_high": "oi_day_high",
        "oi_day_low": "oi_day_low",
        "depth": "depth",
    }
    assert {name: tick[name] for name in pairs} == {k: quote[v] for k, v in pairs.items()}
    assert clock(tick["last_trade_time"]) == quote["last_trade_time"]


def clock(local: datetime) -> str:
    return f"{local.astimezone(IST):%Y-%m-%d %H:%M:%S}"


def test_the_first_packet_of_a_day_says_what_the_tick_and_the_board_say(
    calendar: Calendar, open_ms: int
) -> None:
    board = scripted(calendar, [1010.0, 1012.0, 1008.0], open_ms, closes={"INFY": 1000.0})
    play(board, 2)
    rows = board.advance()
    index, stock = parsed(frames(rows, everything(board)))
    assert index["ohlc"] == {"open": 25250, "high": 25300, "low": 25200, "close": 0}
    assert stock["ohlc"] == {"open": 1010, "high": 1012, "low": 1008, "close": 1000}
    assert (stock["volume_traded"], stock["average_traded_price"]) == (30, 1010.0)
    assert stock["depth"]["buy"][0] == stock["depth"]["buy"][0] | {"price": 1007.95, "quantity": 70}
    assert int(rows.index["price_change"][0]) == 2_520_000


def test_a_board_that_starts_later_has_the_same_state(
    small: SyntheticMarket, played: Board, calendar: Calendar
) -> None:
    later = Board(small, calendar, start_ms=played.now_ms)
    assert later.now_ms == played.now_ms - 1000
    rows = later.advance()
    assert later.quotes(keys(later)) == played.quotes(keys(played))
    for instrument in (small.underlyings[1], small.contracts[5]):
        token = instrument.instrument_token
        assert candles_of(later, token) == candles_of(played, token)
    assert len(rows) > len(small.contracts)


def test_late_and_spoilt_ticks_are_sent_but_change_no_state(
    calendar: Calendar, open_ms: int
) -> None:
    *first, last = second_frames(open_ms, [1000.0, 1001.0, 1002.0])
    late = (STOCK_TOKEN, open_ms + 1000, 990.0, 15)
    spoilt = [
        (STOCK_TOKEN, 0, 5000.0, 1),
        (STOCK_TOKEN, open_ms + 2000, 0.0, 1),
        (STOCK_TOKEN, open_ms + 2000, float("inf"), 1),
        (STOCK_TOKEN, open_ms - MINUTE_MS, 1.0, 1),
        (STOCK_TOKEN, open_ms + 9000, 1.0, 99),
    ]
    columns = TickColumns.concat([last.columns, ticks(late, *spoilt)])
    board = Board(ScriptedMarket([*first, Frame(last.at_ms, columns)]), calendar)
    play(board, 2)
    rows = board.advance()
    assert rows.full["instrument_token"].tolist() == [STOCK_TOKEN] * 7
    assert rows.full["exchange_timestamp"].tolist()[2] == 0
    assert rows.full["last_price"].tolist()[2:5] == [500_000, 0, 2**32 - 1]
    quote = board.quotes(["NSE:INFY"])["NSE:INFY"]
    assert (quote["last_price"], quote["volume"]) == (1002.0, 30)
    assert quote["ohlc"] == {"open": 1000.0, "high": 1002.0, "low": 990.0, "close": 1000.0}
    assert candles_of(board, STOCK_TOKEN)[0][1:] == [1000.0, 1002.0, 990.0, 1002.0, 30]


def test_a_jump_moves_an_underlying_and_its_options_from_the_next_second_on(
    calendar: Calendar, open_ms: int
) -> None:
    board = scripted(calendar, [1000.0] * 4, open_ms)
    play(board, 2)
    board.jump("INFY", 1.1)
    assert board.ltp(["NSE:INFY"])["NSE:INFY"]["last_price"] == 1000.0
    rows = board.advance()
    assert rows.full["last_price"].tolist()[0] == 110_000
    assert rows.full["buy"]["price"][0, 0] == 109_995 - 110_000 + 109_995 + 5
    assert rows.index["last_price"].tolist() == [2_500_000]
    assert board.ltp([str(OPTION_TOKEN)])[str(OPTION_TOKEN)]["last_price"] == 110.0
    board.jump("INFY", 0.5)
    board.advance()
    assert board.ltp(["NSE:INFY"])["NSE:INFY"]["last_price"] == 550.0


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf")])
def test_a_jump_needs_a_positive_factor(calendar: Calendar, open_ms: int, factor: float) -> None:
    with pytest.raises(InputError):
        scripted(calendar, [1000.0], open_ms).jump("INFY", factor)


def test_only_what_is_listed_can_jump_or_be_halted(calendar: Calendar, open_ms: int) -> None:
    board = scripted(calendar, [1000.0], open_ms)
    with pytest.raises(NotFound):
        board.jump("INFY26JUN1000CE", 2.0)
    with pytest.raises(NotFound):
        board.halt("NSE:TCS", open_ms)


@pytest.mark.parametrize(
    ("scope", "silent"),
    [
        ("NSE:INFY", {STOCK_TOKEN}),
        ("NSE", {INDEX_TOKEN, STOCK_TOKEN}),
        ("NFO", {OPTION_TOKEN}),
        (None, {INDEX_TOKEN, STOCK_TOKEN, OPTION_TOKEN}),
    ],
)
def test_what_is_halted_neither_ticks_nor_trades_until_the_halt_ends(
    calendar: Calendar, open_ms: int, scope: str | None, silent: set[int]
) -> None:
    board = Board(
        ScriptedMarket(second_frames(open_ms, [1000.0, 1001.0, 1002.0, 1003.0])),
        calendar,
        option_seconds=1,
    )
    board.advance()
    board.halt(scope, open_ms + 2000)
    before = {token: board.quote(token) for token in silent}
    rows = board.advance()
    sent = {*rows.index["instrument_token"].tolist(), *rows.full["instrument_token"].tolist()}
    assert sent == {INDEX_TOKEN, STOCK_TOKEN, OPTION_TOKEN} - silent
    assert {token: board.quote(token) for token in silent} == before
    is_open = {one.instrument_token: board.is_open(one, board.now_ms) for one in board.instruments}
    assert {token for token, on in is_open.items() if not on} == silent
    assert len(board.advance()) == 3
    assert all(board.is_open(one, board.now_ms) for one in board.instruments)


def test_after_the_close_stocks_are_quiet_and_indices_show_that_the_time_passes(
    calendar: Calendar,
) -> None:
    close_ms = calendar.sessions("NSE", DAY)[-1].close_ms
    board = scripted(calendar, [1000.0, 1001.0] + [999.0] * 5, close_ms - 2000)
    play(board, 2)
    for second in range(5):
        rows = board.advance()
        assert rows.full.size == 0
        assert rows.index["exchange_timestamp"].tolist() == [close_ms // 1000 + second]
        assert rows.index["last_price"].tolist() == [25 * 100_100]
    assert board.is_over
    assert [row[4] for row in candles_of(board, INDEX_TOKEN)] == [25 * 1001.0]
    with pytest.raises(ValueError, match="over"):
        board.advance()


def test_a_late_tick_of_a_stocks_last_second_still_comes(calendar: Calendar) -> None:
    close_ms = calendar.sessions("NSE", DAY)[-1].close_ms
    last = Frame(close_ms, ticks((STOCK_TOKEN, close_ms - 1000, 1001.0, 30)))
    board = Board(ScriptedMarket([*second_frames(close_ms - 2000, [1000.0]), last]), calendar)
    play(board, 1)
    assert board.advance().full["last_price"].tolist() == [100_100]
    assert candles_of(board, STOCK_TOKEN)[-1][4:] == [1001.0, 30]


def test_where_options_trade_longer_indices_close_after_them(
    calendar: Calendar,
) -> None:
    day = date(2026, 8, 4)
    cash, options = (calendar.sessions(name, day)[-1].close_ms for name in ("NSE", "NFO"))
    quiet = [Frame(at_ms, TickColumns.empty()) for at_ms in range(cash, options + 5000, 1000)]
    market = ScriptedMarket([*second_frames(cash - 1000, [1000.0]), *quiet], trading_day=day)
    board = Board(market, calendar, option_seconds=1, start_ms=options - 2000)
    index, stock, option = board.instruments
    assert [board.is_open(one, cash) for one in (index, stock, option)] == [False, False, True]
    kinds = [(rows.index.size, rows.full.size) for rows in (board.advance() for _ in range(7))]
    assert kinds == [(0, 1)] * 2 + [(1, 0)] * 5
    assert board.is_over
    assert len(candles_of(board, option.instrument_token)) == 11
    assert len(candles_of(board, index.instrument_token)) == 1


def test_quotes_have_the_keys_and_types_of_kites_own(calendar: Calendar, open_ms: int) -> None:
    board = scripted(calendar, [1000.0, 1002.0], open_ms)
    play(board, 2)
    quotes = board.quotes(["NSE:INFY", "NSE:NIFTY 50", "408065", "NSE:TCS", "77", "INFY", ""])
    assert list(quotes) == ["NSE:INFY", "NSE:NIFTY 50", "408065"]
    assert quotes["408065"] == quotes["NSE:INFY"]
    stock = quotes["NSE:INFY"]
    assert stock["timestamp"] == stock["last_trade_time"] == "2026-06-10 09:15:01"
    assert (stock["net_change"], stock["volume"], stock["average_price"]) == (2.0, 20, 1001.0)
    assert (stock["lower_circuit_limit"], stock["upper_circuit_limit"]) == (900.0, 1100.0)
    assert set(quotes["NSE:NIFTY 50"]) == {
        "instrument_token",
        "timestamp",
        "last_price",
        "net_change",
        "ohlc",
    }
    assert board.ltp(["NSE:INFY"]) == {
        "NSE:INFY": {"instrument_token": 408065, "last_price": 1002.0}
    }
    assert board.ohlc(["NSE:INFY"])["NSE:INFY"]["ohlc"] == stock["ohlc"]


def test_circuit_limits_are_around_the_close_of_stocks_and_the_premium_of_options(
    calendar: Calendar, open_ms: int
) -> None:
    board = scripted(calendar, [1000.0, 400.0], open_ms, closes={"INFY": 1234.55})
    board.advance()
    assert board.circuit_limits(STOCK_TOKEN) == (1111.1, 1358.0)
    assert board.circuit_limits(OPTION_TOKEN) == (0.05, 500.0)
    assert board.circuit_limits(INDEX_TOKEN) == (0.0, 0.0)
    board.advance()
    assert board.circuit_limits(OPTION_TOKEN) == (0.05, 200.0)
    assert board.previous_close(STOCK_TOKEN) == 1234.55
    assert board.previous_close(INDEX_TOKEN) == 0
    with pytest.raises(NotFound):
        board.previous_close(1)


def test_a_cheap_option_may_rise_by_many_times_its_premium(
    calendar: Calendar, open_ms: int
) -> None:
    board = scripted(calendar, [100.0], open_ms)
    board.advance()
    assert board.circuit_limits(OPTION_TOKEN) == (0.05, 110.0)


def test_options_close_where_their_underlyings_closes_put_them(
    clean: SyntheticMarket, calendar: Calendar
) -> None:
    board = Board(clean, calendar)
    closes = clean.previous_closes()
    calls = [one for one in clean.contracts if one.instrument_type == "CE" and one.name == "NIFTY"]
    cheap, dear = calls[0], max(calls, key=lambda one: (one.expiry == calls[0].expiry, one.strike))
    assert board.previous_close(clean.underlyings[0].instrument_token) in closes.values()
    assert (
        board.previous_close(cheap.instrument_token)
        > board.previous_close(dear.instrument_token)
        > 0
    )
    last = board.ltp([cheap.key])[cheap.key]["last_price"]
    assert last == board.previous_close(cheap.instrument_token)


def test_candles_of_earlier_days_come_before_those_of_this_one(
    small: SyntheticMarket, played: Board, calendar: Calendar
) -> None:
    stock = small.underlyings[-1]
    earlier = [(day, one) for day, inst, one in small.history() if inst == stock]
    from_ms = calendar.sessions("NSE", earlier[-2][0])[0].open_ms
    rows = played.historical(stock.instrument_token, "minute", from_ms, played.now_ms)["candles"]
    expected = [price for _, one in earlier[-2:] for price in closes_of(one)]
    assert [row[4] for row in rows[:-11]] == expected
    days = played.historical(stock.instrument_token, "day", 0, played.now_ms)["candles"]
    assert [row[0][:10] for row in days] == [*(f"{day}" for day, _ in earlier), f"{DAY}"]
    assert played.historical(stock.instrument_token, "minute", 0, 1)["candles"] == []


def closes_of(candles: MinuteCandles) -> list[float]:
    closes: list[float] = candles["close"].tolist()
    return closes


def test_the_day_so_far_agrees_with_its_quote(small: SyntheticMarket, played: Board) -> None:
    for one in (*small.underlyings, *small.contracts[:5]):
        *_, today = played.historical(one.instrument_token, "day", 0, played.now_ms)["candles"]
        quote = played.quotes([one.key])[one.key]
        ohlc = quote["ohlc"]
        assert today[1:4] == [ohlc["open"], ohlc["high"], ohlc["low"]]
        assert today[4:] == [quote["last_price"], quote.get("volume", 0)]


def test_history_of_nothing_listed_or_of_futures_is_refused(
    calendar: Calendar, open_ms: int
) -> None:
    board = scripted(calendar, [1000.0], open_ms)
    with pytest.raises(InputError, match="token"):
        board.historical(1, "minute", 0, 1)
    with pytest.raises(InputError, match="futures"):
        board.historical(STOCK_TOKEN, "minute", 0, 1, continuous=True)
    with pytest.raises(InputError, match="60 days"):
        board.historical(STOCK_TOKEN, "minute", 0, open_ms, span_days={"minute": 60})


def test_the_dump_lists_all_instruments_or_those_of_an_exchange(
    calendar: Calendar, open_ms: int
) -> None:
    board = scripted(calendar, [1000.0], open_ms)
    every = read_dump(board.instruments_csv().encode(), "all").instruments
    assert every == tuple(board.instruments)
    options = read_dump(board.instruments_csv("NFO").encode(), "NFO").instruments
    assert [one.instrument_token for one in options] == [OPTION_TOKEN]
    with pytest.raises(NotFound, match="MOON"):
        board.instruments_csv("MOON")


def test_an_empty_market_day_is_over_at_once(calendar: Calendar) -> None:
    board = Board(ScriptedMarket([]), calendar)
    assert board.is_over
    assert board.quotes(["NSE:INFY"])["NSE:INFY"]["timestamp"] == "1970-01-01 05:30:00"
