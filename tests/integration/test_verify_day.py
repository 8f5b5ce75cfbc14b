"""`alphastocks verify-day`: live candles that are stored, against what the broker has."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

import services
from libs.broker.port.market import HistoricalCandle
from libs.events.candles import Candle, CandleBatch, CandleColumns, Interval
from libs.events.event import utc_from_ms
from libs.market.calendar import load_calendar
from libs.market.dump import Dump
from libs.market.instruments import Instrument
from libs.runtime.settings import SettingsError
from libs.store.clickhouse import ClickHouseStore
from libs.store.migrate import apply, discover
from libs.store.store import StoreAddress
from libs.strategy.harness import make_candles
from services.candle.domain.rows import historical_data
from services.local.commands.verify_day import last_closed_day
from services.simulator.domain.market.underlyings import DEFAULT_UNIVERSE
from tests.integration.commands import alphastocks, settings_file

SERVICES = Path(services.__file__).parent
SBIN = next(one.instrument() for one in DEFAULT_UNIVERSE if one.tradingsymbol == "SBIN")
DAY = date(2026, 6, 17)
BEFORE = [100.0] * 60 + [99.0] * 15
TODAY = [98.0, 98.0, 104.0, 105.0, 106.0]
CANDLES = make_candles([*BEFORE, *TODAY], tradingsymbol="SBIN", first_day=date(2026, 6, 12))
HISTORY = [one._replace(source="backfill") for one in CANDLES[:75]]
LIVE = [one._replace(source="live") for one in CANDLES[75:]]
SETTINGS = """
[strategy]
strategies = [{ name = "ma_crossover", parameters = { history_needed = 30 } }]
[ingest.history]
intervals = ["15m"]
days = 10
[kite]
api_key = "key"
"""


@dataclass
class Broker:
    """Has candles of the day, and the dump with SBIN."""

    candles_: Sequence[Candle]
    listed: Sequence[Instrument] = (SBIN,)

    async def instruments(self, exchange: str) -> Dump:
        return Dump(tuple(one for one in self.listed if one.exchange == exchange))

    async def candles(
        self, instrument_token: int, interval: Interval, from_at: datetime, to_at: datetime
    ) -> list[HistoricalCandle]:
        assert (instrument_token, interval) == (SBIN.instrument_token, "15m")
        return [
            HistoricalCandle(
                utc_from_ms(one.opened_ms), one.open, one.high, one.low, one.close, one.volume
            )
            for one in self.candles_
            if from_at <= utc_from_ms(one.opened_ms) <= to_at
        ]

    async def close(self) -> None:
        """Have nothing to close."""


Verify = Callable[..., int]


@pytest.fixture
def verify(
    store: ClickHouseStore,
    database: StoreAddress,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Verify:
    """Store history and live candles; return what runs the command with a broker."""
    asyncio.run(apply(store, discover(SERVICES)))
    for candles in (HISTORY, LIVE):
        insert(store, candles)
    config = settings_file(tmp_path, database, SETTINGS)
    monkeypatch.chdir(tmp_path)

    def run(broker: Broker, *words: str) -> int:
        monkeypatch.setattr("services.local.commands.verify_day._market", lambda _: broker)
        return alphastocks(monkeypatch, "verify-day", DAY, "--config", config, *words)

    return run


def insert(store: ClickHouseStore, candles: Sequence[Candle]) -> None:
    """Insert candles as the candle service's writer does, a day at a time."""
    for day in sorted({one.trading_day for one in candles}):
        rows = CandleColumns.of(one for one in candles if one.trading_day == day)
        batch = CandleBatch.live(0, "15m", 0, day, rows)
        batch = batch.model_copy(update={"source": candles[0].source})
        asyncio.run(store.insert("historical_data", historical_data(batch)))


def stored(store: ClickHouseStore) -> list[tuple[str, float, int]]:
    """The candles of 09:45 of the day: source, close and revision."""
    found = asyncio.run(
        store.query(
            "SELECT source, close, revision FROM historical_data FINAL "
            "WHERE trading_day = %(day)s AND opened_at = %(at)s ORDER BY source",
            {"day": DAY, "at": utc_from_ms(LIVE[2].opened_ms)},
        )
    )
    return list(zip(*found.values(), strict=True))


def other() -> Broker:
    """A broker whose candle of 09:45 did not close at 104: there is no crossing then."""
    candles = list(LIVE)
    candles[2] = candles[2]._replace(close=98.0, low=98.0)
    return Broker(candles)


def test_a_day_that_is_the_same_is_said_so(
    verify: Verify, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(Broker(LIVE)) == 0
    assert "2026-06-17: 5 candles are the same, 0 differ; 0 signals" in capsys.readouterr().err


def test_what_differs_is_shown_with_both_values_and_the_signals_that_follow(
    verify: Verify, store: ClickHouseStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(other()) == 1
    said = capsys.readouterr()
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in said.out.splitlines()]
    assert ["NSE:SBIN", "15m", "09:45", "close", "104", "98", "6"] in rows
    assert ["10:00", "NSE:SBIN", "ma_crossover", "BUY", "would not have been given"] in rows
    assert ["10:15", "NSE:SBIN", "ma_crossover", "BUY", "was missed"] in rows
    assert "4 candles are the same, 1 differ; 2 signals would have been different" in said.err
    assert stored(store) == [("live", 104.0, 0)], "nothing is written unless it is asked for"


def test_corrections_are_stored_as_revisions_of_the_brokers_and_ours_stay(
    verify: Verify, store: ClickHouseStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(other(), "--correct") == 0
    assert "1 candles of the broker are stored as revisions" in capsys.readouterr().err
    assert stored(store) == [("backfill", 98.0, 1), ("live", 104.0, 0)]


def test_an_instrument_that_is_not_listed_any_more_is_named_and_not_compared(
    verify: Verify, capsys: pytest.CaptureFixture[str]
) -> None:
    renamed = replace(SBIN, tradingsymbol="STATEBANK")
    assert verify(Broker(LIVE, [renamed])) == 0
    assert "NSE:SBIN: the broker does not list it any more" in capsys.readouterr().err


def test_a_day_without_live_candles_is_one_line(
    verify: Verify, capsys: pytest.CaptureFixture[str], store: ClickHouseStore
) -> None:
    asyncio.run(store.execute("TRUNCATE TABLE historical_data"))
    assert verify(Broker(LIVE)) == 2
    assert "2026-06-17: no live candles are stored" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("now", "day"),
    [
        (datetime(2026, 6, 17, 10, 1, tzinfo=UTC), DAY),  # 15:31 in India
        (datetime(2026, 6, 17, 9, 59, tzinfo=UTC), date(2026, 6, 16)),
        (datetime(2026, 6, 21, 12, tzinfo=UTC), date(2026, 6, 19)),
    ],
)
def test_the_default_is_the_last_day_that_has_closed(now: datetime, day: date) -> None:
    assert last_closed_day(load_calendar(), now) == day


def test_after_the_calendars_end_a_day_has_to_be_named() -> None:
    with pytest.raises(SettingsError, match="name a day"):
        last_closed_day(load_calendar(), datetime(2040, 1, 2, tzinfo=UTC))
