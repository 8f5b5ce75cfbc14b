"""What is cancelled and what is closed: a pure function of what the broker shows."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from libs.broker.port import OrderUpdate, is_flatten_tag, is_own_tag
from services.local.flatten.account import AccountNow, ContractKey, key_of
from services.local.flatten.books import Booked, carried

PRODUCTS = ("NRML", "MIS")
"""The products that orders can be sent for here."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What is to be closed: what our tags hold, contracts by name, or the whole account.

    `books` are the fills of our books, those of earlier days too; None: nobody could be asked.
    """

    contracts: frozenset[str] = frozenset()
    is_all: bool = False
    books: tuple[Booked, ...] | None = None

    def takes_all_of(self, key: ContractKey) -> bool:
        """Whether all that the account has of a contract is meant, whoever bought it."""
        return self.is_all or key.tradingsymbol in self.contracts


@dataclass(frozen=True, slots=True)
class Target:
    """A contract to be closed: `units` are to be sold, or bought back where negative.

    `net` is what the account has. `blocked` units are held, and are in sales by hand: they are not
    sold twice.
    """

    key: ContractKey
    units: int
    net: int
    blocked: int = 0


@dataclass(frozen=True, slots=True)
class FlattenPlan:
    """Orders to cancel, contracts to close, and what is left as it is.

    `unknown`: held, and nobody here knows by whom; `by_hand`: not ours; `untradable`: meant, in a
    product that is sold by hand only. Each with its net units.
    """

    cancels: tuple[OrderUpdate, ...] = ()
    targets: tuple[Target, ...] = ()
    unknown: Mapping[ContractKey, int] = field(default_factory=dict)
    by_hand: Mapping[ContractKey, int] = field(default_factory=dict)
    untradable: Mapping[ContractKey, int] = field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to cancel or to close."""
        return not (self.cancels or self.targets)

    @property
    def is_flat(self) -> bool:
        """Whether it is certain that nothing that was meant is held, and nothing works."""
        return self.is_done and not (self.unknown or self.untradable)


def plan_of(account: AccountNow, scope: Scope) -> FlattenPlan:
    """Return what is to be done about an account."""
    ours, nets = _ours(account, scope), account.nets()
    wanted = {key: _wanted(key, net, ours.get(key, 0), scope) for key, net in nets.items()}
    may_trade = {key: units for key, units in wanted.items() if key.product in PRODUCTS}
    targets = [_target(key, units, account) for key, units in may_trade.items() if units]
    meant = {one.key for one in targets}
    rest = {key: net - wanted[key] for key, net in nets.items() if net != wanted[key]}
    is_known = scope.books is not None
    return FlattenPlan(
        cancels=tuple(one for one in account.working() if _is_meant(one, scope, meant)),
        targets=tuple(targets),
        unknown={} if is_known else rest,
        by_hand=rest if is_known else {},
        untradable={key: units for key, units in wanted.items() if units and key not in may_trade},
    )


def _ours(account: AccountNow, scope: Scope) -> dict[ContractKey, int]:
    """Return what our tags hold by contract: of earlier days, as far as known, and of today."""
    ours = carried(scope.books or (), account.orders)
    for key, units in account.traded_by_us().items():
        ours[key] = ours.get(key, 0) + units
    return ours


def _wanted(key: ContractKey, net: int, ours: int, scope: Scope) -> int:
    """Return the units to close: never more than the account has, on the side that it has them."""
    if scope.takes_all_of(key):
        return net
    if net * ours <= 0:
        return 0
    return min(net, ours) if net > 0 else max(net, ours)


def _target(key: ContractKey, wanted: int, account: AccountNow) -> Target:
    """Return the target; units in orders by hand that close them too are left to those."""
    net = account.net(key)
    side = "SELL" if wanted > 0 else "BUY"
    by_hand = sum(
        one.working_quantity
        for one in account.working()
        if key_of(one) == key and one.transaction_type == side and not is_own_tag(one.tag)
    )
    free = max(0, min(abs(wanted), abs(net) - by_hand))
    return Target(key, free if wanted > 0 else -free, net, abs(wanted) - free)


def _is_meant(order: OrderUpdate, scope: Scope, closing: Collection[ContractKey]) -> bool:
    """Whether a working order is to be cancelled: ours, or any where all of it is closed.

    Orders of this command are the means, whoever runs it, while there is something to close.
    """
    key = key_of(order)
    if is_flatten_tag(order.tag):
        return key not in closing
    return is_own_tag(order.tag) or scope.takes_all_of(key)
