"""Ticks of 9,000 instruments, a trade of each in every minute, for benches of candles."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from libs.events.event import identity, utc_from_ms
from libs.events.instruments import InstrumentListed
from libs.events.ticks import TickBatch, TickColumns
from libs.events.topics import MARKET_PARTITIONS
from libs.market.instruments import partition_of
from tests.bench.shares import DAY, OPEN_MS, listed_share

INSTRUMENTS, MINUTE_MS = 9000, 60_000
MINUTES = 375


def token(number: int) -> int:
    """Return the token of an instrument of NSE."""
    return (1000 + number) * 256 + 1


def listed(number: int) -> InstrumentListed:
    """Return an instrument's listing."""
    return listed_share(token(number))


@lru_cache(maxsize=1)
def _tokens() -> list[np.ndarray]:
    every = np.array([token(number) for number in range(INSTRUMENTS)], np.uint32)
    partition = np.asarray(partition_of(every.astype(np.int64), MARKET_PARTITIONS))
    return [every[partition == number] for number in range(MARKET_PARTITIONS)]


def trades_of(minute: int, second: int = 1) -> Iterator[TickBatch]:
    """Yield a batch per partition at a second of a minute of the day."""
    at_ms = OPEN_MS + minute * MINUTE_MS + second * 1000
    for partition, tokens in enumerate(_tokens()):
        count = len(tokens)
        columns = TickColumns(
            instrument_token=tokens,
            exchange_timestamp=np.full(count, at_ms),
            last_price=100 + np.arange(count) % 7 * 0.05 + minute * 0.05,
            volume_traded=np.full(count, 60 * minute + second + 1),
        )
        yield batch_of(partition, at_ms, columns)


def batch_of(partition: int, clock_ms: int, columns: TickColumns) -> TickBatch:
    """Return ticks of a partition that come when the clock is so far (epoch ms)."""
    return TickBatch(
        event_id=identity("bench", partition, clock_ms),
        occurred_at=utc_from_ms(clock_ms),
        trading_day=DAY,
        correlation_id=identity("bench", clock_ms),
        source="bench",
        connection=0,
        sequence=clock_ms - OPEN_MS,
        partition=partition,
        clock_ms=clock_ms,
        received_ms=clock_ms + 50,
        columns=columns,
    )
