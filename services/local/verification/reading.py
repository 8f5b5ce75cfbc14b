"""A day's candles: ours from the database, the broker's by request."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from libs.broker.port.market import MarketData
from libs.events.candles import Candle, Interval
from libs.market.calendar import Calendar, day_span_ms, midnight
from libs.market.instruments import Instrument
from libs.store.store import Store
from services.ingest.domain.history import FetchedCandles, batches_of
from services.strategy.history import CANDLE_COLUMNS, candles_of

_LIVE = f"""
SELECT {CANDLE_COLUMNS} FROM historical_data FINAL
WHERE source = 'live' AND trading_day = %(day)s AND interval IN %(intervals)s
ORDER BY exchange, tradingsymbol, expiry, interval, opened_at
"""  # noqa: S608  a constant


@dataclass(frozen=True, slots=True)
class BrokersDay:
    """The broker's candles of a day, and our instruments that it does not list."""

    candles: tuple[Candle, ...]
    unlisted: tuple[str, ...]


async def live_candles(store: Store, day: date, intervals: Sequence[Interval]) -> list[Candle]:
    """Return our live candles of a day, each in its last revision."""
    found = await store.query(_LIVE, {"day": day, "intervals": tuple(intervals)})
    return candles_of(found)


async def brokers_day(
    market: MarketData,
    ours: Iterable[Candle],
    day: date,
    calendar: Calendar,
    on_done: Callable[[], None] = lambda: None,
) -> BrokersDay:
    """Ask the broker for the candles of a day, of the instruments and intervals that we have."""
    wanted = sorted({(one.key, one.interval) for one in ours})
    listed = await _listed(market, {key.partition(":")[0] for key, _ in wanted})
    found: list[Candle] = []
    for key, interval in wanted:
        if key in listed:
            found += await _candles(market, listed[key], interval, day, calendar)
        on_done()
    unlisted = tuple(sorted({key for key, _ in wanted} - listed.keys()))
    return BrokersDay(tuple(found), unlisted)


async def _listed(market: MarketData, exchanges: Iterable[str]) -> Mapping[str, Instrument]:
    dumps = [await market.instruments(exchange) for exchange in sorted(exchanges)]
    return {one.key: one for dump in dumps for one in dump.instruments}


async def _candles(
    market: MarketData, instrument: Instrument, interval: Interval, day: date, calendar: Calendar
) -> list[Candle]:
    first, last = midnight(day), midnight(day + timedelta(days=1)) - timedelta(seconds=1)
    candles = await market.candles(instrument.instrument_token, interval, first, last)
    fetched = FetchedCandles(instrument, interval, candles)
    batches = batches_of([fetched], day_span_ms(day)[1], calendar, 1)
    return [candle for batch in batches for candle in batch.candles()]
