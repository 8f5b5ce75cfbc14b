"""Moving a position from one product to another."""

from collections.abc import Mapping
from dataclasses import replace

from services.simulator.domain.account.fields import one_of, read_count
from services.simulator.domain.account.order_request import (
    NOTHING,
    PRODUCTS,
    TRANSACTION_TYPES,
    find_instrument,
)
from services.simulator.domain.account.parts import AccountParts
from services.simulator.domain.account.positions import Portfolio, Position
from services.simulator.domain.errors import InputError, MarginError

_POSITION_TYPES = ("day", "overnight")


def convert(fields: Mapping[str, str], parts: AccountParts) -> bool:
    """Convert units of a position at their average price, and return True.

    Raises InputError for fields that do not fit a position, MarginError when the new product needs
    more than the funds.
    """
    instrument = find_instrument(fields, parts.market)
    products = PRODUCTS[instrument.exchange]
    held_under = one_of(fields, "old_product", products)
    product = one_of(fields, "new_product", products)
    is_overnight = one_of(fields, "position_type", _POSITION_TYPES) == "overnight"
    is_long = one_of(fields, "transaction_type", TRANSACTION_TYPES) == "BUY"
    quantity = read_count(fields, "quantity")
    place = (instrument.exchange, instrument.tradingsymbol, held_under)
    if product == held_under:
        raise InputError("Invalid `new_product`. It should not be the old product.")
    position = parts.portfolio.position(*place) if parts.portfolio.quantity(*place) else None
    if position is None or not 0 < quantity <= _convertible(position, is_long, is_overnight):
        raise InputError("There is no such open quantity to convert.")
    _check_funds(parts, position, product, quantity, is_overnight)
    parts.portfolio.convert(position, product, quantity, is_overnight)
    return True


def _convertible(position: Position, is_long: bool, is_overnight: bool) -> int:
    """Units of the open side that belong to the day or to earlier days."""
    opened = position.quantity if is_long else -position.quantity
    carried = position.overnight_quantity if is_long else -position.overnight_quantity
    traded = position.day_buy_quantity if is_long else position.day_sell_quantity
    return min(opened, carried if is_overnight else traded)


def _check_funds(
    parts: AccountParts, position: Position, product: str, quantity: int, is_overnight: bool
) -> None:
    """Try the conversion on a copy of the positions."""
    copies = {f"{p.exchange}:{p.tradingsymbol}:{p.product}": replace(p) for p in parts.portfolio}
    trial = Portfolio(copies, {})
    place = (position.exchange, position.tradingsymbol, position.product)
    trial.convert(trial.position(*place), product, quantity, is_overnight)
    orders = parts.in_book()
    before, after = parts.funds.available(orders), parts.funds_with(trial).available(orders)
    if after < min(before, NOTHING):
        raise MarginError(
            f"Insufficient funds. Required margin is {before - after:.2f} but available margin "
            f"is {before:.2f}."
        )
