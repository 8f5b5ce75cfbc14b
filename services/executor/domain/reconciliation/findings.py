"""What a comparison finds; quantities in units, prices in rupees, times in epoch ms."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeAlias

from libs.broker.port import OrderUpdate, Side
from services.executor.domain.reconciliation.snapshot import ContractKey, TradeId

Reason = Literal["manual", "square_off", "expiry", "earlier_day", "flattened"]
"""Why units of ours are closed without an order of ours."""


@dataclass(frozen=True, slots=True)
class Agree:
    """The account has what our books hold."""

    key: ContractKey


@dataclass(frozen=True, slots=True)
class Adopt:
    """The broker knows more of an order of ours than our books."""

    key: ContractKey
    update: OrderUpdate


@dataclass(frozen=True, slots=True)
class Correct:
    """Units of ours were closed: a sale of what was held, a purchase of what was oversold.

    `trade` is the trade that did it; without one the price is not known (at expiry it is the
    intrinsic value) and `at_ms` is 0.
    """

    key: ContractKey
    transaction_type: Side
    quantity: int
    reason: Reason
    price: Decimal | None = None
    trade: TradeId | None = None
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Oversold:
    """Our own orders sold more than was held; `quantity` is not being bought back yet."""

    key: ContractKey
    quantity: int


@dataclass(frozen=True, slots=True)
class Foreign:
    """What the owner has by hand: net units, and units in orders that may still fill."""

    key: ContractKey
    quantity: int
    buying: int = 0
    selling: int = 0


@dataclass(frozen=True, slots=True)
class Quarantine:
    """A difference without an explanation: no entry in the underlying."""

    key: ContractKey
    underlying: str
    why: str


@dataclass(frozen=True, slots=True)
class FundsShort:
    """The account owes funds in a segment, rupees: no entry at all."""

    segment: str
    available: Decimal


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """A finding that one snapshot alone shows: a fill may have fallen between its lists."""

    key: ContractKey
    finding: "Correct | Oversold | Quarantine"


Difference: TypeAlias = Correct | Oversold | Quarantine
Finding: TypeAlias = Agree | Adopt | Difference | Foreign | FundsShort | Unconfirmed
