"""The short read before a sale: never is more sold than the account holds."""

from dataclasses import dataclass

from libs.broker.port import ContractState, OrderUpdate
from services.executor.domain.reconciliation.snapshot import OurContract


@dataclass(frozen=True, slots=True)
class Sale:
    """What may be sold of what was asked, units.

    `sold_by_hand` units are in our books and not in the account any more. `why` says why less is
    sold than asked, or that the account could not be read: then it is an alert.
    """

    quantity: int
    sold_by_hand: int = 0
    why: str = ""
    is_read: bool = True


def sellable(asked: int, ours: OurContract, state: ContractState | None) -> Sale:
    """Return the smaller of what is asked and what the account has free of the contract.

    Free is the net quantity less all sales that may still fill, by hand or ours. Without a state,
    which could not be read in time, what our own confirmed fills hold is sold.
    """
    if state is None:
        held = max(0, ours.held - ours.selling)
        return Sale(min(asked, held), why="the account could not be read", is_read=False)
    net, by_hand = state.net(ours.key.product), _working_sales(ours, state, is_ours=False)
    own = max(ours.selling, _working_sales(ours, state, is_ours=True))
    quantity = max(0, min(asked, net - by_hand - own))
    gone = min(max(0, ours.held), max(0, ours.held - net))
    if quantity < asked:
        quantity -= quantity % ours.lot_size
    return Sale(quantity, gone, _why(asked, quantity, net, by_hand, own))


def _working_sales(ours: OurContract, state: ContractState, *, is_ours: bool) -> int:
    return sum(
        one.working_quantity
        for one in state.working
        if _is_sale(one, ours) and ours.is_ours(one) == is_ours
    )


def _is_sale(order: OrderUpdate, ours: OurContract) -> bool:
    return order.transaction_type == "SELL" and order.product in {"", ours.key.product}


def _why(asked: int, quantity: int, net: int, by_hand: int, own: int) -> str:
    if quantity >= asked:
        return ""
    orders = [(by_hand, "in sales by hand"), (own, "in sales of ours")]
    working = "".join(f", {units} {where}" for units, where in orders if units)
    return f"of {asked} units {quantity} can be sold: the account holds {net}{working}"
