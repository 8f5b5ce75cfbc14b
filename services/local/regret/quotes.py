"""The quotes with which candidates are followed: a file of chains, or what the executor stored."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from libs.events.event import ms_from_utc
from libs.events.ticks import COLUMN_TYPES, TickColumns
from libs.market.arrays import IntArray
from libs.market.calendar import Calendar
from libs.market.expiries import Expiry, option_without_token
from libs.market.instruments import Instrument
from libs.market.rulebook import Rulebook
from libs.store.store import Store
from services.local.recorded_chains.market import Snapshot, chain_day
from services.local.recorded_chains.reading import read_chain_rows
from services.local.regret.cases import RegretError

_STORED = """
SELECT occurred_at, expiry, instrument_token, tradingsymbol, strike, instrument_type, last_price,
    bid_price, bid_quantity, ask_price, ask_quantity, volume, oi
FROM options_data FINAL
WHERE trading_day = %(day)s AND underlying = %(underlying)s
ORDER BY occurred_at, expiry, strike, instrument_type
"""


@dataclass(frozen=True, slots=True)
class Quotes:
    """The quotes of a day by time, and the contracts by tradingsymbol."""

    contracts: Mapping[str, Instrument]
    snapshots: Sequence[Snapshot]


def quotes_in(
    file: Path, underlying: str, day: date, rate: float, rulebook: Rulebook, calendar: Calendar
) -> Quotes:
    """Return the quotes of a file of NSE's option chain; RecordingError if it has none."""
    chains = chain_day(read_chain_rows(file, underlying), day, rate, rulebook, calendar)
    return Quotes({one.tradingsymbol: one for one in chains.contracts}, chains.snapshots)


async def stored_quotes(store: Store, underlying: str, day: date, rulebook: Rulebook) -> Quotes:
    """Return what the executor stored each minute; RegretError if there is nothing."""
    found = await store.query(_STORED, {"day": day, "underlying": underlying})
    if not found["tradingsymbol"]:
        raise RegretError(f"no quotes of {underlying} are stored of {day}: name a file by --chain")
    table = {name: np.array(column) for name, column in found.items()}
    contracts = {one.tradingsymbol: one for one in _contracts(found, underlying, day, rulebook)}
    return Quotes(contracts, list(_snapshots(table)))


def _contracts(
    found: Mapping[str, Sequence[Any]], underlying: str, day: date, rulebook: Rulebook
) -> Iterator[Instrument]:
    names = ("tradingsymbol", "instrument_token", "expiry", "strike", "instrument_type")
    tick_size = rulebook.tick_size(underlying, day, max(found["strike"]))
    rows = set(zip(*(found[name] for name in names), strict=True))
    for symbol, token, expiry, strike, kind in rows:
        lot_size = rulebook.lot_size(underlying, expiry).value
        made = option_without_token(
            underlying, Expiry(expiry, False), strike, kind, lot_size, tick_size
        )
        yield replace(made, tradingsymbol=symbol, instrument_token=int(token))


def _snapshots(table: Mapping[str, Any]) -> Iterator[Snapshot]:
    """Yield the stored minutes; a contract was traded in one in which its volume rose."""
    at_ms = np.array([ms_from_utc(one) for one in table["occurred_at"]], np.int64)
    tokens, place = np.unique(table["instrument_token"].astype(np.int64), return_inverse=True)
    volume = np.full(len(tokens), -1, np.int64)
    traded_ms = np.zeros(len(tokens), np.int64)
    for moment in np.unique(at_ms).tolist():
        rows = np.flatnonzero(at_ms == moment)
        at, now = place[rows], table["volume"][rows].astype(np.int64)
        traded_ms[at[(volume[at] >= 0) & (now > volume[at])]] = moment
        volume[at] = np.maximum(volume[at], now)
        yield Snapshot(moment, _columns(table, rows, moment, traded_ms[at]), None)


def _columns(
    table: Mapping[str, Any], rows: IntArray, at_ms: int, traded_ms: IntArray
) -> TickColumns:
    def column(name: str) -> Any:
        return table[name][rows].astype(COLUMN_TYPES.get(name, "<i8"))

    return TickColumns(
        instrument_token=column("instrument_token"),
        exchange_timestamp=np.full(len(rows), at_ms, "<i8"),
        last_price=column("last_price"),
        volume_traded=table["volume"][rows].astype("<i8"),
        oi=column("oi"),
        bid_price=column("bid_price"),
        bid_quantity=column("bid_quantity"),
        ask_price=column("ask_price"),
        ask_quantity=column("ask_quantity"),
        last_trade_time=traded_ms.astype("<i8"),
    )
