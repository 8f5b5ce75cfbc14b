"""The contracts of a recorded chain and their underlying, by the dated rules of the exchange."""

from datetime import date
from decimal import Decimal
from itertools import product

import numpy as np

from libs.market.calendar import Calendar
from libs.market.expiries import Expiry, option_without_token
from libs.market.instruments import Instrument
from libs.market.rulebook import Rulebook, RulebookError
from services.ingest.recordings.errors import RecordingError
from services.local.recorded_chains.reading import ChainRows
from services.simulator.domain.market.contracts import with_tokens

_INDEX_TOKEN, _SHARE_TOKEN = 1 << 8 | 9, 1 << 8 | 1
"""Below those of all contracts; the low byte is the segment, as Kite has it."""


def underlying_of(name: str, rulebook: Rulebook) -> Instrument:
    """Return the underlying itself, whose price is derived."""
    is_index = name in rulebook.indices
    return Instrument(
        instrument_token=_INDEX_TOKEN if is_index else _SHARE_TOKEN,
        exchange_token=1,
        tradingsymbol=name,
        name=name,
        last_price=0.0,
        expiry=None,
        strike=0.0,
        tick_size=Decimal(0) if is_index else Decimal("0.05"),
        lot_size=0 if is_index else 1,
        instrument_type="EQ",
        segment="INDICES" if is_index else "NSE",
        exchange="NSE",
    )


def contracts_of(
    rows: ChainRows, day: date, price: float, rulebook: Rulebook, calendar: Calendar
) -> tuple[Instrument, ...]:
    """Return all contracts that the rows quote, with the lots of their expiries.

    `price` is about the underlying's, rupees. Raises RecordingError for an underlying without
    rules.
    """
    name = rows.underlying
    try:
        tick_size = rulebook.tick_size(name, day, price)
        drafts = [
            option_without_token(name, expiry, strike, kind, lot_size, tick_size)
            for expiry, lot_size in _expiries(rows, day, rulebook, calendar)
            for strike, kind in product(_strikes(rows, expiry.date), ("CE", "PE"))
        ]
    except RulebookError as error:
        raise RecordingError(f"{rows.path}: {error}") from None
    return with_tokens(drafts)


def _expiries(
    rows: ChainRows, day: date, rulebook: Rulebook, calendar: Calendar
) -> list[tuple[Expiry, int]]:
    """Return the quoted expiries, each with the units of a lot."""
    quoted: list[date] = np.unique(rows.expiry).tolist()
    weeks = (quoted[-1] - day).days // 7 + 2
    coming = rulebook.expiries(rows.underlying, day, calendar, weeks)
    monthly = {one.date for one in coming if one.is_monthly}
    return [
        (Expiry(one, one in monthly), rulebook.lot_size(rows.underlying, one).value)
        for one in quoted
    ]


def _strikes(rows: ChainRows, expiry: date) -> list[float]:
    strikes: list[float] = np.unique(rows.strike[rows.expiry == np.datetime64(expiry)]).tolist()
    return strikes
