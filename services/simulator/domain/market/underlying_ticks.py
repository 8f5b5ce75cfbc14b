"""Ticks of one underlying's day in Kite's columns, each with the second in which it arrives."""

from dataclasses import dataclass

import numpy as np

from libs.events.ticks import TickColumns
from libs.market.arrays import BoolArray, FloatArray, IntArray
from services.simulator.domain.market.defects import Arrivals, DefectRates, arrivals, spoilt
from services.simulator.domain.market.paths import MarketDay, PricePath, on_tick
from services.simulator.domain.market.randomness import generator
from services.simulator.domain.market.underlyings import UnderlyingSpec

_SECOND_MS = 1000
_LARGEST_TRADE_SHARE = 0.8
_BOOK_SHARE = 0.04
_BEST_SHARE = 0.00004


@dataclass(frozen=True, slots=True, eq=False)
class ArrivingTicks:
    """Ticks, the number of the second in which each arrives, and whether it stands behind."""

    columns: TickColumns
    second: IntArray
    is_after: BoolArray


def underlying_ticks(
    market: MarketDay, spec: UnderlyingSpec, path: PricePath, rates: DefectRates, tail_seconds: int
) -> ArrivingTicks:
    """Ticks of a path, then the closing values once a second for the tail after the close."""
    rng = generator(market.seed, "ticks", spec.tradingsymbol, market.day)
    ticked = np.flatnonzero(path.is_tick)
    held = np.append(ticked, np.full(tail_seconds, len(path) - 1))
    second = np.append(ticked, len(path) + np.arange(tail_seconds))
    at_ms = np.append(path.at_ms[ticked], _tail_ms(path, tail_seconds))
    columns = _columns(rng, spec, path, held, at_ms)
    rows = arrivals(second, rates, rng)
    return ArrivingTicks(_arrived(columns, rows), rows.second, rows.is_after)


def _tail_ms(path: PricePath, tail_seconds: int) -> IntArray:
    after = np.arange(1, tail_seconds + 1, dtype=np.int64)
    return np.asarray(path.at_ms[-1] + _SECOND_MS * after, np.int64)


def _columns(
    rng: np.random.Generator,
    spec: UnderlyingSpec,
    path: PricePath,
    held: IntArray,
    at_ms: IntArray,
) -> TickColumns:
    token = np.full(held.size, spec.instrument_token, np.uint32)
    if spec.is_index:
        return TickColumns(token, at_ms, path.last_price[held])
    price, volume = path.last_price[held], path.volume_traded[held]
    tick, is_at_ask = float(spec.tick_size), rng.random(held.size) < 0.5
    quantities = rng.standard_exponential((4, held.size)) * _typical_quantities(spec)
    buy, sell, bid, ask = quantities.astype(np.int64) + 1
    return TickColumns(
        instrument_token=token,
        exchange_timestamp=at_ms,
        last_price=price,
        last_traded_quantity=_last_quantity(volume, rng),
        average_traded_price=_average_price(price, volume),
        volume_traded=volume,
        total_buy_quantity=buy,
        total_sell_quantity=sell,
        bid_price=on_tick(price - tick * is_at_ask, spec.tick_size),
        bid_quantity=bid,
        ask_price=on_tick(price + tick * ~is_at_ask, spec.tick_size),
        ask_quantity=ask,
    )


def _typical_quantities(spec: UnderlyingSpec) -> FloatArray:
    shares = np.array((_BOOK_SHARE, _BOOK_SHARE, _BEST_SHARE, _BEST_SHARE))
    return shares[:, None] * spec.daily_volume


def _last_quantity(volume: IntArray, rng: np.random.Generator) -> IntArray:
    """Quantity of the latest trade: a part of what was traded since the tick before."""
    traded = np.diff(volume, prepend=0) * rng.random(volume.size) * _LARGEST_TRADE_SHARE
    return np.asarray(traded, np.float64).astype(np.int64) + 1


def _average_price(price: FloatArray, volume: IntArray) -> FloatArray:
    """Volume-weighted average of the day so far, to the paisa."""
    turnover = np.cumsum(price * np.diff(volume, prepend=0))
    average = np.where(volume > 0, turnover / np.maximum(volume, 1), price)
    return np.asarray(np.round(average, 2), np.float64)


def _arrived(columns: TickColumns, rows: Arrivals) -> TickColumns:
    spoilt_by = {
        "exchange_timestamp": rows.is_epoch_zero,
        "last_price": rows.is_zero_price,
    }
    taken = {
        name: spoilt(column, rows, spoilt_by[name]) if name in spoilt_by else column[rows.tick]
        for name, column in columns.columns().items()
        if column is not None
    }
    return TickColumns(**taken)
