"""An account at a broker, our books beside it, and snapshots that may be torn."""

from dataclasses import dataclass, field, replace
from decimal import Decimal

from libs.broker.port import Fill, NetPosition, OrderUpdate, Side, Trade
from services.executor.domain.reconciliation import (
    AccountSnapshot,
    Adopt,
    ContractKey,
    Correct,
    Finding,
    OurContract,
    OurOrder,
    Reconciler,
    UnreadableRow,
)

KEY = ContractKey("NFO", "NIFTY2661625000CE", "NRML")
LOT = 75
START_MS = 1_000_000
MINUTE_MS = 60_000


@dataclass(slots=True)
class Account:
    """What the broker has of one contract: its orders and trades, and what was there before.

    `now_ms` is the time of the next trade or snapshot.
    """

    key: ContractKey = KEY
    carried: int = 0
    orders: list[OrderUpdate] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    now_ms: int = START_MS

    def trade(self, side: Side, quantity: int, tag: str = "", price: str = "100.00") -> str:
        """Fill an order, by hand without a tag; return the broker's order id."""
        self.now_ms += 1000
        number = self._number()
        fill = Fill(f"{len(self.trades) + 1}", quantity, Decimal(price), self.now_ms)
        self.orders.append(self._update(number, tag, side, quantity, (fill,)))
        exchange, tradingsymbol, product = self.key
        self.trades.append(Trade(number, tradingsymbol, side, fill, exchange, product))
        return number

    def rest(self, side: Side, quantity: int, tag: str = "") -> None:
        """Add an order that works without a fill."""
        number = self._number()
        self.orders.append(replace(self._update(number, tag, side, quantity, ()), status="OPEN"))

    def _number(self) -> str:
        return f"{self.key.tradingsymbol}-{len(self.orders)}"

    def _update(
        self, number: str, tag: str, side: Side, quantity: int, fills: tuple[Fill, ...]
    ) -> OrderUpdate:
        exchange, tradingsymbol, product = self.key
        return OrderUpdate(
            broker_order_id=number,
            tag=tag,
            status="COMPLETE",
            at_ms=self.now_ms,
            fills=fills,
            exchange=exchange,
            tradingsymbol=tradingsymbol,
            transaction_type=side,
            product=product,
            quantity=quantity,
        )

    @property
    def net(self) -> int:
        """Units of the net position."""
        signs = {"BUY": 1, "SELL": -1}
        traded = sum(signs[one.transaction_type] * one.fill.quantity for one in self.trades)
        return self.carried + traded

    def positions(self) -> tuple[NetPosition, ...]:
        """The net positions."""
        return (NetPosition(*self.key, self.net),)

    def snapshot(self, *unreadable: UnreadableRow) -> AccountSnapshot:
        """All lists of one moment."""
        orders, trades = tuple(self.orders), tuple(self.trades)
        return AccountSnapshot(orders, trades, self.positions(), unreadable)


@dataclass(slots=True)
class Books:
    """Our books of the contract; they hear of an order's fills only when they adopt them."""

    contract: OurContract = field(default_factory=lambda: OurContract(KEY, "NIFTY", LOT, 0, 0))

    def send(self, side: Side, quantity: int, tag: str, *, is_cover: bool = False) -> None:
        """Send an order: it works, and its id is not known yet."""
        order = OurOrder(tag, "", side, 0, quantity, is_cover=is_cover)
        self.contract = replace(self.contract, orders=(*self.contract.orders, order))

    def hear(self, update: OrderUpdate) -> None:
        """Book the fills of an update."""
        (known,) = (one for one in self.contract.orders if one.tag == update.tag)
        news = update.filled_quantity - known.filled
        order = replace(
            known,
            broker_order_id=update.broker_order_id,
            filled=update.filled_quantity,
            working=update.working_quantity,
            has_ended=update.status != "OPEN",
        )
        orders = tuple(order if one.tag == update.tag else one for one in self.contract.orders)
        self.contract = replace(self.contract, orders=orders)
        self._count(order.transaction_type, news)

    def book(self, correction: Correct) -> None:
        """Book what was closed without an order of ours."""
        if correction.trade is not None:
            booked = {**self.contract.booked, correction.trade: correction.quantity}
            self.contract = replace(self.contract, booked=booked)
        self._count(correction.transaction_type, correction.quantity)

    def _count(self, side: Side, quantity: int) -> None:
        changes = (
            {"bought": self.contract.bought + quantity}
            if side == "BUY"
            else {"sold": self.contract.sold + quantity}
        )
        self.contract = replace(self.contract, **changes)  # type: ignore[arg-type]


@dataclass(slots=True)
class World:
    """An account, our books and the reconciler between them."""

    account: Account = field(default_factory=Account)
    books: Books = field(default_factory=Books)
    reconciler: Reconciler = field(default_factory=Reconciler)

    def trade(self, side: Side, quantity: int, tag: str, *, is_cover: bool = False) -> None:
        """Send an order of ours, which fills and is booked."""
        self.books.send(side, quantity, tag, is_cover=is_cover)
        self.account.trade(side, quantity, tag)
        self.books.hear(self.account.orders[-1])

    def look(
        self, snapshot: AccountSnapshot | None = None, after_ms: int = MINUTE_MS
    ) -> tuple[Finding, ...]:
        """Reconcile with a snapshot, the account's own by default; change no books."""
        self.account.now_ms += after_ms
        seen = snapshot or self.account.snapshot()
        return self.reconciler.on_snapshot(seen, (self.books.contract,), self.account.now_ms)

    def settle(self) -> tuple[Finding, ...]:
        """Reconcile twice, do what was found, and return it."""
        self.look()
        found = self.look()
        for one in found:
            if isinstance(one, Correct):
                self.books.book(one)
            elif isinstance(one, Adopt):
                self.books.hear(one.update)
        return found
