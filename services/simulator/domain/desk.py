"""The account at the broker with its faults, whatever market it trades on."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from libs.broker.kite.limits import KiteLimits, load_limits
from services.simulator.domain.account import Account
from services.simulator.domain.account.login import Logins
from services.simulator.domain.account.order import Order
from services.simulator.domain.errors import InputError, KiteError
from services.simulator.domain.faults.account_kinds import (
    AccountFault,
    CancelByHand,
    EndSession,
    SetFunds,
    SquareOffNow,
    TradeByHand,
    TradeIds,
)
from services.simulator.domain.faults.kinds import (
    DelayUpdate,
    Fault,
    LoseUpdate,
    RepeatUpdate,
    read_fault,
)
from services.simulator.domain.faults.order_kinds import (
    CancelOrder,
    EarlyUpdate,
    LateFill,
    RefuseSlice,
    RejectOrder,
)
from services.simulator.domain.faults.schedule import BookedFault, FaultBook

SECOND_MS = 1000
Update = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Posting:
    """An order update to be sent after `wait_seconds` of the wall clock (0: at once)."""

    update: Update
    wait_seconds: float = 0.0


class Desk(ABC):
    """Orders in, order updates out, with faults; a subclass has the clock and the market."""

    def __init__(self, account: Account, logins: Logins, trading_day: date) -> None:
        self.account, self.logins = account, logins
        self.faults = FaultBook(trading_day)
        self.limits: KiteLimits = load_limits(trading_day)
        self._held_back: list[tuple[int, Update]] = []
        self._early: list[Posting] = []

    @property
    @abstractmethod
    def now_ms(self) -> int:
        """The exchange's clock in epoch ms."""

    def add_fault(self, fields: Mapping[str, Any]) -> BookedFault:
        """Book a fault; raises InputError, in one line, for one that cannot be."""
        fault = read_fault(fields)
        self.check(fault)
        return self.faults.add(fault)

    def check(self, fault: Fault) -> None:
        """Raise InputError now for what would fail when the fault is due."""
        if isinstance(fault, TradeByHand) and not self.account.knows(*fault.key):
            raise InputError(f"trade_by_hand: tradingsymbol: no {':'.join(fault.key)}")

    def act(self, fields: Mapping[str, Any]) -> None:
        """Let something happen to the account now; raises KiteError if that is refused."""
        fault = read_fault(fields)
        if not isinstance(fault, AccountFault):
            raise InputError(f"kind: {fault.kind} does not happen to the account: book it")
        self.check(fault)
        self._happen(fault)

    def place(self, variety: str, fields: Mapping[str, str]) -> dict[str, Any]:
        """Register an order as the account does, with the faults of placing."""
        account, now_ms, refused = self.account, self.now_ms, {}
        if fields.get("autoslice", "").lower() == "true":
            fault = self.faults.for_placing(RefuseSlice, now_ms)
            refused = {fault.slice: fault.message} if fault else {}
        reply = account.place(variety, fields, now_ms, refused)
        if self.faults.for_placing(EarlyUpdate, now_ms) is not None:
            account.acts.hurry(_order_ids(reply), now_ms)
            self._early += self._postings(account.take_updates())
        return reply

    def shown(self, method: str, path: str, reply: Any) -> Any:
        """Return a reply as the client gets it: with the faults of its rows, net ones or CSV."""
        is_net = isinstance(reply, dict) and "net" in reply
        rows = reply["net"] if is_net else reply
        if method != "GET" or not isinstance(rows, list | str):
            return reply
        fault = self.faults.for_rows(path, self.now_ms)
        if fault is None:
            return reply
        if isinstance(rows, str):
            return fault.shown_table(rows)
        return {**reply, "net": fault.shown(rows)} if is_net else fault.shown(rows)

    def take_early(self) -> list[Posting]:
        """Return the order updates that are to be sent before the reply of this request."""
        early, self._early = self._early, []
        return early

    def settle(self) -> list[Posting]:
        """Let the faults happen that are due, match the orders, and give the order updates."""
        for booked, fault in self.faults.due_on_account(self.now_ms):
            try:
                self._happen(fault)
            except KiteError as error:
                booked.refused = str(error)
        for order in self.account.acts.due(self.now_ms):
            self._strike(order)
        self.account.match(self.now_ms)
        return [*self._due(), *self._postings(self.account.take_updates())]

    def _happen(self, fault: AccountFault) -> None:
        acts, now_ms = self.account.acts, self.now_ms
        match fault:
            case TradeByHand():
                self.account.place("regular", fault.form(), now_ms)
            case CancelByHand():
                for order in acts.due(now_ms):
                    if order.takes_changes and fault.matches(order, order.terms.has_trigger):
                        self.account.cancel(order.variety, order.order_id, now_ms)
            case SquareOffNow(exchange=exchange):
                acts.square_off(exchange, now_ms)
            case SetFunds(rupees=rupees):
                acts.set_funds(rupees)
            case TradeIds(numbering=numbering, first=first):
                acts.number_trades(by_exchange=numbering == "exchange", first=first)
            case EndSession():
                self.logins.expire()

    def _strike(self, order: Order) -> None:
        """Apply the fault that hits an order in its state, if there is one."""
        acts, now_ms = self.account.acts, self.now_ms
        match self.faults.for_order(order, now_ms):
            case RejectOrder(when="before", message=message):
                acts.reject(order, message, now_ms)
            case RejectOrder(message=message):
                if acts.accept(order, now_ms):
                    acts.reject(order, message, now_ms)
            case CancelOrder(message=message):
                if acts.accept(order, now_ms):
                    acts.cancel(order, message, now_ms)
            case LateFill(quantity=quantity):
                acts.fill(order, quantity, now_ms)

    def _due(self) -> Iterator[Posting]:
        """Delayed updates that are due now."""
        due = [update for at_ms, update in self._held_back if at_ms <= self.now_ms]
        self._held_back = [held for held in self._held_back if held[0] > self.now_ms]
        return (Posting(update) for update in due)

    def _postings(self, updates: Sequence[Update]) -> Iterator[Posting]:
        for update in updates:
            yield from self._posted(update)

    def _posted(self, update: Update) -> list[Posting]:
        """Return the postings of an update: none, one, late or several, as the faults say."""
        match self.faults.for_update(self.now_ms):
            case LoseUpdate():
                return []
            case RepeatUpdate(copies=copies):
                return [Posting(update)] * copies
            case DelayUpdate(seconds=seconds, clock="wall"):
                return [Posting(update, seconds)]
            case DelayUpdate(seconds=seconds):
                self._held_back.append((self.now_ms + round(seconds * SECOND_MS), update))
                return []
            case _:
                return [Posting(update)]


def _order_ids(reply: Mapping[str, Any]) -> list[str]:
    """Return the orders that a placing registered: its children, or the one order."""
    children = reply.get("children", [reply])
    return [child["order_id"] for child in children if "order_id" in child]
