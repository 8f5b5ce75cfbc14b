"""How long strategies take when the candles of 9,000 instruments close at once.

From the bytes of the eight partitions' batches to events, by the service's own handler. Beside it
stands a plain loop over the same candles that calls the same strategies, with nothing around it.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import date

import numpy as np
import structlog
from prometheus_client import CollectorRegistry

from libs.events.candles import Candle, CandleBatch, CandleColumns
from libs.events.codec import decode, encode
from libs.events.event import Event
from libs.market.calendar import load_calendar
from libs.runtime.metrics import StrategyMetrics
from libs.strategy.strategy import Strategy
from services.strategy.domain.host import StrategyHost
from services.strategy.domain.strategies.ma_crossover import MaCrossover
from services.strategy.domain.strategies.rsi import Rsi
from services.strategy.domain.strategies.vwap_reversion import VwapReversion
from services.strategy.handler import StrategyHandler

INSTRUMENTS, PARTITIONS, CLOSES, MEASURED = 9000, 8, 24, 5
DAY = date(2026, 6, 17)
OPEN_MS = load_calendar().sessions("NSE", DAY)[0].open_ms
STEP_MS = 15 * 60_000
STRATEGIES: tuple[type[Strategy], ...] = (MaCrossover, Rsi, VwapReversion)


def measure() -> dict[str, float]:
    """Return milliseconds for one close: of the service's handler, and of the plain loop."""
    market = closes()
    handled, looped = asyncio.run(_handled(market)), _looped(market)
    return {
        "minute_boundary_ms": min(handled[-MEASURED:]),
        "minute_boundary_loop_ms": min(looped[-MEASURED:]),
        "minute_boundary_vs_loop": min(handled[-MEASURED:]) / min(looped[-MEASURED:]),
    }


def closes(seed: int = 1) -> list[list[bytes]]:
    """Return the batches of each close, a partition each, as they are on the bus."""
    chance = np.random.default_rng(seed)
    prices = 1000 * np.exp(np.cumsum(chance.normal(0, 0.002, (CLOSES, INSTRUMENTS)), axis=0))
    return [
        [encode(_batch(number, partition, prices[number])) for partition in range(PARTITIONS)]
        for number in range(CLOSES)
    ]


def _batch(number: int, partition: int, prices: np.ndarray) -> CandleBatch:
    opened_ms = OPEN_MS + number * STEP_MS
    rows = range(partition, INSTRUMENTS, PARTITIONS)
    candles = [_candle(row, opened_ms, float(prices[row])) for row in rows]
    return CandleBatch.live(partition, "15m", opened_ms + STEP_MS, DAY, CandleColumns.of(candles))


def _candle(row: int, opened_ms: int, price: float) -> Candle:
    return Candle(
        exchange="NSE",
        tradingsymbol=f"SHARE{row}",
        expiry=None,
        instrument_token=row << 8,
        opened_ms=opened_ms,
        closes_ms=opened_ms + STEP_MS,
        open=price,
        high=1.001 * price,
        low=0.999 * price,
        close=price,
        volume=1000,
        vwap=price,
        ticks=900,
        oi=0,
        cumulative_volume=1000,
        revision=0,
        interval="15m",
        source="live",
        trading_day=DAY,
    )


async def _handled(market: Sequence[Sequence[bytes]]) -> list[float]:
    host = StrategyHost(STRATEGIES)
    metrics = StrategyMetrics(CollectorRegistry())
    handler = StrategyHandler(host, metrics, structlog.get_logger())
    made: list[Event] = []

    async def emit(*events: Event) -> None:
        made.extend(events)

    taken = []
    for values in market:
        began = time.perf_counter()
        for value in values:
            await handler.handle(decode("candles", value), emit)
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def _looped(market: Sequence[Sequence[bytes]]) -> list[float]:
    made = [
        {f"SHARE{row}": one(history_needed=0) for row in range(INSTRUMENTS)}  # type: ignore[call-arg]
        for one in STRATEGIES
    ]
    taken = []
    for values in market:
        batches = [decode("candles", value) for value in values]
        candles = [c for one in batches if isinstance(one, CandleBatch) for c in one.candles()]
        began = time.perf_counter()
        for strategies in made:
            for candle in candles:
                strategies[candle.tradingsymbol].on_candle(candle)
        taken.append((time.perf_counter() - began) * 1000)
    return taken
