"""Forward, implied volatility and greeks of a snapshot, all its expiries at once.

The formulas, the mid prices and the rule which quotes are tight are those of the executor.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from libs.market.arrays import BoolArray, FloatArray, IntArray
from libs.market.calendar import Calendar
from libs.market.greeks import (
    Greeks,
    forward_or_spot,
    greeks,
    implied_volatility,
    years_to,
)
from libs.market.option_chain import TIGHT_SPREAD_FRACTION, mid_and_spread
from libs.market.parity import spot_by_parity
from services.local.recorded_chains.reading import ChainRows

OPTIONS = "NFO"
_DAY_MS = 24 * 3_600_000

ClosesMs = Callable[[date], int | None]
"""The close of an expiry day (epoch ms), None if the exchange is closed then."""


@dataclass(frozen=True, slots=True, eq=False)
class Valued:
    """Rows of a snapshot with their values; nan where there is none.

    `spot` is that of put-call parity, `forward` each row's own. Greeks as in
    `libs.market.greeks.Greeks`, by CE and PE.
    """

    rows: IntArray
    spot: float
    forward: FloatArray
    volatility: Mapping[str, FloatArray]
    greeks: Mapping[str, Greeks]


@dataclass(frozen=True, slots=True, eq=False)
class Quoted:
    """Rows with the mid prices of both sides, and whether both quotes are tight."""

    strike: FloatArray
    expiry: NDArray[np.datetime64]
    years: FloatArray
    mids: Mapping[str, FloatArray]
    is_tight: BoolArray

    def at(self, expiry: np.datetime64) -> "Quoted":
        """Return the rows of one expiry."""
        mine = self.expiry == expiry
        mids = {kind: mid[mine] for kind, mid in self.mids.items()}
        expiries, years = self.expiry[mine], self.years[mine]
        return Quoted(self.strike[mine], expiries, years, mids, self.is_tight[mine])

    def spot(self, rate: float) -> float | None:
        """Return the spot that the nearest expiry with tight quotes implies, rupees."""
        for expiry in np.unique(self.expiry):
            one = self.at(expiry)
            calls, puts, years = one.mids["CE"], one.mids["PE"], float(one.years[0])
            if not years > 0:
                continue
            found = spot_by_parity(one.strike, calls, puts, years, rate, one.is_tight)
            if found is not None:
                return found
        return None

    def forward(self, spot: float, rate: float) -> FloatArray:
        """Return each row's forward: by parity near the spot, else the spot grown at 6 %."""
        forward = np.full(len(self.strike), np.nan)
        for expiry in np.unique(self.expiry):
            one, mine = self.at(expiry), self.expiry == expiry
            calls, puts, years = one.mids["CE"], one.mids["PE"], float(one.years[0])
            forward[mine] = forward_or_spot(
                one.strike, calls, puts, spot, years, rate, one.is_tight
            )
        return forward


def quoted_of(rows: ChainRows, chosen: IntArray, closes_ms: ClosesMs) -> Quoted:
    """Return the quotes of one snapshot's rows."""
    mids: dict[str, FloatArray] = {}
    is_tight = np.ones(len(chosen), np.bool_)
    for kind in ("CE", "PE"):
        bid, ask = (rows.quoted(kind, f"{side}_price")[chosen] for side in ("bid", "ask"))
        with np.errstate(invalid="ignore"):
            mids[kind], spread = mid_and_spread(bid, ask)
            is_tight &= spread <= TIGHT_SPREAD_FRACTION
    expiry, at_ms = rows.expiry[chosen], int(rows.at_ms[chosen[0]])
    days, place = np.unique(expiry, return_inverse=True)
    years = np.array([_years(closes_ms(day), at_ms) for day in days.tolist()])
    return Quoted(rows.strike[chosen], expiry, years[place], mids, is_tight)


def _years(closes_ms: int | None, at_ms: int) -> float:
    return np.nan if closes_ms is None else years_to(closes_ms, at_ms)


def closes_by(calendar: Calendar, day: date) -> ClosesMs:
    """Return the closes of options; beyond the calendar's years they are at the hour of `day`."""

    def closes_ms(expiry: date) -> int | None:
        if calendar.covers(expiry):
            sessions = calendar.sessions(OPTIONS, expiry)
            return sessions[-1].close_ms if sessions else None
        sessions = calendar.sessions(OPTIONS, day)
        return sessions[-1].close_ms + (expiry - day).days * _DAY_MS if sessions else None

    return closes_ms


def value_snapshot(rows: ChainRows, chosen: IntArray, closes_ms: ClosesMs, rate: float) -> Valued:
    """Value the rows of one snapshot; all is nan where no strike has tight quotes."""
    quoted = quoted_of(rows, chosen, closes_ms)
    spot = quoted.spot(rate)
    nothing = np.full(len(chosen), np.nan)
    forward = nothing if spot is None else quoted.forward(spot, rate)
    volatility, values = {}, {}
    for kind, mid in quoted.mids.items():
        terms = (forward, quoted.strike, quoted.years, rate)
        volatility[kind] = implied_volatility(mid, *terms, kind == "CE")
        values[kind] = greeks(*terms, volatility[kind], kind == "CE")
    return Valued(chosen, np.nan if spot is None else spot, forward, volatility, values)
