"""An option chain at one moment: quotes, implied volatilities and greeks in columns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import isfinite
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from libs.market.arrays import BoolArray, FloatArray, IntArray
from libs.market.greeks import (
    NEAR_ATM_STRIKES,
    forward_or_spot,
    greeks,
    implied_volatility,
    years_to,
)
from libs.market.instruments import Instrument, by_contract
from libs.market.quotes import QuoteBook

TIGHT_SPREAD_FRACTION = 0.05
"""Quotes up to this spread, a fraction of the mid price, count for put-call parity."""


@dataclass(frozen=True, slots=True, eq=False)
class ChainView:
    """The contracts of one underlying and expiry, by strike, the call before the put.

    Prices in rupees, quantities, volume and open interest in units, times in epoch ms; greeks as
    in `libs.market.greeks.Greeks`. `mid` and what follows from it are nan without a two-sided
    quote; `implied_volatility` and greeks also if no volatility explains the mid price.
    """

    underlying: str
    expiry: date
    spot: float
    forward: float
    at_ms: int
    years: float
    instrument_token: IntArray
    strike: FloatArray
    is_call: BoolArray
    last_price: FloatArray
    bid_price: FloatArray
    bid_quantity: IntArray
    ask_price: FloatArray
    ask_quantity: IntArray
    volume: IntArray
    oi: IntArray
    quoted_at_ms: IntArray
    mid: FloatArray
    spread_fraction: FloatArray
    implied_volatility: FloatArray
    delta: FloatArray
    gamma: FloatArray
    theta: FloatArray
    vega: FloatArray
    rho: FloatArray

    def __len__(self) -> int:
        return self.strike.size


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """The contracts of one underlying and expiry by strike, the call before the put, in columns.

    What does not change while the contracts are listed is computed once. `strikes` are the
    different ones, and `place` says which of them each contract has.
    """

    underlying: str
    expiry: date
    contracts: tuple[Instrument, ...]
    instrument_token: IntArray
    strike: FloatArray
    is_call: BoolArray
    strikes: FloatArray
    place: IntArray

    @classmethod
    def of(cls, contracts: Sequence[Instrument]) -> Self:
        """Return the chain; ValueError unless all are options of one underlying and expiry."""
        underlying, expiry = _one_chain(contracts)
        ordered = by_contract(contracts)
        strike = np.array([contract.strike for contract in ordered])
        strikes, place = np.unique(strike, return_inverse=True)
        return cls(
            underlying=underlying,
            expiry=expiry,
            contracts=tuple(ordered),
            instrument_token=np.array([one.instrument_token for one in ordered], np.int64),
            strike=strike,
            is_call=np.array([contract.instrument_type == "CE" for contract in ordered]),
            strikes=strikes,
            place=place,
        )

    @property
    def exchange(self) -> str:
        """Where the contracts are listed, whose hours they have."""
        return self.contracts[0].exchange

    def near(self, spot: float, strikes: int) -> Self:
        """Return the part within so many strikes of the one at the money."""
        at = int(np.argmin(np.abs(self.strikes - spot)))
        low, high = max(at - strikes, 0), at + strikes + 1
        first, last = np.searchsorted(self.place, (low, high)).tolist()
        rows = slice(first, last)
        return replace(
            self,
            contracts=self.contracts[rows],
            instrument_token=self.instrument_token[rows],
            strike=self.strike[rows],
            is_call=self.is_call[rows],
            strikes=self.strikes[low:high],
            place=self.place[rows] - low,
        )

    def view(
        self,
        quotes: QuoteBook,
        spot: float,
        at_ms: int,
        expiry_close_ms: int,
        rate: float = 0.06,
        budget_ms: int | None = None,
    ) -> ChainView:
        """Value the chain from the latest quotes; `spot` in rupees, `rate` per year, continuous.

        The forward comes from put-call parity near the money, or from the spot if no pair has
        tight quotes. Quotes older than `budget_ms` have no mid price, and so no part in it.
        """
        columns: dict[str, Any] = quotes.take(self.instrument_token)
        columns["quoted_at_ms"] = quoted_at_ms = columns.pop("at_ms")
        mid, spread = mid_and_spread(columns["bid_price"], columns["ask_price"])
        if budget_ms is not None:
            mid = np.where(quoted_at_ms >= at_ms - budget_ms, mid, np.nan)
        years = years_to(expiry_close_ms, at_ms)
        calls, puts, is_tight = self._pairs(mid, spread)
        forward = forward_or_spot(self.strikes, calls, puts, spot, years, rate, is_tight)
        volatility = implied_volatility(mid, forward, self.strike, years, rate, self.is_call)
        values = greeks(forward, self.strike, years, rate, volatility, self.is_call)
        return ChainView(
            underlying=self.underlying,
            expiry=self.expiry,
            spot=spot,
            forward=forward,
            at_ms=at_ms,
            years=years,
            strike=self.strike,
            is_call=self.is_call,
            mid=mid,
            spread_fraction=spread,
            implied_volatility=volatility,
            delta=values.delta,
            gamma=values.gamma,
            theta=values.theta,
            vega=values.vega,
            rho=values.rho,
            **columns,
        )

    def _pairs(
        self, mid: FloatArray, spread: FloatArray
    ) -> tuple[FloatArray, FloatArray, BoolArray]:
        """The mid prices of each strike's call and put, and whether both quotes are tight."""
        side = self.is_call.astype(np.int64)
        mids = np.full((2, self.strikes.size), np.nan)
        is_tight = np.zeros((2, self.strikes.size), np.bool_)
        mids[side, self.place] = mid
        is_tight[side, self.place] = spread <= TIGHT_SPREAD_FRACTION
        return mids[1], mids[0], is_tight[0] & is_tight[1]


def chain_view(
    contracts: Sequence[Instrument],
    quotes: QuoteBook,
    spot: float,
    at_ms: int,
    expiry_close_ms: int,
    rate: float = 0.06,
    budget_ms: int | None = None,
) -> ChainView:
    """Value contracts as `Chain.view` does; ValueError unless they are options of one chain."""
    return Chain.of(contracts).view(quotes, spot, at_ms, expiry_close_ms, rate, budget_ms)


def parity_pairs(view: ChainView) -> tuple[tuple[float, float, float], ...]:
    """Return strike, call mid and put mid of the pairs that gave a view's forward; none: the spot.

    Of the strikes nearest to the spot those whose quotes are both tight, as
    `greeks.forward_by_parity` takes them.
    """
    found: dict[float, dict[bool, float]] = {}
    columns = (view.strike, view.is_call, view.mid, view.spread_fraction)
    for strike, is_call, mid, spread in zip(*(one.tolist() for one in columns), strict=True):
        mids = found.setdefault(strike, {})
        if spread <= TIGHT_SPREAD_FRACTION and isfinite(mid):
            mids[is_call] = mid
    near = sorted(found, key=lambda strike: abs(strike - view.spot))[:NEAR_ATM_STRIKES]
    return tuple((k, found[k][True], found[k][False]) for k in near if len(found[k]) == 2)


def _one_chain(contracts: Sequence[Instrument]) -> tuple[str, date]:
    chains = {(c.name, c.expiry) for c in contracts if c.is_option}
    if len(chains) != 1 or not all(c.is_option for c in contracts):
        raise ValueError(f"contracts must be options of one underlying and expiry: {chains}")
    underlying, expiry = chains.pop()
    if expiry is None:
        raise ValueError(f"options of {underlying} have no expiry")
    return underlying, expiry


def mid_and_spread(bid: FloatArray, ask: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Middle of bid and ask, and the spread as a fraction of it; nan unless two-sided."""
    with np.errstate(invalid="ignore"):
        is_two_sided = (bid > 0) & (ask >= bid)
    mid = np.where(is_two_sided, (bid + ask) / 2, np.nan)
    return mid, (ask - bid) / mid


def atm_strike(strikes: ArrayLike, spot: float) -> float:
    """Strike nearest to the spot, the lower one of two. Raises ValueError without strikes."""
    ordered = np.unique(np.asarray(strikes, np.float64))
    if not ordered.size:
        raise ValueError("a chain without strikes has none at the money")
    return float(ordered[np.argmin(np.abs(ordered - spot))])


def strikes_from_atm(strikes: ArrayLike, spot: float) -> IntArray:
    """How many listed strikes each one lies above (+) or below (-) the one at the money."""
    column = np.asarray(strikes, np.float64)
    if not column.size:
        return np.empty(0, np.int64)
    steps = np.diff(column)
    if (steps >= 0).all():  # by strike, as chains are: no need to sort
        rank = np.concatenate([[0], np.cumsum(steps > 0)])
        return np.asarray(rank - rank[np.argmin(np.abs(column - spot))], np.int64)
    ordered, rank = np.unique(column, return_inverse=True)
    at_the_money = np.argmin(np.abs(ordered - spot))
    return np.asarray(rank - at_the_money, np.int64)


def nearest_expiry(expiries: Iterable[date], on: date, *, is_monthly: bool = False) -> date | None:
    """First expiry on or after a date, or None; with `is_monthly` the last one of its month.

    The last listed expiry of a month is the monthly one, so pass all that are listed.
    """
    coming = sorted({expiry for expiry in expiries if expiry >= on})
    if is_monthly:
        last_of_month = {(expiry.year, expiry.month): expiry for expiry in coming}
        coming = list(last_of_month.values())
    return coming[0] if coming else None
