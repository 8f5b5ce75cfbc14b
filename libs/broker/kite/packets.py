"""Layouts of Kite's binary packets: one numpy type per length of the body, big-endian.

A quote packet is the beginning of a full packet, an ltp packet the beginning of either; the same
holds for the two index packets. Prices are whole numbers, to be divided by the segment's divisor.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

_DEPTH_ENTRY = np.dtype(
    [("quantity", ">u4"), ("price", ">u4"), ("orders", ">u2"), ("padding", ">u2")]
)
_LTP = [("instrument_token", ">u4"), ("last_price", ">u4")]
_INDEX_QUOTE = [
    *_LTP,
    ("high", ">u4"),
    ("low", ">u4"),
    ("open", ">u4"),
    ("close", ">u4"),
    ("price_change", ">i4"),
]
_QUOTE = [
    *_LTP,
    ("last_traded_quantity", ">u4"),
    ("average_traded_price", ">u4"),
    ("volume_traded", ">u4"),
    ("total_buy_quantity", ">u4"),
    ("total_sell_quantity", ">u4"),
    ("open", ">u4"),
    ("high", ">u4"),
    ("low", ">u4"),
    ("close", ">u4"),
]
LTP = np.dtype(_LTP)
INDEX_QUOTE = np.dtype(_INDEX_QUOTE)
INDEX_FULL = np.dtype([*_INDEX_QUOTE, ("exchange_timestamp", ">u4")])
QUOTE = np.dtype(_QUOTE)
FULL = np.dtype(
    [
        *_QUOTE,
        ("last_trade_time", ">u4"),
        ("oi", ">u4"),
        ("oi_day_high", ">u4"),
        ("oi_day_low", ">u4"),
        ("exchange_timestamp", ">u4"),
        ("buy", _DEPTH_ENTRY, 5),
        ("sell", _DEPTH_ENTRY, 5),
    ]
)
LAYOUTS: Mapping[int, "np.dtype[np.void]"] = {
    layout.itemsize: layout for layout in (LTP, INDEX_QUOTE, INDEX_FULL, QUOTE, FULL)
}
"""Length of a packet's body → its layout: 8, 28, 32, 44 and 184 bytes."""

INDICES = 9
_SEGMENT_MASK = 0xFF
_USUAL_DIVISOR = 100.0
_DIVISORS = np.full(256, _USUAL_DIVISOR)
_DIVISORS[3] = 10_000_000.0  # cds
_DIVISORS[[6, 12]] = 10_000.0  # bcd, nco


def divisors(instrument_tokens: ArrayLike) -> NDArray[np.float64]:
    """Return what the prices of each token are to be divided by; the low byte is the segment."""
    divisor: NDArray[np.float64] = _DIVISORS[np.asarray(instrument_tokens) & _SEGMENT_MASK]
    return divisor
