"""How many ticks a second become candles: tick batches as bytes in, candles of all intervals out.

Batches are those of one partition of eight, of a market of 3,000 instruments that trade all the
time. Beside it stands what numpy alone needs to open the bytes and add up one column.
"""

import time
from collections.abc import Callable, Sequence

import numpy as np

from libs.events.codec import decode, encode
from libs.events.event import identity, utc_from_ms
from libs.events.ticks import COLUMN_TYPES, TickBatch, TickColumns
from libs.market.calendar import load_calendar
from services.candle.domain.aggregator import CandleAggregator
from services.candle.domain.session_candles import CandleRules
from tests.bench.shares import DAY, OPEN_MS, listed_share

ROWS, PARTITIONS, BATCHES, RUN, REPEATS = 375, 8, 600, 30, 3


def measure() -> dict[str, float]:
    """Return ticks a second: in runs, batch by batch, and of the bytes alone; the best of a few."""
    values = [encode(batch) for batch in market()]
    runs = _best(lambda: _in_runs(values))
    reference = _best(lambda: _added_up(values))
    return {
        "candle_core_ticks_per_s": runs,
        "candle_core_one_by_one_ticks_per_s": _best(lambda: _one_by_one(values)),
        "candle_bytes_ticks_per_s": reference,
        "candle_core_vs_bytes": runs / reference,
    }


def market(seed: int = 1) -> list[TickBatch]:
    """Return ten minutes of a partition, a frame a second: each instrument ticks in each."""
    random = np.random.default_rng(seed)
    prices = 100 + np.cumsum(random.integers(-1, 2, (BATCHES, ROWS)), axis=0) * 0.05
    volumes = np.cumsum(random.integers(1, 50, (BATCHES, ROWS)), axis=0)
    return [_batch(second, prices[second], volumes[second]) for second in range(BATCHES)]


def _batch(second: int, price: np.ndarray, volume: np.ndarray) -> TickBatch:
    at_ms = OPEN_MS + second * 1000
    given = {
        "instrument_token": _tokens(),
        "exchange_timestamp": np.full(ROWS, at_ms),
        "last_price": price,
        "volume_traded": volume,
        "bid_price": price - 0.05,
        "ask_price": price + 0.05,
        "last_trade_time": np.full(ROWS, at_ms),
    }
    columns = {name: given.get(name, volume).astype(kind) for name, kind in COLUMN_TYPES.items()}
    return TickBatch(
        event_id=identity("bench", second),
        occurred_at=utc_from_ms(at_ms),
        trading_day=DAY,
        correlation_id=identity("bench", second),
        source="bench",
        connection=0,
        sequence=second,
        partition=0,
        clock_ms=at_ms,
        received_ms=at_ms + 50,
        columns=TickColumns(**columns),
    )


def _tokens() -> np.ndarray:
    """Every eighth token: those of one partition, in no order."""
    numbers = np.arange(ROWS) * PARTITIONS + 8000
    return np.random.default_rng(2).permutation(numbers * 256 + 1)


def _begun(values: Sequence[bytes]) -> CandleAggregator:
    """The day's first batch makes room for the day: it is not timed."""
    made = CandleAggregator(load_calendar(), CandleRules(), ["NSE"])
    for token in _tokens().tolist():
        made.list_instrument(listed_share(token))
    _take(_decoded(values[:1]), made)
    return made


def _decoded(values: Sequence[bytes]) -> list[TickBatch]:
    batches = [decode("ticks", value) for value in values]
    return [batch for batch in batches if isinstance(batch, TickBatch)]


def _one_by_one(values: Sequence[bytes]) -> float:
    made = _begun(values)
    started = time.perf_counter()
    for at in range(1, len(values)):
        (batch,) = _decoded(values[at : at + 1])
        made.needs_instruments(batch)
        made.on_ticks(batch)
    return time.perf_counter() - started


def _in_runs(values: Sequence[bytes]) -> float:
    made = _begun(values)
    started = time.perf_counter()
    for at in range(1, len(values), RUN):
        _take(_decoded(values[at : at + RUN]), made)
    return time.perf_counter() - started


def _take(batches: Sequence[TickBatch], made: CandleAggregator) -> None:
    while batches:
        length = made.run_length(batches)
        if length == 1:
            made.needs_instruments(batches[0])
        made.on_run(batches[:length])
        batches = batches[length:]


def _added_up(values: Sequence[bytes]) -> float:
    started = time.perf_counter()
    for value in values[1:]:
        np.frombuffer(value, "<i8", ROWS, len(value) - 8 * ROWS).sum()
    return time.perf_counter() - started


def _best(seconds: Callable[[], float]) -> float:
    return (BATCHES - 1) * ROWS / min(seconds() for _ in range(REPEATS))
