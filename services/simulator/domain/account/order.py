"""The life of one order: what is known of it, its states, and how it moves between them."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from services.simulator.domain.account.order_request import NOTHING, Terms

_MODIFYING = ("MODIFY VALIDATION PENDING", "MODIFY PENDING")
_RESTING = ("OPEN", "TRIGGER PENDING")
_ENDED = ("COMPLETE", "CANCELLED", "REJECTED")
_FROM_BOOK = frozenset({*_RESTING, "MODIFY VALIDATION PENDING", "CANCEL PENDING", *_ENDED})

TRANSITIONS: dict[str, frozenset[str]] = {
    "": frozenset({"PUT ORDER REQ RECEIVED", "AMO REQ RECEIVED"}),
    "PUT ORDER REQ RECEIVED": frozenset({"VALIDATION PENDING"}),
    "AMO REQ RECEIVED": frozenset({"VALIDATION PENDING", "AMO REQ RECEIVED", "CANCELLED"}),
    "VALIDATION PENDING": frozenset({"OPEN PENDING", "REJECTED", "CANCELLED"}),
    "OPEN PENDING": frozenset(_RESTING),
    "OPEN": _FROM_BOOK,
    "TRIGGER PENDING": _FROM_BOOK,
    "MODIFY VALIDATION PENDING": frozenset({"MODIFY PENDING"}),
    "MODIFY PENDING": frozenset({*_RESTING, "MODIFY PENDING", *_ENDED[:2]}),
    "CANCEL PENDING": frozenset({"CANCEL PENDING", *_ENDED[:2]}),
    "COMPLETE": frozenset(),
    "CANCELLED": frozenset(),
    "REJECTED": frozenset(),
}


@dataclass(frozen=True, slots=True)
class Change:
    """A modification (new terms) or a cancellation (None) on its way to the book."""

    terms: Terms | None
    due_ms: int


@dataclass(slots=True)
class Order:
    """One order, times in epoch ms; `history` holds Kite's row at each step.

    `requested_ms` is when the client last asked for something; a quote counts from `book_ms` on.
    `exchange_ms` is when the exchange last took or filled it, `exchange_update_ms` its last word.
    """

    order_id: str
    placed_by: str
    variety: str
    instrument_token: int
    exchange: str
    tradingsymbol: str
    transaction_type: str
    product: str
    terms: Terms
    placed_ms: int
    requested_ms: int
    book_ms: int
    tag: str | None = None
    tags: tuple[str, ...] = ()
    status: str = ""
    status_message: str | None = None
    status_message_raw: str | None = None
    exchange_order_id: str | None = None
    exchange_ms: int | None = None
    exchange_update_ms: int | None = None
    filled_quantity: int = 0
    filled_value: Decimal = NOTHING
    cancelled_quantity: int = 0
    modifications: int = 0
    is_modified: bool = False
    is_triggered: bool = False
    change: Change | None = None
    history: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_buy(self) -> bool:
        """Whether it buys."""
        return self.transaction_type == "BUY"

    @property
    def is_over(self) -> bool:
        """Whether nothing more can happen to it."""
        return self.status in _ENDED

    @property
    def is_waiting(self) -> bool:
        """Whether it has not been validated yet."""
        return self.status in ("VALIDATION PENDING", "AMO REQ RECEIVED")

    @property
    def is_in_book(self) -> bool:
        """Whether the exchange has it and it may still fill."""
        return not (self.is_over or self.is_waiting)

    @property
    def takes_changes(self) -> bool:
        """Whether Kite lets it be modified or cancelled: at rest, with no change on its way."""
        return self.status in (*_RESTING, "AMO REQ RECEIVED") and self.change is None

    @property
    def is_dormant(self) -> bool:
        """Whether it still waits for its trigger price."""
        return self.terms.has_trigger and not self.is_triggered

    @property
    def pending_quantity(self) -> int:
        """Units that may still fill; 0 once the order is over, as in Kite's rejected orders."""
        return 0 if self.is_over else self.terms.quantity - self.filled_quantity

    @property
    def average_price(self) -> Decimal:
        """Average price of its fills in rupees; 0 without any."""
        return self.filled_value / self.filled_quantity if self.filled_quantity else NOTHING

    @property
    def rest_status(self) -> str:
        """State in which it lies in the book."""
        return "TRIGGER PENDING" if self.is_dormant else "OPEN"

    def move(self, status: str) -> None:
        """Go to a state; raises ValueError for a step that the table does not know."""
        if status not in TRANSITIONS[self.status]:
            raise ValueError(f"order {self.order_id} cannot go from {self.status!r} to {status!r}")
        self.status = status

    def explain(self, message: str | None, raw: str | None = None) -> None:
        """Set what Kite says of the state; `raw` are the words of the back office."""
        self.status_message = message
        self.status_message_raw = raw or message

    def confirmed(self, at_ms: int, is_end: bool = False) -> None:
        """Note when the exchange confirmed a step; a cancellation keeps the time of acceptance."""
        self.exchange_update_ms = at_ms
        self.exchange_ms = self.exchange_ms if is_end else at_ms

    def take_fill(self, quantity: int, price: Decimal) -> None:
        """Count a fill; raises ValueError if it is more than what is pending."""
        if not 0 < quantity <= self.pending_quantity:
            raise ValueError(f"order {self.order_id} has no {quantity} units left to fill")
        self.filled_quantity += quantity
        self.filled_value += quantity * price


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution of an order: what Kite calls a trade. Price in rupees, time in epoch ms."""

    trade_id: str
    order_id: str
    exchange_order_id: str
    exchange: str
    tradingsymbol: str
    instrument_token: int
    product: str
    transaction_type: str
    price: Decimal
    quantity: int
    at_ms: int
