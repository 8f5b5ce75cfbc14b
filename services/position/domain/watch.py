"""An open position and its prices since its last event."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from libs.events.event import ms_from_utc
from libs.events.positions import PositionEvent
from libs.market.quotes import Quote
from services.position.domain.exit_rules.rule import Mark
from services.position.domain.ledger import TradeLedger

QUOTED_WITHIN_MS = 60_000
"""A contract that was not quoted for longer is unguarded: its stop would not be noticed."""


@dataclass(slots=True)
class Watch:
    """`state` is the position's last event; each tick updates the prices (rupees) since then.

    `highest` and `lowest` count from the opening. A restart restores them from the last event.
    """

    state: PositionEvent
    last_price: float
    highest: float
    lowest: float

    @classmethod
    def of(cls, state: PositionEvent) -> Self:
        """Return the watch of a position as its last event describes it."""
        return cls(
            state=state,
            last_price=float(state.last_price),
            highest=float(state.highest_price),
            lowest=float(state.lowest_price),
        )

    @property
    def instrument_token(self) -> int:
        """Token of the contract."""
        return self.state.contract.instrument_token

    @property
    def unrealised(self) -> Decimal:
        """Profit of what is held at the latest price, rupees before charges."""
        return TradeLedger.of(self.state).unrealised(money(self.last_price))

    def mark(self, quote: Quote | None) -> None:
        """Take the latest price, unless it is older than the position's last event."""
        if quote is None or quote.at_ms < self.state.occurred_ms:
            return
        self.last_price = quote.last_price
        self.highest = max(self.highest, quote.last_price)
        self.lowest = min(self.lowest, quote.last_price)

    def seen_at(self, now_ms: int) -> Mark:
        """Return the prices at `now_ms` for the exit rules."""
        return Mark(now_ms, self.last_price, self.highest, self.lowest)

    def is_guarded(self, quote: Quote | None, now_ms: int) -> bool:
        """Return whether a stop is set and the contract was quoted recently."""
        seen_ms = max(ms_from_utc(self.state.opened_at), quote.at_ms if quote else 0)
        return self.state.stop_loss > 0 and now_ms - seen_ms <= QUOTED_WITHIN_MS


def money(price: float) -> Decimal:
    """Return a price as rupees, to four decimals."""
    return Decimal(str(round(price, 4)))
