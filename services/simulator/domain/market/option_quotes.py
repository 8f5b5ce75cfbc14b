"""From fair values to quotes: spread, depth, last price, volume and open interest."""

import numpy as np

from libs.events.ticks import TickColumns
from libs.market.arrays import FloatArray, IntArray
from services.simulator.domain.market.contract_table import ContractTable
from services.simulator.domain.market.randomness import uniforms

_SECOND_MS = 1000
_LAST_LOTS = 5
_BOOK_DEPTHS = 25


def quote_columns(
    table: ContractTable,
    fair_ticks: FloatArray,
    volume_passed: float,
    at_ms: int,
    per_rupee: FloatArray,
) -> TickColumns:
    """Quotes of the contracts of a table around their fair values, given in ticks.

    `volume_passed` is the share of the day's volume traded so far, `per_rupee` ticks in a rupee.
    """
    noise = uniforms(table.keys, at_ms // _SECOND_MS)
    volume, power, oi, oi_change, depth, wide, least = table.values[2:]
    spread = _spread_ticks(fair_ticks, wide, least, noise[0])
    bid = np.maximum(np.rint(fair_ticks - spread / 2), 1)
    last = bid + np.floor(noise[1] * (spread + 1))
    lots = np.floor(noise * depth) + 1
    return TickColumns(
        instrument_token=table.instrument_token,
        exchange_timestamp=np.full(bid.size, at_ms // _SECOND_MS * _SECOND_MS, np.int64),
        last_price=last / per_rupee,
        last_traded_quantity=_units(np.floor(noise[1] * _LAST_LOTS) + 1, table),
        volume_traded=_units(np.floor(volume * volume_passed**power), table),
        total_buy_quantity=_units(lots[3] * _BOOK_DEPTHS, table),
        total_sell_quantity=_units(lots[2] * _BOOK_DEPTHS, table),
        oi=_units(np.rint(oi * (1 + oi_change * volume_passed)), table),
        bid_price=bid / per_rupee,
        bid_quantity=_units(lots[2], table),
        ask_price=(bid + spread) / per_rupee,
        ask_quantity=_units(lots[3], table),
    )


def _spread_ticks(
    fair_ticks: FloatArray, wide: FloatArray, least: FloatArray, noise: FloatArray
) -> FloatArray:
    """Whole ticks between bid and ask, at least one."""
    usual = least + wide * fair_ticks
    return np.maximum(np.rint(usual * (0.7 + 0.6 * noise)), 1)


def _units(lots: FloatArray, table: ContractTable) -> IntArray:
    return lots.astype(np.int64) * table.lot_size
