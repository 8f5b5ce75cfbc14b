"""Which option contracts are listed on a day, as rows of Kite's instrument dump."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import product

import numpy as np

from libs.market.calendar import Calendar
from libs.market.expiries import Expiry, option_without_token, upcoming
from libs.market.instruments import Instrument, underlying_name
from libs.market.rulebook import Rulebook, RulebookError
from services.simulator.domain.market.randomness import stable_hash

_OPTIONS_OF = {"NSE": "NFO", "BSE": "BFO"}
_SEGMENT_BYTES = {"NFO": 2, "BFO": 5}
_FIRST_EXCHANGE_TOKEN = 1 << 23
_STOCKS = "STOCKS"
_CONTRACT_RUPEES = 750_000
_LOT_ROUNDING = 25
_TRADING_DAYS = 250
_MOVE_DEVIATIONS = 2.0
_STRIKES_BEYOND_MOVE = 5
_DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class ChainRules:
    """Trading day and the dated rules by which contracts are listed."""

    trading_day: date
    rulebook: Rulebook
    calendar: Calendar

    def expiries(self, name: str, count: int) -> list[Expiry]:
        """Nearest expiries; a stock that the rulebook does not know has the stocks' rule."""
        try:
            return self.rulebook.expiries(name, self.trading_day, self.calendar, count)
        except RulebookError:
            rules = self.rulebook.expiry_rules[_STOCKS]
            return upcoming(rules, self.trading_day, self.calendar, count)

    def strike_step(self, name: str, price: float) -> float:
        """Distance of strikes; a stock that the rulebook does not know has its price band's."""
        try:
            return self.rulebook.strike_step(name, self.trading_day, price)
        except RulebookError:
            bands = self.rulebook.stock_strike_bands.at(self.trading_day).value
            return next((band.step for band in bands if price < band.below), bands[-1].step)

    def lot_size(self, name: str, expiry: date, price: float) -> int:
        """Units in a lot; for an unknown stock a lot worth about 7.5 lakh rupees."""
        try:
            return self.rulebook.lot_size(name, expiry).value
        except RulebookError:
            lots = round(_CONTRACT_RUPEES / price / _LOT_ROUNDING)
            return max(lots, 1) * _LOT_ROUNDING

    def closes_ms(self, expiry: date) -> int:
        """Close of the options' session on a day in epoch ms.

        Beyond the calendar's years it is the trading day's hour, since India keeps one time.
        """
        if self.calendar.covers(expiry):
            return self.calendar.sessions("NFO", expiry)[-1].close_ms
        days = (expiry - self.trading_day).days
        return self.calendar.sessions("NFO", self.trading_day)[-1].close_ms + days * _DAY_MS


def strikes_around(
    reference: float, step: float, annual_volatility: float, each_side: int
) -> list[float]:
    """Strikes at and around the money, enough for a large move of the day and 5 beyond it."""
    day_move = _MOVE_DEVIATIONS * annual_volatility * reference / np.sqrt(_TRADING_DAYS)
    count = max(each_side, int(np.ceil(day_move / step)) + _STRIKES_BEYOND_MOVE)
    nearest = round(reference / step)
    return [rank * step for rank in range(max(nearest - count, 1), nearest + count + 1)]


@dataclass(frozen=True, slots=True)
class OpenUnderlying:
    """An underlying at the open: its price then and its usual yearly implied volatility."""

    instrument: Instrument
    reference: float
    base_volatility: float


@dataclass(frozen=True, slots=True)
class Listed:
    """A listed contract, the place of its underlying, and its expiry counted from the nearest.

    `strike_step` is the distance to the next strikes in rupees.
    """

    contract: Instrument
    underlying: int
    expiry_rank: int
    strike_step: float


def list_contracts(
    rules: ChainRules, underlyings: Sequence[OpenUnderlying], each_side: int, expiry_count: int
) -> list[Listed]:
    """List the contracts of all underlyings in their order, nearest expiries first."""
    drafts = [
        draft
        for place, underlying in enumerate(underlyings)
        for draft in _contracts_of(rules, place, underlying, each_side, expiry_count)
    ]
    contracts = with_tokens([draft.contract for draft in drafts])
    return [replace(draft, contract=c) for draft, c in zip(drafts, contracts, strict=True)]


def _contracts_of(
    rules: ChainRules, place: int, underlying: OpenUnderlying, each_side: int, expiry_count: int
) -> Iterator[Listed]:
    name, price = underlying_name(underlying.instrument.tradingsymbol), underlying.reference
    exchange = _OPTIONS_OF[underlying.instrument.exchange]
    step = rules.strike_step(name, price)
    strikes = strikes_around(price, step, underlying.base_volatility, each_side)
    tick_size = rules.rulebook.tick_size(name, rules.trading_day, price)
    for rank, expiry in enumerate(rules.expiries(name, expiry_count)):
        lot_size = rules.lot_size(name, expiry.date, price)
        for strike, kind in product(strikes, ("CE", "PE")):
            contract = option_without_token(
                name, expiry, strike, kind, lot_size, tick_size, exchange
            )
            yield Listed(contract, place, rank, step)


def with_tokens(contracts: Sequence[Instrument]) -> tuple[Instrument, ...]:
    """Give tokens by the hash of the symbol, from 2²³ on, above every token of NSE's cash segment.

    Two symbols with one hash (about one listing of 500 contracts in 67) are told apart in the
    order of their names, whatever the order of the listing.
    """
    taken: dict[int, str] = {}
    for symbol in sorted(contract.tradingsymbol for contract in contracts):
        place = stable_hash("exchange_token", symbol) % _FIRST_EXCHANGE_TOKEN
        while place in taken:
            place = (place + 1) % _FIRST_EXCHANGE_TOKEN
        taken[place] = symbol
    tokens = {symbol: _FIRST_EXCHANGE_TOKEN + place for place, symbol in taken.items()}
    return tuple(_with_token(contract, tokens[contract.tradingsymbol]) for contract in contracts)


def _with_token(contract: Instrument, exchange_token: int) -> Instrument:
    token = exchange_token * 256 + _SEGMENT_BYTES[contract.exchange]
    return replace(contract, exchange_token=exchange_token, instrument_token=token)
