"""How far each contract of a chain is from what a profile wants."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from libs.market.arrays import BoolArray, FloatArray
from libs.market.option_chain import ChainView, strikes_from_atm
from services.executor.domain.policy import ChainFilter
from services.executor.domain.profiles import StrikeChoice

SHOWN_STRIKES = 20
"""By delta and by premium the contracts within so many strikes of the money are looked at."""
_DIGITS = 9


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """One number that is wanted: how far each row of a chain is from it, and which may be bought.

    `off`: in the unit of the choice, of a premium as a fraction of it; nan where it is unknown.
    """

    value: float
    off: FloatArray
    is_within: BoolArray
    is_shown: BoolArray


def strikes_looked_at(choice: StrikeChoice, chain: ChainFilter) -> int:
    """Return how many strikes each side of the money a choice may come from."""
    return chain.strikes_from_atm if choice.by == "score" else 50


def wanted_of(
    choice: StrikeChoice, view: ChainView, action: Literal["BUY", "SELL"]
) -> tuple[Wanted, ...]:
    """Return what is wanted, with the distances of all rows; nothing is by score."""
    sign = 1.0 if action == "BUY" else -1.0
    if choice.by == "moneyness":
        return tuple(_by_moneyness(one, choice.reach, view, sign) for one in choice.wanted)
    if choice.by == "strikes":
        return tuple(_by_strikes(one, choice.reach, view, sign) for one in choice.wanted)
    return tuple(_by_value(one, choice, view) for one in choice.wanted)


def _by_value(wanted: float, choice: StrikeChoice, view: ChainView) -> Wanted:
    is_shown = np.abs(strikes_from_atm(view.strike, view.spot)) <= SHOWN_STRIKES
    paid = np.where(np.isnan(view.mid), np.nan, view.ask_price)
    is_delta = choice.by == "delta"
    off = np.abs(np.abs(view.delta) - wanted) if is_delta else np.abs(paid - wanted) / wanted
    rounded = np.asarray(np.round(off, _DIGITS), np.float64)
    return Wanted(wanted, rounded, rounded <= choice.reach, is_shown)


def _by_moneyness(percent: float, reach: float, view: ChainView, sign: float) -> Wanted:
    in_the_money = sign * (view.forward - view.strike) / view.forward * 100
    wanted_strike = view.forward * (1 - sign * percent / 100)
    off = np.asarray(np.round(np.abs(in_the_money - percent), _DIGITS), np.float64)
    strikes, place = np.unique(view.strike, return_inverse=True)
    nearest = int(np.argmin(np.abs(strikes - wanted_strike)))
    near = np.abs(place - nearest) <= reach
    return Wanted(percent, off, near & _is_listed(wanted_strike, strikes), near)


def _by_strikes(steps: float, reach: float, view: ChainView, sign: float) -> Wanted:
    off = np.abs(-sign * strikes_from_atm(view.strike, view.spot) - steps)
    near = off <= reach
    return Wanted(steps, off.astype(np.float64), near, near)


def _is_listed(wanted: float, strikes: FloatArray) -> bool:
    """Whether a strike is among the listed ones, up to half a step beyond the last."""
    if strikes.size < 2:
        return bool(strikes.size and wanted == strikes[0])
    below, above = (strikes[1] - strikes[0]) / 2, (strikes[-1] - strikes[-2]) / 2
    return bool(strikes[0] - below <= wanted <= strikes[-1] + above)
