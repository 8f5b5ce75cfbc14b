"""What comes back from the broker for a request of the executor."""

from collections.abc import Sequence
from dataclasses import dataclass

from libs.broker.port import ContractState, OrderUpdate
from services.executor.domain.commands import LookUp, ReadContract
from services.executor.domain.order import Order
from services.executor.domain.reconciliation import AccountSnapshot


@dataclass(frozen=True, slots=True)
class Accepted:
    """The broker has taken an order."""

    order: Order
    broker_order_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The broker has refused an order."""

    order: Order
    reason: str


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The broker has refused to change an order, which works as before; or it is not known."""

    order: Order
    reason: str


@dataclass(frozen=True, slots=True)
class NotCancelled:
    """A cancellation was refused: the order may be over, as no update has told."""

    order: Order
    reason: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """An order was certainly not sent; it may be sent after `retry_after_ms`."""

    order: Order
    reason: str
    retry_after_ms: int = 0


@dataclass(frozen=True, slots=True)
class ReplyLost:
    """It is not known whether the broker has the order."""

    order: Order
    reason: str


@dataclass(frozen=True, slots=True)
class BookRead:
    """The broker's order book, None where it cannot be read."""

    asked: LookUp
    book: Sequence[OrderUpdate] | None


@dataclass(frozen=True, slots=True)
class ContractRead:
    """What the account holds of a contract, None where it cannot be read; then `reason` says why.

    `needs_login`: there is no session, so that nothing can be sold either.
    """

    asked: ReadContract
    state: ContractState | None
    reason: str = ""
    needs_login: bool = False


@dataclass(frozen=True, slots=True)
class AccountRead:
    """The account as the broker has it, None where it cannot be read; then `reason` says why."""

    snapshot: AccountSnapshot | None
    reason: str = ""


ReplyOfOrder = Accepted | Refused | Unchanged | NotCancelled | NotSent | ReplyLost
"""What comes back for a request about one order."""
Reply = ReplyOfOrder | BookRead | ContractRead | AccountRead
