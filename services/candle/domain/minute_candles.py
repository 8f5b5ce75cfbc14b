"""The state of a trading day's candles: one cell per instrument and minute.

Cells are updated by all ticks of a run at once. Longer candles are computed from the minutes.
Volume is never summed over ticks: a candle's volume is the rise of the running maximum of the
day's cumulative volume. A minute without a trade is in no candle.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.market.instruments import Instrument
from services.candle.domain.cells import NONE, Cells
from services.candle.domain.groups import group_ends, group_starts, running_before
from services.candle.domain.opening import OpeningVolume
from services.candle.domain.run import UNKNOWN_VOLUME, Ticks
from services.candle.domain.schedule import MINUTE_MS, Span
from services.candle.domain.trades import Trades

Array = NDArray[Any]
_NO_TICK = np.zeros(0, np.bool_)
_ROW = {"base": NONE, "running": NONE, "last_at": 0, "begun": NONE}


@dataclass(frozen=True, slots=True)
class CandleValues:
    """Candles of one span, one per instrument row that had ticks. `vwap` is nan without volume."""

    row: Array
    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array
    vwap: Array
    ticks: Array
    oi: Array
    cumulative_volume: Array

    def __len__(self) -> int:
        return len(self.row)

    def take(self, chosen: Array) -> "CandleValues":
        """Return the chosen candles, in that order."""
        return CandleValues(
            row=self.row[chosen],
            open=self.open[chosen],
            high=self.high[chosen],
            low=self.low[chosen],
            close=self.close[chosen],
            volume=self.volume[chosen],
            vwap=self.vwap[chosen],
            ticks=self.ticks[chosen],
            oi=self.oi[chosen],
            cumulative_volume=self.cumulative_volume[chosen],
        )


class Defects(NamedTuple):
    """How many ticks went back in time, back in volume, or were not traded since the open."""

    time_back: int
    volume_back: int
    untraded: int


class _Advance(NamedTuple):
    rise: Array
    is_trade: Array
    is_untraded: Array
    time_back: int
    volume_back: int


class MinuteCandles:
    """Cells of a trading day's minutes; instruments are added as they appear."""

    def __init__(self, open_ms: int, minutes: int, opening: OpeningVolume) -> None:
        self._open_ms = open_ms
        self._minutes = minutes
        self._opening = opening
        self._trades = Trades(open_ms, opening)
        self._cells = Cells(minutes)
        self._rows: dict[str, Array] = {name: np.empty(0, np.int64) for name in _ROW}

    def __len__(self) -> int:
        return len(self._cells)

    def grow(self, instruments: Sequence[Instrument]) -> None:
        """Add instruments at the end."""
        count = len(instruments)
        self._cells.grow(count)
        self._opening.grow(count)
        self._trades.add(instruments)
        for name, start in _ROW.items():
            rows: Array = np.full(count, start, np.int64)
            self._rows[name] = np.concatenate([self._rows[name], rows])

    def add(self, ticks: Ticks, minute: Array) -> Defects:
        """Fold ticks, sorted by row, then arrival, into the cells of their minutes."""
        made = self._advance(ticks, minute)
        traded, is_trade = made.rise, made.is_trade
        if made.is_untraded.any():
            kept = ~made.is_untraded
            ticks, minute = ticks.take(kept), minute[kept]
            traded, is_trade = traded[kept], is_trade[kept]
        if len(ticks):
            self._merge(ticks, minute, traded, is_trade)
        return Defects(made.time_back, made.volume_back, int(made.is_untraded.sum()))

    def _merge(self, ticks: Ticks, minute: Array, traded: Array, is_trade: Array) -> None:
        turnover = ticks.price * traded
        np.add.at(self._cells["turnover"], self._cells.at(ticks.row, minute), turnover)
        order = _order_in_cells(ticks, minute)
        if order is not None:
            ticks, minute, traded = ticks.take(order), minute[order], traded[order]
            is_trade = is_trade[order]
        starts = ticks.by_row.starts
        if minute.min() != minute.max():
            starts = group_starts(ticks.row * self._minutes + minute)
        cell = self._cells.at(ticks.row[starts], minute[starts])
        since_ms = ticks.at_ms - self._open_ms - minute * MINUTE_MS
        self._cells.merge(cell, _groups(ticks, since_ms, traded, is_trade, starts))

    def values(self, span: Span, rows: Array | None = None) -> CandleValues:
        """Return the candles of a span, for all instruments or for some rows."""
        chosen = np.arange(len(self)) if rows is None else rows
        present = self._cells.span("is_traded", span, rows)
        is_any = present.any(axis=0)
        chosen, present = chosen[is_any], present[:, is_any]
        first = self._cells.at(chosen, span.start + present.argmax(axis=0))
        last = self._cells.at(chosen, span.stop - 1 - present[::-1].argmax(axis=0))
        before = self._cumulative_before(span.start, chosen)
        after = np.maximum(before, self._part("cumulative", span, chosen).max(axis=0))
        traded = self._part("traded", span, chosen).sum(axis=0)
        ticks, high, low = (self._part(name, span, chosen) for name in ("ticks", "high", "low"))
        if ((ticks > 0) != present).any():  # minutes in which quotes changed, and nothing traded
            ticks, high = np.where(present, ticks, 0), np.where(present, high, -np.inf)
            low = np.where(present, low, np.inf)
        # summed per instrument, so that rounding does not depend on the number of instruments
        turnover = np.ascontiguousarray(self._part("turnover", span, chosen).T).sum(axis=1)
        return CandleValues(
            row=chosen,
            open=self._cells["open"][first],
            high=high.max(axis=0),
            low=low.min(axis=0),
            close=self._cells["close"][last],
            volume=after - before,
            vwap=np.where(traded > 0, turnover / np.maximum(traded, 1), np.nan),
            ticks=ticks.sum(axis=0),
            oi=self._cells["oi"][last],
            cumulative_volume=after,
        )

    def restore(self, minute: int, values: CandleValues, stops_ms: int) -> None:
        """Restore a minute that was closed before a restart and ended at `stops_ms`."""
        cell = self._cells.at(values.row, minute)
        self._cells.restore(cell, _restored_cells(values))
        self._restore_rows(values, stops_ms)

    def restore_base(self, row: int, minute: int, base: int) -> None:
        """Restore an instrument's base from its first candle, whose ticks will come again."""
        if self._rows["base"][row] == NONE:
            self._rows["base"][row] = self._rows["running"][row] = base
            self._rows["begun"][row] = minute

    def _restore_rows(self, values: CandleValues, stops_ms: int) -> None:
        """Restore the instruments' running maxima as of the end of a minute."""
        rows = values.row
        base, running = self._rows["base"], self._rows["running"]
        first = base[rows] == NONE
        base[rows] = np.where(first, values.cumulative_volume - values.volume, base[rows])
        running[rows] = np.maximum(running[rows], values.cumulative_volume)
        self._rows["last_at"][rows] = np.maximum(self._rows["last_at"][rows], stops_ms - 1)

    def _part(self, name: str, span: Span, rows: Array) -> Array:
        return self._cells.span(name, span, None if len(rows) == len(self) else rows)

    def _cumulative_before(self, minute: int, rows: Array) -> Array:
        base = np.maximum(self._rows["base"][rows], 0)
        if not minute:
            return base
        seen = self._part("cumulative", Span("day", 0, minute), rows)
        highest: Array = np.maximum(base, seen.max(axis=0))
        return highest

    def _advance(self, ticks: Ticks, minute: Array) -> _Advance:
        """Update the instruments' running maxima; return what each tick traded, and tells."""
        base, running, last_at = (self._rows[name] for name in ("base", "running", "last_at"))
        starts, ends, heads = ticks.by_row
        before = running_before(ticks.volume, starts, running[heads])
        first = np.empty(0, np.int64)
        is_opening = base[heads] == NONE
        if is_opening.any():
            first = _first_known(ticks.volume, starts)[is_opening]
            first = first[first < len(ticks)]
            rows, volume = ticks.row[first], ticks.volume[first]
            base[rows] = before[first] = self._opening.settle(rows, volume)
            # where a feed begins after the open, its first volume hides whether that was a trade
            first = first[(base[rows] == volume) & (volume > 0) & (ticks.traded_ms[first] <= 0)]
            first = first[self._opening.volume[ticks.row[first]] == UNKNOWN_VOLUME]
        at_before = running_before(ticks.at_ms, starts, last_at[heads])
        running[heads] = np.maximum(ticks.volume[ends], before[ends])
        last_at[heads] = np.maximum(ticks.at_ms[ends], at_before[ends])
        rise = ticks.volume - before
        time_back, volume_back = int((ticks.at_ms < at_before).sum()), int((rise < 0).sum())
        is_trade = self._trades.told(ticks, minute, starts, rise)
        is_trade[first] = True
        untraded = _NO_TICK
        if not is_trade.all():
            is_trade |= minute == self._rows["begun"][ticks.row]
            untraded = self._trades.untraded(ticks, base, np.maximum(ticks.volume, before))
        return _Advance(np.maximum(rise, 0), is_trade, untraded, time_back, volume_back)


def _restored_cells(values: CandleValues) -> Mapping[str, Array | int]:
    """Return the parts of a cell that follow from its candle."""
    traded = np.where(np.isnan(values.vwap), 0, values.volume)
    return {
        "open": values.open,
        "high": values.high,
        "low": values.low,
        "close": values.close,
        "ticks": values.ticks,
        "is_traded": values.ticks > 0,
        "oi": values.oi,
        "open_at": 0,
        "close_at": MINUTE_MS - 1,
        "open_volume": values.cumulative_volume,
        "close_volume": values.cumulative_volume,
        "cumulative": values.cumulative_volume,
        "traded": traded,
        "turnover": np.nan_to_num(values.vwap) * traded,
    }


def _first_known(volume: Array, starts: Array) -> Array:
    """Return the index of each group's first known volume, `len(volume)` if there is none."""
    indexes = np.where(volume >= 0, np.arange(len(volume)), len(volume))
    first: Array = np.minimum.reduceat(indexes, starts)
    return first


def _order_in_cells(ticks: Ticks, minute: Array) -> Array | None:
    """Return the order by cell, time, volume and arrival; None if ticks are in it already.

    Only instruments whose ticks go back are sorted, each within its own range of indexes.
    """
    back = ticks.at_ms[1:] < ticks.at_ms[:-1]
    back |= (ticks.at_ms[1:] == ticks.at_ms[:-1]) & (ticks.volume[1:] < ticks.volume[:-1])
    back &= ticks.row[1:] == ticks.row[:-1]
    if not back.any():
        return None
    order = np.arange(len(ticks))
    steps_back = np.isin(ticks.row, ticks.row[1:][back])
    mine = order[steps_back]
    order[steps_back] = mine[
        np.lexsort((ticks.volume[mine], ticks.at_ms[mine], minute[mine], ticks.row[mine]))
    ]
    return order


def _groups(
    ticks: Ticks, since_ms: Array, traded: Array, is_trade: Array, starts: Array
) -> Mapping[str, Array]:
    """Sum up ticks sorted by cell, time, volume and arrival; `starts`: first of each cell.

    `since_ms`: milliseconds since each tick's minute began.
    """
    ends = group_ends(starts, len(ticks))
    volume, sizes = ticks.volume[ends], ends - starts + 1
    return {
        "open": ticks.price[starts],
        "high": np.maximum.reduceat(ticks.price, starts),
        "low": np.minimum.reduceat(ticks.price, starts),
        "close": ticks.price[ends],
        "open_at": since_ms[starts],
        "open_volume": ticks.volume[starts],
        "close_at": since_ms[ends],
        "close_volume": volume,
        "cumulative": np.maximum.reduceat(ticks.volume, starts),
        "oi": ticks.oi[ends],
        "ticks": sizes,
        "is_traded": np.logical_or.reduceat(is_trade, starts),
        "traded": np.add.reduceat(traded, starts),
    }
