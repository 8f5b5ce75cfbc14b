"""One contract by one snapshot: what its differences would be, if the snapshot is true."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from libs.broker.port import OrderUpdate, is_flatten_tag
from services.executor.domain.reconciliation.attribution import Attribution, Step
from services.executor.domain.reconciliation.findings import (
    Adopt,
    Correct,
    Difference,
    Foreign,
    Oversold,
    Quarantine,
)
from services.executor.domain.reconciliation.rows import BrokerRows, key_of
from services.executor.domain.reconciliation.snapshot import (
    AccountSnapshot,
    ContractKey,
    OurContract,
    OurOrder,
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a snapshot says of a contract; `gone` units of ours nobody sold, as it seems.

    `evidence` is what it was seen from: while that moves, nothing new is certain.
    """

    key: ContractKey
    underlying: str
    held: int
    net: int
    adopted: tuple[Adopt, ...]
    differences: tuple[Difference, ...]
    foreign: Foreign | None
    gone: int = 0
    evidence: tuple[int, ...] = ()


def compare(contract: OurContract, snapshot: AccountSnapshot) -> Comparison:
    """Compare our books of a contract with a snapshot that was `completed`."""
    return _Comparing(contract, snapshot).result()


def foreign_of(key: ContractKey, snapshot: AccountSnapshot) -> Foreign | None:
    """Return what the owner has of a contract that is not in our books, None for nothing."""
    rows = BrokerRows.of(key, snapshot)
    return _foreign(key, rows.net, rows.orders)


class _Comparing:
    def __init__(self, contract: OurContract, snapshot: AccountSnapshot) -> None:
        self._contract = contract
        self._snapshot = snapshot
        self._rows = rows = BrokerRows.of(contract.key, snapshot)
        self._own = [one for one in rows.orders if contract.is_ours(one)]
        own_ids = {
            *(one.broker_order_id for one in self._own),
            *(one.broker_order_id for one in contract.orders),
        }
        flattening = {one.broker_order_id for one in rows.orders if is_flatten_tag(one.tag)}
        self._steps = [
            Step(one, one.broker_order_id in own_ids, one.broker_order_id in flattening)
            for one in rows.trades
        ]

    def result(self) -> Comparison:
        attribution = self._attributed()
        differences: list[Quarantine] = self._unreadable() or self._behind()
        is_comparable = not differences
        gone = min(attribution.missing, attribution.gone_before) if is_comparable else 0
        manual = attribution.manual + gone if is_comparable else 0
        foreign = [one for one in self._rows.orders if one not in self._own]
        return Comparison(
            key=self._contract.key,
            underlying=self._contract.underlying,
            held=self._contract.held,
            net=self._rows.net,
            adopted=tuple(self._adopted()),
            differences=self._found(attribution) if is_comparable else tuple(differences),
            foreign=_foreign(self._contract.key, manual, foreign),
            gone=gone if self._is_gone_for_good() else 0,
            evidence=(self._contract.held, self._rows.net, *self._traded_units()),
        )

    def _found(self, attribution: Attribution) -> tuple[Difference, ...]:
        if self._contract.has_expired:
            # The account shows what was settled for a while longer.
            is_settled = not self._contract.held
            left = self._settled(attribution)
            return () if is_settled else (*attribution.corrections, *left)
        unexplained = self._unexplained(attribution)
        return (*unexplained, *attribution.corrections, *self._oversold(attribution))

    def _attributed(self) -> Attribution:
        """Attribute the day's trades, from what was there when the day began."""
        contract, steps = self._contract, self._steps
        booked = sum(
            contract.booked.get(one.trade_id, 0) * (1 if one.signed > 0 else -1)
            for one in steps
            if not one.is_ours
        )
        held = contract.held - self._filled_today() - booked
        at_start = self._rows.net - sum(one.signed for one in steps)
        attribution = Attribution(contract, held, at_start - held)
        attribution.go_through(steps)
        return attribution

    def _filled_today(self) -> int:
        today = [one for one in self._contract.orders if one.is_today]
        return sum(one.filled if one.transaction_type == "BUY" else -one.filled for one in today)

    def _ahead(self) -> int:
        """Return units that our books have filled today and the trade book does not show."""
        today = [one for one in self._contract.orders if one.is_today and one.filled]
        return sum(max(0, one.filled - self._traded(one)) for one in today)

    def _traded(self, order: OurOrder) -> int:
        under_tag = (one for one in self._own if self._is_same(order, one))
        ids = {order.broker_order_id, *(one.broker_order_id for one in under_tag)}
        return sum(one.fill.quantity for one in self._rows.trades if one.broker_order_id in ids)

    def _traded_units(self) -> tuple[int, int]:
        return len(self._steps), sum(one.trade.fill.quantity for one in self._steps)

    def _adopted(self) -> list[Adopt]:
        """Return the orders of which the broker has more fills, or an end, than our books."""
        adopted = []
        for order in self._own:
            update = replace(order, fills=self._rows.fills_of(order))
            if self._is_news(update):
                adopted.append(Adopt(self._contract.key, update))
        return adopted

    def _is_news(self, update: OrderUpdate) -> bool:
        """Whether it may still do something that we do not know of, or has filled more.

        Fills are counted by tag: a second order of one tag is in our books of the first.
        """
        ours = [one for one in self._contract.orders if self._is_same(one, update)]
        under_tag = [one for one in self._own if any(self._is_same(our, one) for our in ours)]
        filled = sum(sum(fill.quantity for fill in self._rows.fills_of(one)) for one in under_tag)
        if filled > sum(one.filled for one in ours):
            return True
        known = [one for one in ours if one.broker_order_id == update.broker_order_id]
        if not known and update.status == "OPEN":
            return True
        awaited = known or [one for one in ours if not one.broker_order_id]
        return update.status != "OPEN" and any(not one.has_ended for one in awaited)

    @staticmethod
    def _is_same(ours: OurOrder, update: OrderUpdate) -> bool:
        is_of_id = bool(ours.broker_order_id) and ours.broker_order_id == update.broker_order_id
        return is_of_id or (bool(update.tag) and ours.tag == update.tag)

    def _unreadable(self) -> list[Quarantine]:
        rows = [one for one in self._snapshot.unreadable if one.concerns(self._contract)]
        return [self._quarantine(f"{one.kind} {one.name} cannot be read") for one in rows]

    def _behind(self) -> list[Quarantine]:
        ahead = self._ahead()
        if not ahead:
            return []
        return [self._quarantine(f"the broker's trades lack {ahead} units that we booked")]

    def _unexplained(self, attribution: Attribution) -> list[Quarantine]:
        missing, covered = attribution.missing, attribution.covered_before
        found = []
        if missing:
            found.append(self._quarantine(self._why_missing(missing, attribution.gone_before)))
        if covered:
            short = f"our books are short of {covered} units, and the account is not"
            found.append(self._quarantine(short))
        return found

    def _why_missing(self, missing: int, gone: int) -> str:
        if other := self._other_product():
            return f"{missing} units were moved to product {other}"
        if gone:
            return f"the account lacks {missing} units, and no trade says why"
        return f"the account lacks {missing} units of ours: its owner is short of as many"

    def _is_gone_for_good(self) -> bool:
        """Whether missing units may be booked at last: nothing else can explain them."""
        is_told = bool(self._snapshot.positions) and not self._snapshot.unreadable
        return is_told and not self._other_product() and not self._contract.has_expired

    def _other_product(self) -> str:
        """Return another product in which the account holds the same contract, empty: none."""
        exchange, tradingsymbol, product = self._contract.key
        return next(
            (
                one.product
                for one in self._snapshot.positions
                if (one.exchange, one.tradingsymbol) == (exchange, tradingsymbol)
                and one.product != product
                and one.quantity > 0
            ),
            "",
        )

    def _settled(self, attribution: Attribution) -> list[Correct]:
        """Return the settlement of what is still held when the contract is not traded any more."""
        if not attribution.held:
            return []
        side, quantity = ("SELL" if attribution.held > 0 else "BUY"), abs(attribution.held)
        return [Correct(self._contract.key, side, quantity, "expiry")]  # type: ignore[arg-type]

    def _oversold(self, attribution: Attribution) -> list[Oversold]:
        known = self._contract.covering + attribution.covered_before
        quantity = -attribution.held - known
        return [Oversold(self._contract.key, quantity)] if quantity > 0 else []

    def _quarantine(self, why: str) -> Quarantine:
        return Quarantine(self._contract.key, self._contract.underlying, why)


def _foreign(key: ContractKey, quantity: int, orders: Sequence[OrderUpdate]) -> Foreign | None:
    working = {
        side: sum(one.working_quantity for one in orders if one.transaction_type == side)
        for side in ("BUY", "SELL")
    }
    if not quantity and not any(working.values()):
        return None
    return Foreign(key, quantity, working["BUY"], working["SELL"])


def foreign_keys(snapshot: AccountSnapshot, ours: Sequence[OurContract]) -> list[ContractKey]:
    """Return the contracts that only the owner trades, in the order of the broker's rows."""
    known = {one.key for one in ours}
    rows = [*snapshot.positions, *snapshot.orders]
    keys = dict.fromkeys(key_of(one) for one in rows)
    return [one for one in keys if one not in known and one.tradingsymbol]
