"""An order before it is planned, and what the checks are told about market and account."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal, Protocol

from libs.broker.port import OrderType, Product, Side
from libs.events.event import utc_from_ms
from libs.events.instruments import Contract
from libs.market.calendar import IST, Calendar
from libs.market.rulebook import Rulebook
from services.executor.domain.risk import Breach


@dataclass(frozen=True, slots=True)
class OrderToCheck:
    """One order as it would be sent: units, and prices in rupees (0 for a market order).

    `leg`: an exit is never refused for want of money, room or fresh data.
    """

    contract: Contract
    leg: Literal["entry", "exit"]
    transaction_type: Side
    quantity: int
    order_type: OrderType
    price: Decimal
    product: Product
    trigger_price: Decimal = Decimal(0)

    @property
    def prices(self) -> tuple[Decimal, ...]:
        """The prices that must be on the tick grid."""
        if self.order_type == "MARKET":
            return ()
        return (self.price, self.trigger_price) if self.order_type == "SL" else (self.price,)


class TooOld(Protocol):
    """What an order stands on is too old: which hop, its age and how old it may be (ms)."""

    @property
    def hop(self) -> str:
        """Name of the hop."""

    @property
    def age_ms(self) -> int:
        """Its age."""

    @property
    def budget_ms(self) -> int:
        """How old it may be."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known at the moment of an order; a check that lacks what it needs lets it pass.

    `freeze_quantity`: units. `reference_price`: the average trade of the last half minute or the
    last price, rupees. `required_margin`, `available`: rupees, by the broker's calculator and
    account. `breach`: the position or loss limit that refuses. `clock_off_ms`: how far this
    machine's clock is ahead of the exchange's. `banned`: underlyings whose positions may not grow.
    `silent_since_ms`: since when the feed brings nothing, 0 while it does.
    `stays_over_night`: no square-off on the same day is meant.
    """

    now_ms: int
    calendar: Calendar
    rulebook: Rulebook
    freeze_quantity: int | None = None
    reference_price: Decimal | None = None
    required_margin: Decimal | None = None
    available: Decimal | None = None
    breach: Breach | None = None
    too_old: TooOld | None = None
    clock_off_ms: int = 0
    silent_since_ms: int = 0
    banned: Collection[str] = field(default_factory=frozenset)
    stays_over_night: bool = False
    settlement_days: int | None = None
    is_index_option: bool = True

    @property
    def in_india(self) -> datetime:
        """The moment in India."""
        return utc_from_ms(self.now_ms).astimezone(IST)
