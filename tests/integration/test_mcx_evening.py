"""A day with MCX from the broker's frames to candles: its evening, and the shares that share it."""

import asyncio
from datetime import date

import pytest

from libs.events.candles import Candle, CandleBatch
from libs.events.event import utc_from_ms
from libs.market.calendar import IST, load_calendar
from libs.market.instruments import Instrument
from libs.runtime.testing import ServiceHarness
from services.candle.service import make_service as make_candle
from services.candle.settings import CandleSettings
from services.ingest.domain.history import HistoryRules
from services.ingest.domain.universe_rules import CommodityRules, UniverseRules
from services.ingest.live_feed import LiveFeed
from services.ingest.pace import unpaced
from services.ingest.service import make_service as make_ingest
from tests.unit.services.ingest.contracts import CRUDE_JUNE
from tests.unit.services.ingest.test_evening_feed import Account, Stream, Ticks, ms, named

NIFTY = named("NIFTY 50")
RULES = UniverseRules(("NSE:NIFTY 50",), commodity=CommodityRules(("CRUDEOIL",)))


def market(day: date) -> list[Ticks]:
    """A tick of the near future and of the index every five minutes from 08:55 to 23:55."""
    start = ms(day, 8, 55)
    return [
        Ticks(one.instrument_token, start + 60_000 * minute + 20_000, price + minute)
        for minute in range(0, 15 * 60 + 4, 5)
        for one, price in ((NIFTY, 25_000.0), (near_future(day), 6_000.0))
    ]


def near_future(day: date) -> Instrument:
    return named("CRUDEOIL26JUN18FUT" if day <= CRUDE_JUNE else "CRUDEOIL26JUL20FUT")


async def candles_of(day: date) -> list[Candle]:
    """Play a day through ingest and candle; return all candles."""
    feed = LiveFeed(
        Account(ms(day, 8, 50)),
        lambda: Stream(market(day)),
        RULES,
        HistoryRules(days=1),
        load_calendar(),
        "kite",
        clock="feed",
    )
    async with (
        ServiceHarness(lambda parts: make_candle(CandleSettings(), parts)) as candle,
        ServiceHarness(lambda parts: make_ingest(feed, parts, unpaced), bus=candle.bus) as ingest,
    ):
        ingest.runner.start_tasks()
        await ingest.runner.tasks_done()
        await candle.bus.idle()
        events = await candle.published("candles")
    return [one for event in events if isinstance(event, CandleBatch) for one in event.candles()]


def opens(candles: list[Candle], exchange: str, interval: str) -> list[str]:
    chosen = [one for one in candles if (one.exchange, one.interval) == (exchange, interval)]
    return [f"{utc_from_ms(one.opened_ms).astimezone(IST):%H:%M}" for one in chosen]


@pytest.mark.parametrize(
    ("day", "mcx", "nse", "close"),
    [
        (date(2026, 6, 26), ("17:00", "23:15", 26), None, (23, 30)),
        (date(2026, 3, 6), ("09:00", "23:45", 60), ("09:15", "15:15", 25), (23, 55)),
    ],
    ids=["holiday with an evening", "winter"],
)
def test_candles_of_mcx_begin_with_its_open_and_end_with_its_evening(
    day: date,
    mcx: tuple[str, str, int],
    nse: tuple[str, str, int] | None,
    close: tuple[int, int],
) -> None:
    candles = asyncio.run(candles_of(day))
    quarters = opens(candles, "MCX", "15m")
    assert (quarters[0], quarters[-1], len(quarters)) == mcx
    (daily,) = [one for one in candles if (one.exchange, one.interval) == ("MCX", "day")]
    assert daily.closes_ms == ms(day, *close)
    future = near_future(day)
    assert (daily.tradingsymbol, daily.expiry) == (future.tradingsymbol, future.expiry)
    of_shares = opens(candles, "NSE", "15m")
    assert (of_shares[0], of_shares[-1], len(of_shares)) == nse if nse else of_shares == []
