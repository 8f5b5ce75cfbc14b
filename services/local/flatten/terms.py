"""What an order in a contract must keep to: freeze quantity, lot, price range, kind of contract.

They come from the packaged rules, so that nothing needs to be asked for.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from libs.market.price_limits import PriceReach, option_price_limits
from libs.market.rulebook import Rulebook, RulebookError
from services.local.flatten.account import ContractKey

TICK = Decimal("0.05")
"""The bid and the ask are on the grid already, and a multiple of this is on every grid."""
_DERIVATIVES = ("NFO", "BFO")
_ONE_PERCENT = PriceReach(Decimal(0), Decimal(0), Decimal(1))
"""How far beyond the last price what is no option is sold at last."""


@dataclass(frozen=True, slots=True)
class Terms:
    """`largest` units go into one order, whole lots; None: no limit. `reach` is of prices."""

    largest: int | None
    reach: PriceReach
    tick_size: Decimal = TICK

    def slices(self, quantity: int) -> tuple[int, ...]:
        """Return the quantities of the orders for `quantity` units."""
        largest = self.largest or quantity
        return tuple(min(largest, quantity - start) for start in range(0, quantity, largest))


def terms_of(key: ContractKey, rulebook: Rulebook, day: date) -> Terms:
    """Return the terms of a contract on a day."""
    name = underlying_of(key, rulebook)
    reach = _ONE_PERCENT
    if _is_option(key):
        limits = option_price_limits(day)
        reach = limits.protection(name in rulebook.index_strike_steps)
    return Terms(_largest(key, name, rulebook, day), reach)


def underlying_of(key: ContractKey, rulebook: Rulebook) -> str:
    """Return the underlying that a contract's symbol begins with, empty if none is known."""
    known = (*rulebook.lots, *rulebook.freezes)
    return max((one for one in known if key.tradingsymbol.startswith(one)), key=len, default="")


def _largest(key: ContractKey, name: str, rulebook: Rulebook, day: date) -> int | None:
    if key.exchange not in _DERIVATIVES:
        return None
    try:
        freeze, lot = rulebook.freeze_quantity(name, day), rulebook.lot_size(name, day)
    except RulebookError:
        return None
    return max(freeze.value // lot.value, 1) * lot.value


def _is_option(key: ContractKey) -> bool:
    return key.exchange in _DERIVATIVES and key.tradingsymbol.endswith(("CE", "PE"))
