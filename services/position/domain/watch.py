"""An open position and its prices since its last event."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import inf
from typing import Self

import numpy as np

from libs.events.event import ms_from_utc
from libs.events.positions import PositionEvent
from libs.market.arrays import IntArray
from services.position.domain.exit_rules.rule import Mark
from services.position.domain.ledger import TradeLedger
from services.position.domain.seen_prices import PriceRules, PriceTape, Update

QUOTED_WITHIN_MS = 60_000
"""A contract without a price for longer is unguarded: its stop would not be noticed."""
MATERIAL_MOVE = 0.02
"""A new highest or lowest price is marked, so that it survives a restart, once it lies beyond the
marked one by this fraction of the average price paid."""
MARKED_AGAIN_MS = 1000


@dataclass(slots=True)
class Watch:
    """`state` is the position's last event; each update moves the prices (rupees) since then.

    `seen` is the price that its exit rules see, `last_price` its valuation; `highest` and `lowest`
    are the extremes of what was seen since the opening. A restart restores them from the last
    event. `seen_ms` is the exchange's time of the last price (epoch ms), 0 before the first.
    From `lifts_from` on (rupees) a rule lifts the stop, which is to be marked at once.
    """

    state: PositionEvent
    tape: PriceTape
    seen: float
    last_price: float
    highest: float
    lowest: float
    seen_ms: int = 0
    lifts_from: float = inf

    @classmethod
    def of(cls, state: PositionEvent, rules: PriceRules) -> Self:
        """Return the watch of a position as its last event describes it."""
        price = float(state.last_price)
        return cls(
            state=state,
            tape=PriceTape(rules, ms_from_utc(state.opened_at), price),
            seen=price,
            last_price=price,
            highest=float(state.highest_price),
            lowest=float(state.lowest_price),
        )

    def follow(self, state: PositionEvent) -> None:
        """Take the position's next event. A fill's price is the latest one; a mark's is no news."""
        price = float(state.last_price)
        if state.fill_ids != self.state.fill_ids or not self.seen_ms:
            self.seen = self.tape.price = price
        self.last_price = price
        self.highest, self.lowest = float(state.highest_price), float(state.lowest_price)
        self.state = state

    @property
    def instrument_token(self) -> int:
        """Token of the contract."""
        return self.state.contract.instrument_token

    @property
    def unrealised(self) -> Decimal:
        """Profit of what is held at the latest valuation, rupees before charges."""
        return TradeLedger.of(self.state).unrealised(money(self.last_price))

    def see(self, update: Update) -> bool:
        """Take the prices that an update shows; return whether it shows any."""
        shown = self.tape.see(update)
        if shown is None:
            return False
        self.seen, self.last_price, self.seen_ms = shown.price, shown.mark, update.at_ms
        self.highest = max(self.highest, shown.price)
        self.lowest = min(self.lowest, shown.price)
        return True

    def seen_at(self, now_ms: int) -> Mark:
        """Return the prices at `now_ms` for the exit rules."""
        return Mark(now_ms, self.seen, self.highest, self.lowest)

    def is_due(self, now_ms: int, every_ms: int) -> bool:
        """Return whether a mark is due: by time, a material new extreme, or a stop to be lifted."""
        if self.highest >= self.lifts_from:
            return True
        since_ms = now_ms - self.state.occurred_ms
        return since_ms >= every_ms or (since_ms >= MARKED_AGAIN_MS and self._has_moved())

    def _has_moved(self) -> bool:
        rise = self.highest - float(self.state.highest_price)
        fall = float(self.state.lowest_price) - self.lowest
        return max(rise, fall) >= MATERIAL_MOVE * float(self.state.entry_price)

    def is_guarded(self, now_ms: int, since_ms: int = 0) -> bool:
        """Return whether a stop is set for what is held, and a price was seen recently.

        Before the first price the time counts from the opening, or from `since_ms` (epoch ms).
        """
        quiet_ms = max(ms_from_utc(self.state.opened_at), self.seen_ms, since_ms)
        is_stopped = self.state.stop_loss > 0 and self.state.quantity > 0
        return is_stopped and now_ms - quiet_ms <= QUOTED_WITHIN_MS


@dataclass(frozen=True, slots=True)
class Watched:
    """The positions that a day's ticks may move, by token; `tokens` ascend."""

    day: date
    tokens: IntArray
    by_token: Mapping[int, Sequence[Watch]]

    @classmethod
    def of(cls, held: Iterable[Watch], day: date) -> Self:
        """Return the index of these positions."""
        by_token: dict[int, list[Watch]] = {}
        for watch in held:
            by_token.setdefault(watch.instrument_token, []).append(watch)
        return cls(day, np.array(sorted(by_token), np.int64), by_token)


def money(price: float) -> Decimal:
    """Return a price as rupees, to four decimals."""
    return Decimal(str(round(price, 4)))
