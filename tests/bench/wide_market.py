"""Nine thousand shares that are quoted each second: as many as three websockets carry."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from libs.events.ticks import COLUMN_TYPES, TickColumns
from libs.market.instruments import Instrument
from services.simulator.domain.market.frames import Frame
from services.simulator.domain.market.history import MinuteCandles
from tests.bench.shares import DAY, share

INSTRUMENTS, PARTITIONS, CONNECTIONS = 9000, 9, 3
_NO_OPTIONS = TickColumns(**{name: np.empty(0, kind) for name, kind in COLUMN_TYPES.items()})


@dataclass
class WideMarket:
    """A day of shares, from a time on and for so many seconds; each is traded each second."""

    start_ms: int
    seconds: int
    instruments: Sequence[Instrument] = field(
        default_factory=lambda: [
            share((number << 8) + 1, f"WIDE{number:04}") for number in range(INSTRUMENTS)
        ]
    )
    trading_day: date = DAY

    def underlying_frames(self, start_ms: int | None = None) -> Iterator[Frame]:
        """Yield a tick of each share in each second."""
        random = np.random.default_rng(1)
        tokens = np.array([one.instrument_token for one in self.instruments], "<u4")
        price = np.round(random.uniform(100, 1000, INSTRUMENTS) * 20) / 20
        volume = np.zeros(INSTRUMENTS, np.int64)
        for second in range(self.seconds):
            price = np.maximum(price + random.integers(-1, 2, INSTRUMENTS) * 0.05, 1.0)
            volume = volume + random.integers(1, 50, INSTRUMENTS)
            at_ms = self.start_ms + second * 1000
            yield Frame(at_ms, _ticks(tokens, at_ms, price, volume))

    def option_quotes(self, spots: Mapping[str, float], at_ms: int) -> TickColumns:
        """Return no options."""
        return _NO_OPTIONS

    def previous_closes(self) -> Mapping[str, float]:
        """Return no closes."""
        return {}

    def history(self) -> Iterator[tuple[date, Instrument, MinuteCandles]]:
        """Yield no history."""
        return iter(())


def _ticks(tokens: np.ndarray, at_ms: int, price: np.ndarray, volume: np.ndarray) -> TickColumns:
    lots = np.full(INSTRUMENTS, 10, np.int64)
    return TickColumns(
        instrument_token=tokens,
        exchange_timestamp=np.full(INSTRUMENTS, at_ms),
        last_price=price,
        last_traded_quantity=lots,
        average_traded_price=price,
        volume_traded=volume,
        total_buy_quantity=lots,
        total_sell_quantity=lots,
        bid_price=price - 0.05,
        bid_quantity=lots,
        ask_price=price + 0.05,
        ask_quantity=lots,
    )
