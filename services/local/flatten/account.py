"""The account as the broker shows it, and which part of it is ours."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from libs.broker.port import NetPosition, OrderUpdate, is_flatten_tag, is_own_tag


class ContractKey(NamedTuple):
    """A contract in one product: what the broker nets."""

    exchange: str
    tradingsymbol: str
    product: str

    def __str__(self) -> str:
        return f"{self.exchange}:{self.tradingsymbol} {self.product}"


@dataclass(frozen=True, slots=True)
class AccountNow:
    """The day's order book and the net positions; `asked_ms` (monotonic) is before both reads."""

    orders: Sequence[OrderUpdate]
    positions: Sequence[NetPosition]
    asked_ms: int = 0

    def nets(self) -> dict[ContractKey, int]:
        """Return the net units of each contract that is not square, negative for a short."""
        nets: dict[ContractKey, int] = defaultdict(int)
        for one in self.positions:
            nets[ContractKey(one.exchange, one.tradingsymbol, one.product)] += one.quantity
        return {key: net for key, net in nets.items() if net}

    def net(self, key: ContractKey) -> int:
        """Return the net units of a contract."""
        return self.nets().get(key, 0)

    def traded_by_us(self) -> Mapping[ContractKey, int]:
        """Return what orders with our tags bought less what they sold today, in units."""
        traded: dict[ContractKey, int] = defaultdict(int)
        for one in self.orders:
            if is_own_tag(one.tag):
                traded[key_of(one)] += signed(one, one.filled_quantity)
        return traded

    def working(self) -> Iterator[OrderUpdate]:
        """Yield the orders that may still fill, also of an unknown quantity."""
        return (one for one in self.orders if one.status == "OPEN")

    def flattening(self, key: ContractKey) -> list[OrderUpdate]:
        """Return the orders of this command in a contract, whoever ran it, ended ones included."""
        return [one for one in self.orders if is_flatten_tag(one.tag) and key_of(one) == key]


def key_of(order: OrderUpdate) -> ContractKey:
    """Return the contract of an order."""
    return ContractKey(order.exchange, order.tradingsymbol, order.product)


def signed(order: OrderUpdate, units: int) -> int:
    """Return units of an order, negative for a sale."""
    return units if order.transaction_type == "BUY" else -units
