"""An open position and its prices since its last event."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from math import inf
from typing import NamedTuple, Self

import numpy as np

from libs.events.event import ms_from_utc
from libs.events.positions import PositionEvent
from services.position.domain.exit_rules.quiet import Quiet
from services.position.domain.exit_rules.rule import Mark
from services.position.domain.ledger import TradeLedger
from services.position.domain.lives import Life
from services.position.domain.seen_prices import PriceRules, PriceTape, Update
from services.position.domain.trades import Trade
from services.position.domain.updates import TokenArray

QUOTED_WITHIN_MS = 60_000
"""A contract without a price for longer is unguarded: its stop would not be noticed."""
MATERIAL_MOVE = 0.02
"""A new highest or lowest price is marked, so that it survives a restart, once it lies beyond the
marked one by this fraction of the average price paid."""
MARKED_AGAIN_MS = 1000
_HIGHEST_TOKEN = 2**32 - 1


class Told(NamedTuple):
    """What a position's last event says, as plain numbers: times in epoch ms, prices in rupees.

    `may_stay`: over night.
    """

    at_ms: int
    highest: float
    lowest: float
    material: float
    is_stopped: bool
    may_stay: bool

    @classmethod
    def of(cls, state: PositionEvent) -> Self:
        """Read an event once, so that no tick has to."""
        return cls(
            state.occurred_ms,
            float(state.highest_price),
            float(state.lowest_price),
            MATERIAL_MOVE * float(state.entry_price),
            state.stop_loss > 0 and state.quantity > 0,
            state.exit_plan is not None and state.exit_plan.overnight,
        )


@dataclass(slots=True)
class Watch:
    """`state` is the position's last event; each update moves the prices (rupees) since then.

    `seen` is the price that its exit rules see, `last_price` its valuation; `highest` and `lowest`
    are the extremes of what was seen since the opening. A restart restores them from the last
    event. `seen_ms` is the exchange's time of the last price (epoch ms), 0 before the first.
    From `lifts_from` on (rupees) a rule lifts the stop, which is to be marked at once. `quiet` are
    the bounds in which no rule is asked, None until they are looked at for this state and highest.
    """

    state: PositionEvent
    told: Told
    life: Life
    tape: PriceTape
    seen: float
    last_price: float
    highest: float
    lowest: float
    seen_ms: int = 0
    lifts_from: float = inf
    quiet: Quiet | None = None

    @classmethod
    def of(cls, state: PositionEvent, rules: PriceRules, life: Life) -> Self:
        """Return the watch of a position as its last event describes it."""
        seen = _seen_of(told := Told.of(state), price := float(state.last_price))
        return cls(
            state=state,
            told=told,
            life=life,
            tape=PriceTape(rules, ms_from_utc(state.opened_at), seen),
            seen=seen,
            last_price=price,
            highest=told.highest,
            lowest=told.lowest,
        )

    def follow(self, state: PositionEvent, life: Life) -> None:
        """Take the position's next event. A fill's price is the latest one; a mark's is no news."""
        price, told = float(state.last_price), Told.of(state)
        if state.fill_ids != self.state.fill_ids or not self.seen_ms:
            self.seen = self.tape.price = _seen_of(told, price)
        self.last_price = price
        self.state, self.told, self.life = state, told, life
        self.highest, self.lowest = self.told.highest, self.told.lowest
        self.quiet = None

    @property
    def instrument_token(self) -> int:
        """Token of the contract."""
        return self.state.contract.instrument_token

    @property
    def unrealised(self) -> Decimal:
        """Profit of what is held at the latest valuation, rupees before charges."""
        return TradeLedger.of(self.state).unrealised(money(self.last_price))

    @property
    def trade(self) -> Trade:
        """The position as a trade, at its latest prices."""
        return replace(
            Trade.of(self.state),
            last_price=money(self.last_price),
            highest_price=money(self.highest),
            lowest_price=money(self.lowest),
            unrealised=self.unrealised,
        )

    def see(self, update: Update) -> bool:
        """Take the prices that an update shows; return whether it shows any."""
        shown = self.tape.see(update)
        if shown is None:
            return False
        self.seen, self.last_price, self.seen_ms = shown.price, shown.mark, update.at_ms
        if shown.price > self.highest:
            self.highest, self.quiet = shown.price, None
        self.lowest = min(self.lowest, shown.price)
        return True

    def is_quiet(self, now_ms: int) -> bool:
        """Return whether surely no rule wants an exit at the price seen; without bounds no."""
        bounds = self.quiet
        if bounds is None:
            return False
        return bounds.above < self.seen < bounds.below and now_ms < bounds.until_ms

    def seen_at(self, now_ms: int) -> Mark:
        """Return the prices at `now_ms` for the exit rules."""
        return Mark(now_ms, self.seen, self.highest, self.lowest)

    def is_due(self, now_ms: int, every_ms: int) -> bool:
        """Return whether a mark is due: by time, a material new extreme, or a stop to be lifted."""
        if self.highest >= self.lifts_from:
            return True
        since_ms = now_ms - self.told.at_ms
        return since_ms >= every_ms or (since_ms >= MARKED_AGAIN_MS and self._has_moved())

    def _has_moved(self) -> bool:
        rise, fall = self.highest - self.told.highest, self.told.lowest - self.lowest
        return max(rise, fall) >= self.told.material

    def is_guarded(self, now_ms: int, since_ms: int = 0) -> bool:
        """Return whether a stop is set for what is held, and a price was seen recently.

        Before the first price the time counts from the opening, or from `since_ms` (epoch ms).
        """
        quiet_ms = max(self.tape.opened_ms, self.seen_ms, since_ms)
        return self.told.is_stopped and now_ms - quiet_ms <= QUOTED_WITHIN_MS


@dataclass(frozen=True, slots=True)
class Watched:
    """The positions that a day's ticks may move, by token, with their places; `tokens` ascend."""

    day: date
    tokens: TokenArray
    by_token: Mapping[int, Sequence[tuple[int, Watch]]]

    @classmethod
    def of(cls, positions: Iterable[Watch], day: date) -> Self:
        """Return the index; after its expiry a contract's token may be another's."""
        by_token: dict[int, list[tuple[int, Watch]]] = {}
        for place, watch in enumerate(positions):
            token = watch.instrument_token
            if watch.state.contract.expiry >= day and 0 <= token <= _HIGHEST_TOKEN:
                by_token.setdefault(token, []).append((place, watch))
        return cls(day, np.array(sorted(by_token), np.uint32), by_token)


def _seen_of(told: Told, valuation: float) -> float:
    """Return the price that the rules see before the next update.

    A valuation, the middle of a wide spread, may lie beyond all that they have seen.
    """
    return min(max(valuation, told.lowest), told.highest)


def money(price: float) -> Decimal:
    """Return a price as rupees, to four decimals."""
    return Decimal(str(round(price, 4)))
