"""Which contracts an underlying has, by the dated rules; what they do not state is refused."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import product
from math import ceil

from libs.market.calendar import Calendar
from libs.market.expiries import Expiry, option_without_token
from libs.market.instruments import Instrument
from libs.market.option_chain import nearest_expiry
from libs.market.rulebook import Rulebook
from services.executor.domain.policy import ChainFilter, Refusal
from services.executor.domain.profiles import StrikeChoice
from services.executor.domain.wanted_strikes import SHOWN_STRIKES
from services.simulator.domain.market.contracts import (
    ChainRules,
    OpenUnderlying,
    list_contracts,
    with_tokens,
)

SPOT_TOKEN = 1
"""Below the tokens of all contracts."""
_NEAR_STRIKES = 4
"""One more than what put-call parity looks at, each side of the money."""
_NO_MOVE = 0.0
"""Strikes are listed around the spot of the moment, so that no move of the day is allowed for."""


class NotListed(LookupError):
    """The rules do not state what an option on that day is; `refusal` says what is missing."""

    def __init__(self, reason: str, underlying: str, day: date) -> None:
        super().__init__(reason)
        self.refusal = Refusal(reason, {"underlying": underlying, "day": str(day)})


@dataclass(frozen=True, slots=True)
class Listing:
    """The dated rules of the exchange, and the executor's choices of expiry and strike."""

    rulebook: Rulebook
    calendar: Calendar
    chain: ChainFilter
    choices: tuple[StrikeChoice, ...] = ()
    _made: dict[tuple[str, date, float], tuple[Instrument, ...]] = field(default_factory=dict)

    def around(self, underlying: str, day: date, spot: float) -> tuple[Instrument, ...]:
        """Return the chosen expiry's contracts around a spot; raise NotListed without rules."""
        self._check(underlying, day)
        step = self.rulebook.strike_step(underlying, day, spot)
        key = underlying, day, round(spot / step) * step
        if key not in self._made:
            self._made[key] = self._listed(*key)
        return self._made[key]

    def _listed(self, underlying: str, day: date, near: float) -> tuple[Instrument, ...]:
        rules = ChainRules(day, self.rulebook, self.calendar)
        opened = OpenUnderlying(spot_of(underlying), near, _NO_MOVE)
        step = self.rulebook.strike_step(underlying, day, near)
        wanted = (_strikes_wanted(one, near / step) for one in self.choices)
        each_side = max(self.chain.strikes_from_atm + 1, _NEAR_STRIKES, *wanted)
        listed = list_contracts(rules, [opened], each_side, self.chain.expiries_needed)
        return self._of_choice([one.contract for one in listed], underlying, day)

    def of_strikes(
        self, underlying: str, day: date, quoted: Iterable[tuple[date, float]]
    ) -> tuple[Instrument, ...]:
        """Return the contracts of the chosen expiry with these strikes, as they were quoted."""
        strikes = list(quoted)
        expiry = self._chosen((expiry for expiry, _ in strikes), day)
        if underlying not in self.rulebook.lots or expiry is None:
            raise NotListed("not_in_rulebook", underlying, day)
        self._check_lot(underlying, day, expiry)
        is_monthly = self._is_monthly(underlying, day, expiry)
        lot_size = self.rulebook.lot_size(underlying, expiry).value
        middle = strikes[len(strikes) // 2][1] if strikes else 0.0
        tick_size = self.rulebook.tick_size(underlying, day, middle)
        of_expiry = sorted(strike for one, strike in strikes if one == expiry)
        made = (
            option_without_token(
                underlying, Expiry(expiry, is_monthly), strike, kind, lot_size, tick_size
            )
            for strike, kind in product(of_expiry, ("CE", "PE"))
        )
        return with_tokens(list(made))

    def _check(self, underlying: str, day: date) -> None:
        if underlying not in self.rulebook.lots:
            raise NotListed("not_in_rulebook", underlying, day)
        if not self.calendar.covers(day):
            raise NotListed("day_not_in_calendar", underlying, day)
        if not self._has_strikes(underlying, day):
            raise NotListed("strike_step_unknown", underlying, day)

    def _has_strikes(self, underlying: str, day: date) -> bool:
        steps = self.rulebook.index_strike_steps
        if underlying in self.rulebook.indices:
            return underlying in steps and steps[underlying].at(day).is_exact
        return self.rulebook.stock_strike_bands.at(day).is_exact

    def _of_choice(
        self, contracts: Sequence[Instrument], underlying: str, day: date
    ) -> tuple[Instrument, ...]:
        expiry = self._chosen((one.expiry for one in contracts if one.expiry), day)
        if expiry is None:
            raise NotListed("not_in_rulebook", underlying, day)
        self._check_lot(underlying, day, expiry)
        return tuple(one for one in contracts if one.expiry == expiry)

    def _chosen(self, expiries: Iterable[date], day: date) -> date | None:
        return nearest_expiry(expiries, day, is_monthly=self.chain.expiry == "monthly")

    def _check_lot(self, underlying: str, day: date, expiry: date) -> None:
        """The lot is stated for the expiry, or for the day if the contract expires next."""
        of_expiry = self.rulebook.lot_size(underlying, expiry)
        of_day = self.rulebook.lot_size(underlying, day)
        coming = self.rulebook.expiries(underlying, day, self.calendar, 1)
        is_next = any(one.date == expiry for one in coming)
        is_same = is_next and of_day.is_exact and of_day.value == of_expiry.value
        if not (of_expiry.is_exact or is_same):
            raise NotListed("lot_size_unknown", underlying, day)

    def _is_monthly(self, underlying: str, day: date, expiry: date) -> bool:
        weeks = (expiry - day).days // 7 + 2
        coming = self.rulebook.expiries(underlying, day, self.calendar, weeks)
        return any(one.date == expiry and one.is_monthly for one in coming)


def _strikes_wanted(choice: StrikeChoice, strikes_to_zero: float) -> int:
    """Return how many strikes each side of the money a choice may come from, and one more."""
    if choice.by == "score":
        return 0
    if choice.by in ("delta", "premium"):
        return SHOWN_STRIKES + 1
    farthest = max(abs(one) for one in choice.wanted)
    if choice.by == "moneyness":
        farthest *= strikes_to_zero / 100
    return ceil(farthest + choice.reach) + 1


def spot_of(underlying: str) -> Instrument:
    """Return the underlying itself, whose quote is the spot."""
    return Instrument(
        instrument_token=SPOT_TOKEN,
        exchange_token=0,
        tradingsymbol=underlying,
        name=underlying,
        last_price=0.0,
        expiry=None,
        strike=0.0,
        tick_size=Decimal(0),
        lot_size=0,
        instrument_type="EQ",
        segment="NSE",
        exchange="NSE",
    )
