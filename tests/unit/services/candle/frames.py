"""Instruments, frames and candles for tests of the candle service."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

import numpy as np

from libs.events.candles import Candle, CandleBatch
from libs.events.event import identity, utc_from_ms
from libs.events.instruments import InstrumentListed
from libs.events.ticks import TickBatch, TickColumns
from libs.market.calendar import load_calendar
from services.candle.domain.aggregator import CandleAggregator
from services.candle.domain.session_candles import CandleRules

DAY = date(2026, 6, 17)
OPEN = load_calendar().sessions("NSE", DAY)[0].open_ms
CLOSE = load_calendar().sessions("NSE", DAY)[0].close_ms
MINUTE = 60_000
Tick = tuple[int, int, float, int]
"""Number of the instrument, epoch ms, price, cumulative volume."""


def token(number: int) -> int:
    return (1000 + number) * 256 + 1


def aggregator(instruments: int = 4, rules: CandleRules | None = None) -> CandleAggregator:
    made = CandleAggregator(load_calendar(), rules or CandleRules(), ["NSE"])
    for number in range(instruments):
        made.list_instrument(listed(number))
    return made


def listed(number: int, segment: str = "NSE") -> InstrumentListed:
    return InstrumentListed(
        event_id=identity("listed", number),
        occurred_at=utc_from_ms(OPEN),
        trading_day=DAY,
        correlation_id=identity("listed", number),
        instrument_token=token(number),
        exchange_token=1000 + number,
        tradingsymbol=f"S{number}",
        name=f"S{number}",
        expiry=None,
        strike=0.0,
        tick_size=Decimal("0.05"),
        lot_size=1,
        instrument_type="EQ",
        segment=segment,
        exchange="NSE" if segment == "INDICES" else segment.partition("-")[0],
    )


def frame(
    ticks: Sequence[Tick], clock_ms: int, partition: int = 0, received_ms: int | None = None
) -> TickBatch:
    columns = TickColumns(
        instrument_token=np.array([token(number) for number, *_ in ticks], np.uint32),
        exchange_timestamp=np.array([at for _, at, _, _ in ticks], np.int64),
        last_price=np.array([price for _, _, price, _ in ticks], np.float64),
        volume_traded=np.array([volume for *_, volume in ticks], np.int64),
    )
    return TickBatch(
        event_id=identity("frame", clock_ms, partition, len(ticks)),
        occurred_at=utc_from_ms(clock_ms),
        trading_day=DAY,
        correlation_id=identity("frame"),
        source="test",
        connection=0,
        sequence=1,
        partition=partition,
        clock_ms=clock_ms,
        received_ms=CLOSE + MINUTE if received_ms is None else received_ms,
        columns=columns,
    )


def candles_of(events: Iterable[object]) -> list[Candle]:
    return [c for event in events if isinstance(event, CandleBatch) for c in event.candles()]


def play(made: CandleAggregator, *frames: TickBatch) -> list[Candle]:
    return [candle for one in frames for candle in candles_of(made.on_ticks(one))]
