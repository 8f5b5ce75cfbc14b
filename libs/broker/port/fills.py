"""Which fills of an order are not booked yet, also where some were booked before their trades.

While the broker's trades cannot be read, a fill is told from the order itself: so many units at the
average price. Its id says so. The trades that come later, perhaps after a restart and perhaps as
several, are the same units: they confirm it, and only what goes beyond is booked.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal

from libs.broker.port.orders import Fill

_FROM_ORDER = "order-"
_DECIMALS = 4


def fill_of_order(
    broker_order_id: str,
    booked: Collection[Fill],
    filled_quantity: int,
    average_price: Decimal,
    at_ms: int,
) -> Fill | None:
    """Return what an order has filled beyond `booked` as a fill, by its average price in rupees.

    None if there is nothing more, or no price.
    """
    quantity = filled_quantity - _units(booked)
    if quantity <= 0 or average_price <= 0:
        return None
    price = _price_of_rest(average_price * filled_quantity - _value(booked), quantity)
    fill_id = f"{_FROM_ORDER}{broker_order_id}-{filled_quantity}"
    return Fill(fill_id, quantity, price or average_price, at_ms)


def is_from_order(fill: Fill) -> bool:
    """Whether a fill was told from its order, and not from a trade."""
    return fill.fill_id.startswith(_FROM_ORDER)


def unbooked(booked: Collection[Fill], fills: Sequence[Fill]) -> tuple[Fill, ...]:
    """Return those of an order's fills that are not booked yet, oldest first.

    Where only trades are involved, these are the ones with other ids. A fill told from the order
    stands for the trades of its units, so only units beyond those that are booked count: the latest
    of the fills that are not booked, the first of them with a part of its units perhaps.
    """
    ids = {fill.fill_id for fill in booked}
    others = [fill for fill in fills if fill.fill_id not in ids]
    if not any(map(is_from_order, (*booked, *fills))):
        return tuple(others)
    return _latest(others, _units(fills) - _units(booked), _value(fills) - _value(booked))


def _latest(fills: Sequence[Fill], units: int, value: Decimal) -> tuple[Fill, ...]:
    taken: list[Fill] = []
    for fill in reversed(fills):
        quantity = min(fill.quantity, units)
        if quantity <= 0:
            break
        taken.append(_part(fill, quantity, value))
        units -= quantity
        value -= taken[-1].price * quantity
    return tuple(reversed(taken))


def _part(fill: Fill, quantity: int, value: Decimal) -> Fill:
    """Return a part of a fill; of an average price over more units, that of the part alone."""
    if quantity == fill.quantity:
        return fill
    price = _price_of_rest(value, quantity) if is_from_order(fill) else None
    return replace(fill, quantity=quantity, price=price or fill.price)


def _price_of_rest(value: Decimal, quantity: int) -> Decimal | None:
    """Return the price of units that are worth `value` together, None if there is none."""
    price = value / quantity
    if price <= 0:
        return None
    rounded = round(price, _DECIMALS)
    return price if price == rounded else rounded


def _units(fills: Iterable[Fill]) -> int:
    return sum(fill.quantity for fill in fills)


def _value(fills: Iterable[Fill]) -> Decimal:
    return sum((fill.price * fill.quantity for fill in fills), Decimal(0))
