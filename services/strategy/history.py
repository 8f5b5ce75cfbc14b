"""Stored candles for the warm-up: StrategyDataManager's read side."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import structlog

from libs.events.bus import Bus
from libs.events.candles import Candle, Interval
from libs.events.control import HistoryLoaded
from libs.events.event import ms_from_utc
from libs.runtime.past import past_events
from libs.store.store import Store

_COUNT = """
SELECT count() AS stored FROM historical_data FINAL
WHERE source = 'backfill' AND trading_day IN %(days)s
"""
CANDLE_COLUMNS = (
    "exchange, tradingsymbol, expiry, interval, opened_at, closes_at, trading_day, open, high, "
    "low, close, volume, vwap, ticks, oi, cumulative_volume, revision, source"
)
"""What `candles_of` needs of `historical_data`."""
_CANDLES = f"""
SELECT {CANDLE_COLUMNS}
FROM historical_data FINAL
WHERE source = 'backfill' AND trading_day IN %(days)s AND interval = %(interval)s
ORDER BY exchange, tradingsymbol, expiry, opened_at DESC
LIMIT %(periods)s BY exchange, tradingsymbol, expiry
"""  # noqa: S608  a constant
_NO_EXPIRY = date(1970, 1, 1)
_POLL_SECONDS = 0.05


class CandleHistory:
    """Reads the backfill that `HistoryLoaded` announced, once it is stored."""

    def __init__(self, store: Store, periods: int, wait_seconds: float) -> None:
        self._store = store
        self._periods = periods
        self._wait_seconds = wait_seconds

    async def wait_until_stored(
        self, loaded: HistoryLoaded, log: structlog.typing.FilteringBoundLogger
    ) -> None:
        """Return when the announced candles are stored, or after `wait_seconds`."""
        deadline = asyncio.get_running_loop().time() + self._wait_seconds
        while (stored := await self._stored(loaded.days)) < loaded.candles:
            if asyncio.get_running_loop().time() > deadline:
                log.warning("history is incomplete", stored=stored, announced=loaded.candles)
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def candles(self, days: Sequence[date], interval: Interval) -> list[Candle]:
        """Return the last candles of each instrument on these days, oldest first."""
        if not days:
            return []
        parameters = {"days": tuple(days), "interval": interval, "periods": self._periods}
        found = candles_of(await self._store.query(_CANDLES, parameters))
        return sorted(found, key=lambda one: (one.opened_ms, one.key))

    async def _stored(self, days: Sequence[date]) -> int:
        if not days:
            return 0
        counted = await self._store.query(_COUNT, {"days": tuple(days)})
        return int(counted["stored"][0])


async def last_history_loaded(
    bus: Bus, log: structlog.typing.FilteringBoundLogger
) -> HistoryLoaded | None:
    """Return the last announcement on the control topic, None before the first."""
    last = None
    async for event in past_events(bus, ["control"], log):
        last = event if isinstance(event, HistoryLoaded) else last
    return last


def candles_of(columns: Mapping[str, Sequence[Any]]) -> list[Candle]:
    """Return the rows of `historical_data` as candles."""
    rows = zip(*columns.values(), strict=True)
    return [_candle(dict(zip(columns, row, strict=True))) for row in rows]


def _candle(row: dict[str, object]) -> Candle:
    values: dict[str, object] = dict(row)
    values["opened_ms"] = ms_from_utc(values.pop("opened_at"))  # type: ignore[arg-type]
    values["closes_ms"] = ms_from_utc(values.pop("closes_at"))  # type: ignore[arg-type]
    values["expiry"] = None if row["expiry"] == _NO_EXPIRY else row["expiry"]
    values["vwap"] = None if row["vwap"] != row["vwap"] else row["vwap"]
    return Candle(instrument_token=0, **values)  # type: ignore[arg-type]
