"""An option chain at one moment: quotes, implied volatilities and greeks in columns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from libs.market.arrays import BoolArray, FloatArray, IntArray
from libs.market.greeks import forward_or_spot, greeks, implied_volatility, years_to
from libs.market.instruments import Instrument, by_contract
from libs.market.quotes import QuoteBook

_TIGHT_SPREAD_FRACTION = 0.05


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


def chain_view(
    contracts: Sequence[Instrument],
    quotes: QuoteBook,
    spot: float,
    at_ms: int,
    expiry_close_ms: int,
    rate: float = 0.06,
) -> ChainView:
    """Value a chain from the latest quotes; `spot` in rupees, `rate` per year, continuous.

    The forward comes from put-call parity near the money, or from the spot if no pair has tight
    quotes. Raises ValueError unless the contracts are options of one underlying and expiry.
    """
    underlying, expiry = _one_chain(contracts)
    ordered = by_contract(contracts)
    strike = np.array([contract.strike for contract in ordered])
    is_call = np.array([contract.instrument_type == "CE" for contract in ordered])
    columns: dict[str, Any] = quotes.take([contract.instrument_token for contract in ordered])
    columns["quoted_at_ms"] = columns.pop("at_ms")
    mid, spread = _mid_and_spread(columns["bid_price"], columns["ask_price"])
    years = years_to(expiry_close_ms, at_ms)
    strikes, calls, puts, is_tight = _pairs(strike, is_call, mid, spread)
    forward = forward_or_spot(strikes, calls, puts, spot, years, rate, is_tight)
    volatility = implied_volatility(mid, forward, strike, years, rate, is_call)
    values = greeks(forward, strike, years, rate, volatility, is_call)
    return ChainView(
        underlying=underlying,
        expiry=expiry,
        spot=spot,
        forward=forward,
        at_ms=at_ms,
        years=years,
        strike=strike,
        is_call=is_call,
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


def _one_chain(contracts: Sequence[Instrument]) -> tuple[str, date]:
    chains = {(c.name, c.expiry) for c in contracts if c.is_option}
    if len(chains) != 1 or not all(c.is_option for c in contracts):
        raise ValueError(f"contracts must be options of one underlying and expiry: {chains}")
    underlying, expiry = chains.pop()
    if expiry is None:
        raise ValueError(f"options of {underlying} have no expiry")
    return underlying, expiry


def _mid_and_spread(bid: FloatArray, ask: FloatArray) -> tuple[FloatArray, FloatArray]:
    with np.errstate(invalid="ignore"):
        is_two_sided = (bid > 0) & (ask >= bid)
    mid = np.where(is_two_sided, (bid + ask) / 2, np.nan)
    return mid, (ask - bid) / mid


def _pairs(
    strike: FloatArray, is_call: BoolArray, mid: FloatArray, spread: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, BoolArray]:
    """Strikes with the mid prices of their call and put, and whether both quotes are tight."""
    strikes, place = np.unique(strike, return_inverse=True)
    side = is_call.astype(np.int64)
    mids = np.full((2, strikes.size), np.nan)
    is_tight = np.zeros((2, strikes.size), np.bool_)
    mids[side, place] = mid
    is_tight[side, place] = spread <= _TIGHT_SPREAD_FRACTION
    return strikes, mids[1], mids[0], is_tight[0] & is_tight[1]


def atm_strike(strikes: ArrayLike, spot: float) -> float:
    """Strike nearest to the spot, the lower one of two. Raises ValueError without strikes."""
    ordered = np.unique(np.asarray(strikes, np.float64))
    if not ordered.size:
        raise ValueError("a chain without strikes has none at the money")
    return float(ordered[np.argmin(np.abs(ordered - spot))])


def strikes_from_atm(strikes: ArrayLike, spot: float) -> IntArray:
    """How many listed strikes each one lies above (+) or below (-) the one at the money."""
    ordered, rank = np.unique(np.asarray(strikes, np.float64), return_inverse=True)
    if not ordered.size:
        return np.empty(0, np.int64)
    at_the_money = np.searchsorted(ordered, atm_strike(ordered, spot))
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
