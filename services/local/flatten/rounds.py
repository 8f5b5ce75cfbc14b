"""The rounds of a flatten: read, cancel, price, send, until nothing is left or time is up."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import partial

from libs.broker.errors import (
    AccountRefused,
    BrokerError,
    OrderNotSent,
    OrderRefused,
    OrderUnknown,
    SessionError,
    SessionExpired,
)
from libs.broker.port import MarketData, OrderRequest, OrderUpdate, Product, Venue
from libs.events.ticks import Column, TickColumns
from libs.market.rulebook import Rulebook
from services.executor.domain.ladder import LadderRules
from services.local.flatten.account import AccountNow, ContractKey, key_of
from services.local.flatten.closing import Act, Change, Closing, Drop, Send, Tell
from services.local.flatten.plan import FlattenPlan, Scope, Target, plan_of
from services.local.flatten.prices import Prices, price
from services.local.flatten.terms import terms_of

FRESH_MS = 700
"""The account is read again before an order, if it was read longer ago."""
CANCEL_AGAIN_MS = 3000
BLIND_ROUNDS = 3
"""After so many rounds without any price of a contract the broker's market order is used."""
ROUND_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a flatten may take, and how long it looks for late orders once it is flat.

    `doubt_ms`: how long a request may be on its way. Seconds of the machine.
    """

    seconds: float = 600.0
    watch_seconds: float = 15.0
    doubt_ms: int = 15_000


@dataclass(slots=True)
class Rounds:
    """Drives a flatten; `tell` takes lines for a person, `each_round` is called before each round.

    `now_ms` is monotonic, `sleep` waits for seconds of it; `epoch_ms` is the time of day.
    """

    venue: Venue
    market: MarketData
    scope: Scope
    rulebook: Rulebook
    day: date
    tell: Callable[[str], None]
    now_ms: Callable[[], int]
    epoch_ms: Callable[[], int]
    rules: LadderRules = field(default_factory=LadderRules)
    limits: Limits = field(default_factory=Limits)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    each_round: Callable[[], None] = lambda: None
    _closings: dict[ContractKey, Closing] = field(default_factory=dict)
    _cancelled: dict[str, int] = field(default_factory=dict)
    _tokens: dict[str, int] = field(default_factory=dict)
    _prices: dict[ContractKey, Prices] = field(default_factory=dict)
    _blind: dict[ContractKey, int] = field(default_factory=dict)

    async def read(self) -> AccountNow:
        """Return the account; BrokerError if it cannot be read."""
        asked_ms = self.now_ms()
        return AccountNow(await self.venue.orders(), await self.venue.positions(), asked_ms)

    async def plan(self) -> FlattenPlan:
        """Return what would be done now."""
        return plan_of(await self.read(), self.scope)

    async def run(self) -> FlattenPlan | None:
        """Return the plan that is left when it is done, or when time is up; None: it is not known.

        Raises SessionError without a session that the broker accepts.
        """
        ends_ms = self.now_ms() + int(1000 * self.limits.seconds)
        left: FlattenPlan | None = None
        done_ms: int | None = None
        while self.now_ms() < ends_ms or done_ms is not None:
            self.each_round()
            plan = await self._tried()
            left = plan or left
            if plan is None or not plan.is_done:
                done_ms = None
            elif done_ms is None:
                done_ms = self.now_ms()
                self._tell_watch()
            elif self.now_ms() - done_ms >= 1000 * self.limits.watch_seconds:
                break
            await self.sleep(ROUND_SECONDS)
        is_watched = done_ms is not None
        return None if left is not None and left.is_done and not is_watched else left

    def _tell_watch(self) -> None:
        seconds = self.limits.watch_seconds
        self.tell(f"nothing is left; looking for late orders for {seconds:.0f} s")

    async def _tried(self) -> FlattenPlan | None:
        """Return the plan after a round, None if the broker's books could not be read."""
        try:
            return await self._round()
        except (SessionError, AccountRefused):
            raise
        except BrokerError as error:
            self.tell(f"the broker's books cannot be read, trying again: {error}")
            return None

    async def _round(self) -> FlattenPlan:
        account = await self.read()
        plan = plan_of(account, self.scope)
        for order in plan.cancels:
            await self._cancel(order)
        pending = {key_of(one) for one in plan.cancels}
        targets = [one for one in plan.targets if one.key not in pending]
        if targets:
            await self._look_at([one.key for one in targets])
        for target in targets:
            account = await self._fresh(account)
            await self._close(target.key, account)
        return plan

    async def _fresh(self, account: AccountNow) -> AccountNow:
        is_old = self.now_ms() - account.asked_ms > FRESH_MS
        return await self.read() if is_old else account

    async def _cancel(self, order: OrderUpdate) -> None:
        """Cancel an order that is not of this command, and again if that does not come about."""
        asked = self._cancelled.get(order.broker_order_id)
        if asked is not None and self.now_ms() - asked < CANCEL_AGAIN_MS:
            return
        self._cancelled[order.broker_order_id] = self.now_ms()
        units = f"{order.transaction_type or ''} {order.working_quantity} {key_of(order)}"
        self.tell(f"cancelling {units} ({order.broker_order_id})")
        await self._drop(order.broker_order_id)

    async def _close(self, key: ContractKey, account: AccountNow) -> None:
        """Do one contract's acts of this round, by an account that was read a moment ago."""
        target = next((one for one in plan_of(account, self.scope).targets if one.key == key), None)
        prices = self._prices.get(key, Prices())
        is_blind = prices == Prices() and self._blind.get(key, 0) < BLIND_ROUNDS
        if target is None or is_blind:
            return
        for act in self._closing(key).acts(target, account, prices, self.now_ms()):
            await self._do(act, target)

    def _closing(self, key: ContractKey) -> Closing:
        if key not in self._closings:
            terms = terms_of(key, self.rulebook, self.day)
            self._closings[key] = Closing(key, terms, self.rules, self.limits.doubt_ms)
        return self._closings[key]

    async def _do(self, act: Act, target: Target) -> None:
        if isinstance(act, Send):
            await self._send(act, target)
        elif isinstance(act, Change):
            await self._change(act)
        elif isinstance(act, Drop):
            self.tell(f"cancelling {act.broker_order_id}: {act.why}")
            await self._drop(act.broker_order_id)
        else:
            self.tell(f"{target.key}: {act.text}")

    async def _send(self, act: Send, target: Target) -> None:
        closing, left = self._closing(act.key), abs(target.units)
        at = "at the market" if act.order_type == "MARKET" else f"at {act.price}"
        self.tell(f"{act.side} {act.quantity} {act.key} {at}")
        try:
            closing.on_placed(act, await self.venue.place(self._request(act)))
        except OrderRefused as refused:
            await self._told(closing.on_refused(str(refused), left, self.now_ms()), target)
        except OrderNotSent as unsent:
            if unsent.needs_login:
                raise SessionExpired(str(unsent)) from None
            closing.on_unsent()
            self.tell(f"not sent yet: {unsent}")
        except OrderUnknown as unknown:
            closing.on_doubt(act, self.now_ms())
            seconds = self.limits.doubt_ms / 1000
            self.tell(f"in doubt, looked for in the book for {seconds:.0f} s: {unknown}")

    async def _told(self, told: Sequence[Tell], target: Target) -> None:
        for one in told:
            await self._do(one, target)

    async def _change(self, act: Change) -> None:
        closing = self._closing(act.key)
        self.tell(f"{act.broker_order_id} {act.key} now at {act.price}")
        try:
            await self.venue.modify(act.broker_order_id, act.quantity, act.price)
        except OrderRefused as refused:
            closing.on_unchanged(act)
            self.tell(f"not changed: {refused}")
        except BrokerError as error:
            self.tell(f"the change is in doubt, and asked for again: {error}")
        else:
            closing.on_changed(act)

    async def _drop(self, broker_order_id: str) -> None:
        try:
            await self.venue.cancel(broker_order_id)
        except (SessionError, AccountRefused):
            raise
        except BrokerError as error:
            self.tell(f"not cancelled yet: {error}")

    def _request(self, act: Send) -> OrderRequest:
        product: Product = "MIS" if act.key.product == "MIS" else "NRML"
        return OrderRequest(
            tag=act.tag,
            exchange=act.key.exchange,
            tradingsymbol=act.key.tradingsymbol,
            instrument_token=self._tokens.get(_name(act.key), 0),
            transaction_type=act.side,
            quantity=act.quantity,
            order_type=act.order_type,
            price=act.price,
            product=product,
            placed_ms=self.epoch_ms(),
            is_urgent=True,
        )

    async def _look_at(self, keys: Sequence[ContractKey]) -> None:
        """Take the latest prices; the earlier ones stay where the broker does not answer."""
        try:
            found = await self._quotes(keys)
        except SessionError:
            raise
        except BrokerError as error:
            self.tell(f"prices cannot be read: {error}")
            found = {}
        self._prices |= found
        for key in keys:
            is_seen = key in found and found[key] != Prices()
            self._blind[key] = 0 if is_seen else self._blind.get(key, 0) + 1

    async def _quotes(self, keys: Sequence[ContractKey]) -> dict[ContractKey, Prices]:
        names = list(dict.fromkeys(map(_name, keys)))
        if unknown := [one for one in names if one not in self._tokens]:
            quotes = await self.market.quotes(unknown)
            self._tokens |= {name: one.instrument_token for name, one in quotes.items()}
        ticks = await self.market.ticks(names, self.epoch_ms())
        rows = {int(token): row for row, token in enumerate(ticks.instrument_token)}
        of_name = {name: rows.get(self._tokens.get(name, 0)) for name in names}
        return {
            key: _prices_of(ticks, row) for key in keys if (row := of_name[_name(key)]) is not None
        }


def _name(key: ContractKey) -> str:
    return f"{key.exchange}:{key.tradingsymbol}"


def _prices_of(ticks: TickColumns, row: int) -> Prices:
    shown = partial(_shown, row=row)
    has_bid = bool(shown(ticks.bid_quantity))
    has_ask = bool(shown(ticks.ask_quantity))
    return Prices(
        bid=shown(ticks.bid_price) if has_bid else None,
        ask=shown(ticks.ask_price) if has_ask else None,
        last=shown(ticks.last_price),
    )


def _shown(column: Column | None, row: int) -> Decimal | None:
    return None if column is None else price(float(column[row]))
