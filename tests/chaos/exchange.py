"""The simulator's account as the exchange of a run, and what is found out about it on the side."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from libs.market.rulebook import load_rulebook
from services.simulator.domain.account import Account, AccountRules
from tests.chaos.market import Market

T = TypeVar("T")
Row = dict[str, Any]
RULES = AccountRules(funds=Decimal(1_000_000_000))
"""Funds for any short position: the broker's refusal must not hide that we wanted one."""
FIRST_TRADE = 10_000_000
RACE_MS = 1_500
"""A sale by hand so shortly before ours arrives that no read could have seen it in time."""


class Listener(Protocol):
    """A client's websocket."""

    def hear(self, row: Row, trades: list[Row]) -> None:
        """Take an order update, with the order's trades."""


@dataclass(slots=True)
class Side:
    """What is held of a contract (units): by our orders, and by what was traded by hand."""

    ours: int = 0
    by_hand: int = 0
    sold_by_hand_ms: int = 0
    short_ms: int | None = None
    is_race: bool = False
    was_race: bool = False

    def take(self, quantity: int, *, is_ours: bool, at_ms: int, arrived_ms: int) -> bool:
        """Count a fill, negative for a sale; return whether it is a short of our own making."""
        if is_ours:
            self.ours += quantity
            return self._is_short(quantity, at_ms, arrived_ms)
        if quantity < 0:
            from_hand = min(-quantity, max(self.by_hand, 0))
            from_ours = min(-quantity - from_hand, max(self.ours, 0))
            self.ours -= from_ours
            self.by_hand += quantity + from_ours
            self.sold_by_hand_ms = at_ms
        else:
            self.by_hand += quantity
        return False

    def _is_short(self, quantity: int, at_ms: int, arrived_ms: int) -> bool:
        if self.ours >= 0:
            self.short_ms = None
            return False
        self.short_ms = self.short_ms or at_ms
        self.is_race = bool(self.sold_by_hand_ms) and self.sold_by_hand_ms >= arrived_ms - RACE_MS
        self.was_race |= self.is_race
        return quantity < 0 and not self.is_race


@dataclass(slots=True)
class Seen:
    """What an observer of the exchange notes."""

    sides: dict[str, Side] = field(default_factory=lambda: defaultdict(Side))
    orders_of: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    arrived_ms: dict[str, int] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[int, str]] = field(default_factory=list)
    wrong: list[tuple[str, str]] = field(default_factory=list)
    fills: int = 0
    filled: Counter[str] = field(default_factory=Counter)
    modified: Counter[str] = field(default_factory=Counter)


class Exchange:
    """One account; requests take their time to it and back, and outlive the client."""

    def __init__(self, market: Market, now_ms: Callable[[], int]) -> None:
        self.market, self.now_ms = market, now_ms
        self.account = Account("AB1234", market, load_rulebook(), RULES)
        self.listeners: list[Listener] = []
        self.seen = Seen()
        self.is_planned: Callable[[str], bool] = lambda _: True
        self.no_session_until_ms = self.no_rest_until_ms = 0
        self.lost_sales = 0
        """How many sales do not leave for want of a connection."""
        self.is_silent = False
        """Whether the websockets say nothing."""
        self.is_polled = True
        """Whether the clients ask for the order book from time to time."""
        self.mischief: Callable[[str], bool] = lambda _: False
        """Whether the exchange does something of its own to the order at hand, by its name."""
        self.under_way = 0
        """How many requests have not arrived yet."""
        self.numbers_by_order = False
        """Whether trade ids begin anew with each order."""

    def send(self, call: Callable[[], T], travels: float, returns: float) -> "asyncio.Future[T]":
        """Let a request travel; the future is its reply. It arrives even if nobody waits."""
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[T] = loop.create_future()

        self.under_way += 1

        def arrive() -> None:
            self.under_way -= 1
            try:
                value = call()
            except Exception as error:  # noqa: BLE001  the reply, for whoever waits
                loop.call_later(returns, _answer, reply, None, error)
            else:
                loop.call_later(returns, _answer, reply, value, None)

        loop.call_later(travels, arrive, context=Context())
        return reply

    def place(self, fields: dict[str, str]) -> str:
        """Take an order; note whether its plan was published, and whether it is the first."""
        now_ms, tag = self.now_ms(), fields.get("tag", "")
        if tag:
            self.seen.requests.append((now_ms, "place"))
            if not self.is_planned(tag):
                self.seen.wrong.append(("plan_first", f"{tag} arrived without a published plan"))
        placed: str = self.account.place("regular", fields, now_ms)["order_id"]
        self.seen.arrived_ms[placed] = now_ms
        self.seen.tags[placed] = tag
        if tag:
            self.seen.orders_of[tag].append(placed)
            if len(self.seen.orders_of[tag]) > 1:
                self.seen.wrong.append(("one_order_a_plan", f"{tag} is twice at the exchange"))
        return placed

    def modify(self, order_id: str, fields: dict[str, str]) -> None:
        """Change an order."""
        self.seen.requests.append((self.now_ms(), "modify"))
        self.seen.modified[order_id] += 1
        self.account.modify("regular", order_id, fields, self.now_ms())

    def cancel(self, order_id: str) -> None:
        """Cancel an order."""
        self.seen.requests.append((self.now_ms(), "cancel"))
        self.account.cancel("regular", order_id, self.now_ms())
        if self.mischief("fill_while_cancelled"):
            order = next(
                one for one in self.account.acts.due(self.now_ms()) if one.order_id == order_id
            )
            self.account.acts.fill(order, None, self.now_ms())

    def by_hand(self, side: str, tradingsymbol: str, quantity: int, price: str = "") -> str:
        """Trade by hand: at the market, or with an order that rests at a price."""
        fields = {
            "exchange": "NFO",
            "tradingsymbol": tradingsymbol,
            "transaction_type": side,
            "order_type": "LIMIT" if price else "MARKET",
            "quantity": str(quantity),
            "product": "NRML",
            "validity": "DAY",
        }
        fields |= {"price": price} if price else {"market_protection": "-1"}
        return self.place(fields)

    def square_off(self) -> None:
        """Close what is intraday, as the broker does; orders that are on their way are refused."""
        acts, now_ms = self.account.acts, self.now_ms()
        for order in self.account._parts.book.working():
            if order.is_waiting:
                acts.reject(order, "Intraday orders are not allowed any more.", now_ms)
        acts.square_off("NFO", now_ms)

    def second(self) -> None:
        """Match the orders with the market's new quotes, and tell the clients."""
        self._meddle()
        self.account.match(self.now_ms())
        updates = self.account.take_updates()
        if updates:
            self._count_fills()
        for row in updates:
            trades = [one for one in self.trades() if one["order_id"] == row["order_id"]]
            for listener in [] if self.is_silent else list(self.listeners):
                listener.hear(row, trades)

    def orders(self) -> list[tuple[Row, list[Row]]]:
        """Return the order book, each order with its trades."""
        trades = defaultdict(list)
        for trade in self.trades():
            trades[trade["order_id"]].append(trade)
        return [(row, trades[row["order_id"]]) for row in self.account.orders()]

    def _meddle(self) -> None:
        """Accept an order of ours, and then reject or cancel it all the same."""
        acts, now_ms = self.account.acts, self.now_ms()
        for order in acts.due(now_ms):
            if not order.tag or not order.is_waiting:
                continue
            if self.mischief("rejected_in_book") and acts.accept(order, now_ms):
                acts.reject(order, "rejected by the exchange", now_ms)
            elif self.mischief("cancelled_in_book") and acts.accept(order, now_ms):
                acts.cancel(order, "cancelled by the exchange", now_ms)

    def trades(self) -> list[Row]:
        """Return the day's trade book; its numbers begin anew each day, or with each order."""
        rows, count = self.account.trades(), Counter[str]()
        for row in rows:
            place = row["order_id"] if self.numbers_by_order else ""
            count[place] += 1
            row["trade_id"] = str(FIRST_TRADE + count[place])
        return rows

    def begin_day(self, day: date) -> None:
        """Begin another trading day with what is held."""
        self.market.trading_day = day
        dumped = self.account.dump()
        self.account = Account.load(dumped, self.market, load_rulebook(), RULES)
        self.seen.fills = 0

    def net(self) -> Counter[str]:
        """Return the net units by contract."""
        rows = self.account.positions()["net"]
        return Counter({row["tradingsymbol"]: row["quantity"] for row in rows})

    def working(self, side: str) -> list[Row]:
        """Return our orders that may still fill."""
        return [
            row
            for row in self.account.orders()
            if row["tag"] and row["pending_quantity"] and row["transaction_type"] == side
        ]

    def _count_fills(self) -> None:
        trades = self.account.trades()
        for trade in trades[self.seen.fills :]:
            side = self.seen.sides[trade["tradingsymbol"]]
            sign = 1 if trade["transaction_type"] == "BUY" else -1
            order_id = trade["order_id"]
            self.seen.filled[self.seen.tags.get(order_id, "")] += trade["quantity"]
            is_short = side.take(
                sign * trade["quantity"],
                is_ours=bool(self.seen.tags.get(order_id)),
                at_ms=self.now_ms(),
                arrived_ms=self.seen.arrived_ms.get(order_id, 0),
            )
            if is_short:
                reason = f"{-side.ours} units of {trade['tradingsymbol']} sold that were not held"
                self.seen.wrong.append(("never_short", reason))
        self.seen.fills = len(trades)


def _answer(reply: "asyncio.Future[Any]", value: object, error: Exception | None) -> None:
    if reply.done():
        return
    if error is None:
        reply.set_result(value)
    else:
        reply.set_exception(error)
        reply.exception()  # nobody may be left to take it
