"""A year of recorded 15-minute candles, and how signals are compared with other computations."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from libs.events.candles import Candle, Interval, length_ms
from libs.events.event import ms_from_utc
from libs.events.signals import StrategySignal
from libs.market.calendar import IST
from libs.strategy.instance import StrategyInstance
from libs.strategy.strategy import Strategy

SYMBOLS = ("INFY", "RELIANCE", "SBIN", "NIFTYBANK", "NIFTYFINSERVICE")
TOLERANCE = 0.005
"""Rupees by which prices of two computations may differ."""
_STEP = pd.Timedelta(minutes=15)


@dataclass(frozen=True)
class Recorded:
    """Candles of a symbol: columns timestamp, closes, day, open, high, low, close, volume."""

    symbol: str
    frame: pd.DataFrame

    @cached_property
    def candles(self) -> tuple[Candle, ...]:
        return candles_of(self.frame, self.symbol, "15m")

    @cached_property
    def hours(self) -> pd.DataFrame:
        """The same as candles of 60 minutes from 09:15 on; the last one of a day is short."""
        clock = self.frame["timestamp"].dt
        hour = (clock.hour * 60 + clock.minute - (9 * 60 + 15)) // 60
        grouped = self.frame.groupby([self.frame["day"], hour])
        made = grouped.agg(
            timestamp=("timestamp", "first"),
            closes=("closes", "last"),
            day=("day", "first"),
            open=("open", "first"),
            high=("high", "max"),
            low=("low", "min"),
            close=("close", "last"),
            volume=("volume", "sum"),
        )
        return made.reset_index(drop=True)

    @cached_property
    def both(self) -> list[Candle]:
        """Candles of 15 and of 60 minutes as they close; of those that close together 15 first."""
        made = [*self.candles, *candles_of(self.hours, self.symbol, "60m")]
        return sorted(made, key=lambda one: (one.closes_ms, length_ms(one.interval)))


def read_recorded(folder: Path, symbol: str) -> Recorded:
    frame = pd.read_csv(folder / f"{symbol}_2024-04_2025-03.csv.gz", parse_dates=["timestamp"])
    frame["closes"] = frame["timestamp"] + _STEP
    frame["day"] = frame["timestamp"].dt.normalize()
    return Recorded(symbol, frame)


def candles_of(frame: pd.DataFrame, symbol: str, interval: Interval) -> tuple[Candle, ...]:
    numbers = zip(*(frame[name].tolist() for name in _NUMBERS), strict=True)
    times = zip(epoch_ms(frame["timestamp"]), epoch_ms(frame["closes"]), strict=True)
    return tuple(
        Candle(
            exchange="NSE",
            tradingsymbol=symbol,
            expiry=None,
            instrument_token=0,
            opened_ms=opened_ms,
            closes_ms=closes_ms,
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=volume,
            vwap=None,
            ticks=1,
            oi=0,
            cumulative_volume=0,
            revision=0,
            interval=interval,
            source="live",
            trading_day=day.date(),
        )
        for (opened_ms, closes_ms), (opened, high, low, close, volume), day in zip(
            times, numbers, frame["day"], strict=True
        )
    )


def fed(strategy: Strategy, candles: Iterable[Candle]) -> list[StrategySignal]:
    """Feed candles of one instrument, as the service does; return the signals."""
    instance = StrategyInstance(strategy)
    return [signal for candle in candles if (signal := instance.take(candle)) is not None]


def frame_of(signals: Iterable[StrategySignal]) -> pd.DataFrame:
    rows = [
        (ms_from_utc(one.candle_opened_at), one.action, one.price, one.stop_loss, one.target)
        for one in signals
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def expected(
    frame: pd.DataFrame,
    *,
    buys: pd.Series,
    sells: pd.Series,
    history: int,
    price: pd.Series,
    stop_loss: pd.Series,
    target: pd.Series,
) -> pd.DataFrame:
    """Return the signals of an independent computation: one value for each candle of the frame."""
    either = (buys | sells) & (np.arange(len(frame)) >= history)
    action = pd.Series(np.where(buys, "BUY", "SELL"), index=frame.index)
    opened = pd.Series(epoch_ms(frame["timestamp"]), index=frame.index)
    columns = (opened, action, price, stop_loss, target)
    made = pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))
    return made[either].reset_index(drop=True)


def assert_same(ours: pd.DataFrame, theirs: pd.DataFrame, least: int) -> None:
    """Compare candles and actions exactly, and prices; there must be `least` signals or more."""
    assert len(theirs) >= least
    for name in ("opened_ms", "action"):
        assert ours[name].tolist() == theirs[name].tolist()
    for name in ("price", "stop_loss", "target"):
        assert np.abs(ours[name] - theirs[name]).max() <= TOLERANCE, name


def epoch_ms(times: pd.Series) -> list[int]:
    utc = times.dt.tz_localize(IST).dt.tz_convert("UTC").dt.tz_localize(None)
    milliseconds: list[int] = utc.astype("datetime64[ms]").astype("int64").tolist()
    return milliseconds


COLUMNS = ("opened_ms", "action", "price", "stop_loss", "target")
_NUMBERS = ("open", "high", "low", "close", "volume")
