"""Queries of tables that keep repeats until they merge: a row counts once, its last one holds."""

import re
from asyncio import run
from datetime import date, timedelta
from pathlib import Path

import pytest

import services
from libs.events.candles import CandleBatch, CandleColumns, HistoryFetched, Source
from libs.events.control import HistoryLoaded
from libs.events.event import identity, utc_from_ms
from libs.store.clickhouse import ClickHouseStore
from libs.store.migrate import apply, discover
from services.candle.domain.rows import historical_data, history_fetched
from services.ingest.domain.missing_history import KeptDay, Series
from services.ingest.stored_history import kept_history
from services.local.backtest.candles.stored import stored_candles
from services.local.backtest.errors import BacktestError
from services.strategy.history import CandleHistory

SERVICES = Path(services.__file__).parent
DAY = date(2026, 6, 17)
OPEN_MS = 1_781_667_900_000
MINUTE_MS = 60_000


@pytest.fixture
def history(store: ClickHouseStore) -> CandleHistory:
    run(apply(store, discover(SERVICES)))
    run(store.execute("SYSTEM STOP MERGES historical_data"))
    return CandleHistory(store, periods=3, wait_seconds=0.3)


def insert(
    store: ClickHouseStore,
    *closes: float,
    revision: int = 0,
    source: Source = "backfill",
    symbol: str = "SBIN",
    day: date = DAY,
) -> None:
    """Insert candles of successive minutes, as the candle service's writer does."""
    event_id, count = identity("test", symbol, revision, source, day), len(closes)
    shift = (day - DAY).days * 86_400_000
    opened = tuple(OPEN_MS + shift + number * MINUTE_MS for number in range(count))
    columns = CandleColumns(
        exchange=("NSE",) * count,
        tradingsymbol=(symbol,) * count,
        expiry=(None,) * count,
        instrument_token=(779521,) * count,
        opened_ms=opened,
        closes_ms=tuple(at + MINUTE_MS for at in opened),
        open=closes,
        high=closes,
        low=closes,
        close=closes,
        volume=(10,) * count,
        vwap=(None,) * count,
        ticks=(1,) * count,
        oi=(0,) * count,
        cumulative_volume=(10,) * count,
        revision=(revision,) * count,
    )
    batch = CandleBatch(
        event_id=event_id,
        occurred_at=utc_from_ms(OPEN_MS),
        trading_day=day,
        correlation_id=event_id,
        partition=0,
        interval="1m",
        source=source,
        columns=columns,
    )
    run(store.insert("historical_data", historical_data(batch)))


def announced(candles: int, *days: date) -> HistoryLoaded:
    event_id = identity("test", candles)
    return HistoryLoaded(
        event_id=event_id,
        occurred_at=utc_from_ms(OPEN_MS),
        trading_day=DAY,
        correlation_id=event_id,
        days=days,
        candles=candles,
        gaps=(),
    )


def fetched(store: ClickHouseStore, asked_on: date, candles: int, origin: str = "kite") -> None:
    """Insert that a broker was asked for DAY, as the candle service's writer does."""
    event_id = identity("fetched", asked_on, origin)
    event = HistoryFetched(
        event_id=event_id,
        occurred_at=utc_from_ms(OPEN_MS),
        trading_day=asked_on,
        correlation_id=event_id,
        partition=0,
        origin=origin,
        exchange="NSE",
        tradingsymbol="SBIN",
        interval="1m",
        since_ms=OPEN_MS,
        until_ms=OPEN_MS + 375 * MINUTE_MS,
        days=(DAY,),
        candles=(candles,),
        expected=(375,),
    )
    run(store.insert("history_fetched", history_fetched(event)))


def closes_of(history: CandleHistory, *days: date) -> list[tuple[str, float]]:
    return [(one.tradingsymbol, one.close) for one in run(history.candles(days, "1m"))]


def test_a_candle_that_was_stored_twice_is_read_once(
    store: ClickHouseStore, history: CandleHistory
) -> None:
    for _ in range(3):
        insert(store, 1.0, 2.0)
    assert closes_of(history, DAY) == [("SBIN", 1.0), ("SBIN", 2.0)]


def test_the_highest_revision_is_read_whatever_the_order_of_the_inserts(
    store: ClickHouseStore, history: CandleHistory
) -> None:
    insert(store, 9.0, revision=2)
    insert(store, 1.0)
    insert(store, 5.0, revision=1)
    assert closes_of(history, DAY) == [("SBIN", 9.0)]


def test_the_last_periods_of_each_instrument_are_counted_without_repeats(
    store: ClickHouseStore, history: CandleHistory
) -> None:
    for symbol in ("SBIN", "ITC"):
        for _ in range(2):
            insert(store, 1.0, 2.0, 3.0, 4.0, symbol=symbol)
    expected = [(symbol, close) for close in (2.0, 3.0, 4.0) for symbol in ("ITC", "SBIN")]
    assert closes_of(history, DAY) == expected


def test_live_candles_and_other_days_are_no_history(
    store: ClickHouseStore, history: CandleHistory
) -> None:
    insert(store, 1.0)
    insert(store, 7.0, source="live")
    insert(store, 8.0, day=DAY - timedelta(days=1))
    assert closes_of(history, DAY) == [("SBIN", 1.0)]
    assert closes_of(history) == []


@pytest.mark.parametrize(("count", "is_short"), [(2, False), (3, True)])
def test_the_announced_history_is_waited_for_and_repeats_do_not_fill_it(
    store: ClickHouseStore, history: CandleHistory, count: int, is_short: bool
) -> None:
    for _ in range(2):
        insert(store, 1.0, 2.0)
    said: list[str] = []

    class Log:
        def warning(self, event: str, **_: object) -> None:
            said.append(event)

    run(history.wait_until_stored(announced(count, DAY), Log()))  # type: ignore[arg-type]
    assert said == (["history is incomplete"] if is_short else [])


def test_every_query_of_such_a_table_reads_its_final_rows() -> None:
    tables = {
        name
        for file in SERVICES.rglob("*.sql")
        for name in re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", file.read_text())
    }
    assert "historical_data" in tables
    files = [file for root in (SERVICES, SERVICES.parent / "libs") for file in root.rglob("*.py")]
    reads = [
        (file.name, found[1], found[2])
        for file in files
        for found in re.finditer(r"\b(?:FROM|JOIN)\s+(\w+)(\s+FINAL)?", file.read_text())
        if found[1] in tables
    ]
    assert reads
    assert not [(file, table) for file, table, final in reads if not final]


@pytest.mark.usefixtures("history")
def test_a_backtest_reads_each_stored_candle_once_and_the_brokers_first(
    store: ClickHouseStore,
) -> None:
    insert(store, 1.0, 2.0, 3.0, source="live")
    insert(store, 8.0, 9.0)
    insert(store, 8.5, revision=1)
    insert(store, 7.0, symbol="NIFTY BANK")
    bank, share = run(stored_candles(store, ["SBIN", "NIFTYBANK"], "1m"))
    assert (bank.key, share.key) == ("NSE:NIFTY BANK", "NSE:SBIN")
    assert share.close.tolist() == [8.5, 9.0, 3.0]
    assert share.opened_ms.tolist() == [OPEN_MS + number * MINUTE_MS for number in range(3)]
    assert share.closes_ms.tolist() == [OPEN_MS + number * MINUTE_MS for number in (1, 2, 3)]
    assert share.trading_day.tolist() == [DAY] * 3
    assert share.volume.tolist() == [10] * 3
    assert [one.vwap for one in share.candles()] == [None] * 3


@pytest.mark.usefixtures("history")
def test_a_symbol_without_stored_candles_is_named_with_the_nearest(
    store: ClickHouseStore,
) -> None:
    with pytest.raises(BacktestError, match="no candles of 1m are stored"):
        run(stored_candles(store, ["SBIN"], "1m"))
    insert(store, 1.0)
    with pytest.raises(BacktestError, match="'NSE:SBI' is not known; did you mean 'NSE:SBIN'"):
        run(stored_candles(store, ["SBI"], "1m"))


@pytest.mark.usefixtures("history")
def test_a_name_that_is_stored_as_it_is_written_comes_before_its_alias(
    store: ClickHouseStore,
) -> None:
    insert(store, 100.0, symbol="NIFTY50")
    (recorded,) = run(stored_candles(store, ["NIFTY50"], "1m"))
    insert(store, 101.0, symbol="NIFTY 50")
    both = run(stored_candles(store, ["NIFTY50", "NIFTY 50"], "1m"))
    assert [recorded.key, *(one.key for one in both)] == [
        "NSE:NIFTY50",
        "NSE:NIFTY 50",
        "NSE:NIFTY50",
    ]


@pytest.mark.usefixtures("history")
def test_ingest_knows_what_is_stored_and_what_this_market_was_asked_for(
    store: ClickHouseStore,
) -> None:
    for _ in range(2):
        insert(store, 1.0, 2.0)
        fetched(store, DAY, 1)
        fetched(store, DAY + timedelta(days=1), 2)
    insert(store, 1.0, symbol="ITC")
    insert(store, 1.0, day=DAY - timedelta(days=9))
    fetched(store, DAY + timedelta(days=2), 374, origin="another market")
    series: Series = ("NSE", "SBIN", None, "1m")
    assert run(kept_history(store, "kite", DAY, DAY)) == {
        series: {DAY: KeptDay(stored=2, had=2, asked=1)},
        ("NSE", "ITC", None, "1m"): {DAY: KeptDay(stored=1)},
    }
    assert run(kept_history(store, "a third one", DAY, DAY))[series] == {DAY: KeptDay(stored=2)}
    assert run(kept_history(None, "kite", DAY, DAY)) == {}


def test_where_the_stored_history_cannot_be_read_all_is_asked_for(store: ClickHouseStore) -> None:
    assert run(kept_history(store, "kite", DAY, DAY)) == {}, "there is no table yet"
