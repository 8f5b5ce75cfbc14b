"""The reply that tells the candle which is forming."""

from datetime import date, datetime
from typing import Self

from pydantic import BaseModel, ConfigDict

from libs.events.candles import Candle, Interval
from libs.events.event import utc_from_ms


class FormingCandle(BaseModel):
    """A candle that is not closed yet: prices in rupees, volume in units, times in UTC.

    Past `closes_at` it waits for the grace, or for the feed's clock.
    """

    model_config = ConfigDict(frozen=True)

    exchange: str
    tradingsymbol: str
    expiry: date | None
    interval: Interval
    trading_day: date
    opened_at: datetime
    closes_at: datetime
    open: float
    high: float
    low: float
    close: float
    volume: int
    vwap: float | None
    ticks: int
    oi: int
    cumulative_volume: int

    @classmethod
    def of(cls, candle: Candle) -> Self:
        """Return the reply for a candle."""
        values = {name: getattr(candle, name) for name in cls.model_fields if hasattr(candle, name)}
        times = {"opened_at": candle.opened_ms, "closes_at": candle.closes_ms}
        return cls(**values, **{name: utc_from_ms(at_ms) for name, at_ms in times.items()})
