"""Order books and accounts for tests of a flatten."""

from decimal import Decimal

from libs.broker.port import Fill, NetPosition, OrderUpdate
from services.local.flatten.account import AccountNow, ContractKey

CALL, LOT = "NIFTY2662325700CE", 65
KEY = ContractKey("NFO", CALL, "NRML")
OUR_TAG, BY_HAND = "A" * 20, ""
FLATTEN_TAG = "FLATTEN" + "A" * 13


def order(
    number: int,
    side: str = "SELL",
    units: int = LOT,
    filled: int = 0,
    tag: str = OUR_TAG,
    status: str = "OPEN",
    key: ContractKey = KEY,
) -> OrderUpdate:
    """An order of the book; `number` is its place in it."""
    fills = (Fill("1", filled, Decimal(100)),) if filled else ()
    return OrderUpdate(
        broker_order_id=f"2606170000{number:05}",
        tag=tag,
        status=status,  # type: ignore[arg-type]
        at_ms=number,
        fills=fills,
        exchange=key.exchange,
        tradingsymbol=key.tradingsymbol,
        transaction_type=side,  # type: ignore[arg-type]
        product=key.product,
        quantity=units,
    )


def bought(units: int, tag: str = OUR_TAG, key: ContractKey = KEY) -> OrderUpdate:
    """A purchase that filled."""
    return order(1, "BUY", units, units, tag, "COMPLETE", key)


def account(*orders: OrderUpdate, net: int = 0, key: ContractKey = KEY) -> AccountNow:
    """An account with a book, and net units of one contract."""
    position = NetPosition(key.exchange, key.tradingsymbol, key.product, net)
    return AccountNow(orders, [position])
