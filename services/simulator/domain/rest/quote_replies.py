"""Replies of Kite's quote calls: one instrument's `data` of /quote, /quote/ohlc and /quote/ltp."""

from typing import Any

import numpy as np

from libs.events.ticks import TickColumns
from services.simulator.domain.feed.depth import LEVELS, market_depth
from services.simulator.domain.feed.listing import Listing
from services.simulator.domain.feed.packet_rows import steps
from services.simulator.domain.feed.tape import Tape
from services.simulator.domain.india_time import clock

_PAISA_DIGITS = 2


def ltp_reply(listing: Listing, tape: Tape, row: int) -> dict[str, Any]:
    """Token and last price."""
    return {
        "instrument_token": int(listing.instrument_token[row]),
        "last_price": _price(tape.last_price[row]),
    }


def ohlc_reply(listing: Listing, tape: Tape, row: int) -> dict[str, Any]:
    """Token, last price, and the day's open, high and low with the previous close."""
    return ltp_reply(listing, tape, row) | {"ohlc": _ohlc(tape, row)}


def quote_reply(
    listing: Listing, tape: Tape, row: int, limits: tuple[float, float], now_ms: int
) -> dict[str, Any]:
    """Whole quote; `limits` are the circuit limits. An index has neither volume nor depth.

    Before the first tick of the day the quote is of now.
    """
    change = _price(tape.last_price[row] - tape.close[row]) if tape.close[row] else 0.0
    reply = {
        "instrument_token": int(listing.instrument_token[row]),
        "timestamp": clock(int(tape.at_ms[row]) or now_ms),
        "last_price": _price(tape.last_price[row]),
        "net_change": change,
        "ohlc": _ohlc(tape, row),
    }
    return reply if listing.is_index[row] else reply | _traded(listing, tape, row, limits)


def _traded(listing: Listing, tape: Tape, row: int, limits: tuple[float, float]) -> dict[str, Any]:
    rows = np.array([row])
    tick = tape.latest(rows)
    return {
        "last_trade_time": clock(int(tape.last_trade_ms[row])),
        "last_quantity": _count(tick, "last_traded_quantity"),
        "buy_quantity": _count(tick, "total_buy_quantity"),
        "sell_quantity": _count(tick, "total_sell_quantity"),
        "volume": _count(tick, "volume_traded"),
        "average_price": _price(tape.average_price(rows)[0]),
        "oi": _count(tick, "oi"),
        "oi_day_high": int(tape.oi_day_high[row]),
        "oi_day_low": int(tape.oi_day_low[row]),
        "lower_circuit_limit": limits[0],
        "upper_circuit_limit": limits[1],
        "depth": _depth(listing, tick, rows),
    }


def _ohlc(tape: Tape, row: int) -> dict[str, float]:
    return {
        "open": _price(tape.open[row]),
        "high": _price(tape.high[row]),
        "low": _price(tape.low(np.array([row]))[0]),
        "close": _price(tape.close[row]),
    }


def _depth(
    listing: Listing, tick: TickColumns, rows: "np.ndarray[Any, np.dtype[np.intp]]"
) -> dict[str, list[dict[str, Any]]]:
    depth = market_depth(tick, steps(listing, rows))
    divisor = listing.divisor[rows[0]]
    return {
        name: [
            {
                "price": _price(depth.price[0, side, level] / divisor),
                "quantity": int(depth.quantity[0, side, level]),
                "orders": int(depth.orders[0, side, level]),
            }
            for level in range(LEVELS)
        ]
        for side, name in enumerate(("buy", "sell"))
    }


def _count(tick: TickColumns, name: str) -> int:
    return int(getattr(tick, name)[0])


def _price(value: float) -> float:
    return round(float(value), _PAISA_DIGITS)
