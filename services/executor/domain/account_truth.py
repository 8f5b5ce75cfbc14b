"""Acts on what a comparison with the account has found.

| found | what is done |
|---|---|
| our order has more fills, or an end | booked, as if an update had told it |
| units closed by hand, by the broker, at expiry | booked as such, at the price of their trade |
| sold more than was held, twice seen | entries are halted, and the units bought back at a limit |
| anything without an explanation | no entry in that underlying, with an alert |

What the owner does by hand is left alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from libs.broker.port import OrderUpdate
from libs.events.control import TradingHalted
from libs.events.event import ms_from_utc, utc_from_ms
from libs.events.orders import OrderPlanned
from libs.market.calendar import IST, day_in_india
from libs.market.rulebook import Rulebook
from services.executor.domain.account_watch import AccountWatch
from services.executor.domain.blotter import Blotter
from services.executor.domain.bookings import Closed, booked, booking_plan
from services.executor.domain.broker_replies import AccountRead
from services.executor.domain.closing import Freeze
from services.executor.domain.commands import Effect, PlaceOrder
from services.executor.domain.option_market import OptionMarket
from services.executor.domain.order import Order
from services.executor.domain.our_contracts import key_of, our_contracts
from services.executor.domain.plans import cover_plan, slices
from services.executor.domain.policy import OrderRules
from services.executor.domain.reconciliation import (
    AccountSnapshot,
    Adopt,
    ContractKey,
    Correct,
    Finding,
    FundsShort,
    Oversold,
    Quarantine,
)
from services.executor.domain.risk import ALL_UNDERLYINGS, RiskBook
from services.executor.domain.sizing import limit_of


class Reactions(Protocol):
    """How the executor reacts to an update of an order, and to a change of one."""

    def on_updates(self, updates: Sequence[OrderUpdate], now_ms: int) -> tuple[Effect, ...]:
        """React to updates of orders."""

    def after(self, order: Order, now_ms: int) -> tuple[Effect, ...]:
        """React to an order that has changed."""


@dataclass(slots=True)
class AccountTruth:
    """The account compared with our books; `_told` are the differences that were said."""

    blotter: Blotter
    market: OptionMarket
    risk: RiskBook
    rules: OrderRules
    rulebook: Rulebook
    freeze: Freeze
    watch: AccountWatch = field(default_factory=AccountWatch)
    _told: set[Finding] = field(default_factory=set)

    def on_read(self, reply: AccountRead, now_ms: int, reactions: Reactions) -> tuple[Effect, ...]:
        """Compare the account with our books, and act on what is certain."""
        if reply.snapshot is None:
            self.watch.on_unread(now_ms)
            return ()
        today = day_in_india(now_ms)
        lapsed = self._lapsed(reply.snapshot, today, now_ms, reactions)
        ours = our_contracts(
            self.blotter, today, now_ms, self.market.closes_ms, self._square_off_ms
        )
        found = self.watch.on_snapshot(reply.snapshot, ours, now_ms)
        self.risk.quarantined = dict(_quarantined(found))
        effects: list[Effect] = [*lapsed]
        for one in found:
            effects += self._act(one, now_ms, reactions)
        self._told &= set(found)
        return tuple(effects)

    def _lapsed(
        self, snapshot: AccountSnapshot, today: date, now_ms: int, reactions: Reactions
    ) -> list[Effect]:
        """End the orders of an earlier day that are not in the book: none outlives its day."""
        known = {one.broker_order_id for one in snapshot.orders}
        effects: list[Effect] = []
        for order in self.blotter.working():
            its_id, is_earlier = order.broker_order_id, order.plan.trading_day < today
            if is_earlier and its_id and its_id not in known:
                event = order.cancelled("it has lapsed at the end of its day", now_ms)
                order.apply(event)
                effects += [event, *reactions.after(order, now_ms)]
        return effects

    def _act(self, found: Finding, now_ms: int, reactions: Reactions) -> Iterable[Effect]:
        if isinstance(found, Adopt):
            return reactions.on_updates([found.update], now_ms)
        if isinstance(found, Correct):
            return self._book(found, now_ms, reactions)
        if isinstance(found, Oversold):
            return self._buy_back(found, now_ms)
        if isinstance(found, Quarantine):
            return self._tell(found, found.key, found.why, now_ms)
        return ()

    def _book(self, found: Correct, now_ms: int, reactions: Reactions) -> list[Effect]:
        """Book units of ours that were closed, the oldest position first.

        What was sold by hand before a sale of ours that has closed the position already is booked
        to it all the same: it was oversold by that, and is bought back.
        """
        price = found.price if found.price is not None else self._last_price(found)
        if price is None:
            return self._tell(found, found.key, "its price is not known", now_ms)
        effects: list[Effect] = []
        for entry, units in self._shares(found):
            effects += self._booking(entry, _closed(found, units, price, now_ms))
            order = self.blotter.of_position(entry.position_id)[-1]
            effects += reactions.after(order, now_ms)
        return effects

    def _shares(self, found: Correct) -> list[tuple[OrderPlanned, int]]:
        """Return how many units of what was closed are those of each position."""
        shares, left = list[tuple[OrderPlanned, int]](), found.quantity
        for entry in self._open(found.key, is_short=found.transaction_type == "BUY"):
            units = min(left, abs(self._held(entry)))
            left -= units
            shares += [(entry, units)] if units else []
        latest = self._latest(found.key)
        return [*shares, (latest, left)] if left and latest is not None else shares

    def _latest(self, key: ContractKey) -> OrderPlanned | None:
        of_key = [one[0].plan for one in self.blotter.positions() if key_of(one[0].plan) == key]
        return of_key[-1] if of_key else None

    def _booking(self, entry: OrderPlanned, closed: Closed) -> list[Effect]:
        number = sum(one.plan.is_booking for one in self.blotter.of_position(entry.position_id))
        order = self.blotter.add(booking_plan(entry, closed, number))
        return [order.plan, *booked(order, closed)]

    def _buy_back(self, found: Oversold, now_ms: int) -> list[Effect]:
        """Halt entries, and buy back what our own orders sold too much, at a limit."""
        entries = list(self._open(found.key, is_short=True))
        if not entries:
            return self._tell(found, found.key, "sold more than was held", now_ms)
        entry = entries[0]
        reason = f"{found.quantity} units were sold that were not held"
        effects = [
            *self._tell(found, found.key, reason, now_ms),
            *self._halt(entry, reason, now_ms),
        ]
        limit = self._cover_limit(entry)
        if limit is None or self._is_covering(entry):
            return effects
        return [*effects, *self._cover(entry, found.quantity, limit, now_ms)]

    def _cover(
        self, entry: OrderPlanned, quantity: int, limit: Decimal, now_ms: int
    ) -> list[Effect]:
        """Plan purchases within the freeze quantity."""
        contract, first = entry.contract, len(self.blotter.of_position(entry.position_id))
        freeze = self.freeze(contract, day_in_india(now_ms))
        orders = [
            self.blotter.add(cover_plan(entry, number, units, limit, now_ms))
            for number, units in enumerate(slices(quantity, contract.lot_size, freeze), first)
        ]
        return [made for one in orders for made in (one.plan, PlaceOrder(one))]

    def _halt(self, entry: OrderPlanned, reason: str, now_ms: int) -> list[Effect]:
        if self.risk.halted_because is not None:
            return []
        at = utc_from_ms(now_ms)
        halt = TradingHalted(
            **TradingHalted.after(entry, "oversold", now_ms, occurred_at=at),
            reason=f"{entry.contract.tradingsymbol}: {reason}",
        )
        self.risk.on_event(halt)
        return [halt]

    def _is_covering(self, entry: OrderPlanned) -> bool:
        return any(
            one.plan.leg == "exit" and one.plan.transaction_type == "BUY" and not one.has_ended
            for one in self.blotter.of_position(entry.position_id)
        )

    def _cover_limit(self, entry: OrderPlanned) -> Decimal | None:
        """Return the limit of a purchase that covers: the ask, else the last price, and a bit."""
        quote = self.market.quotes.quote(entry.contract.instrument_token)
        if quote is None or not max(quote.ask_price, quote.last_price) > 0:
            return None
        price = quote.ask_price if quote.ask_price > 0 else quote.last_price
        premium = Decimal(str(round(price, 2)))
        return limit_of(premium, entry.contract.tick_size, self.rules.limit_buffer)

    def _tell(self, found: Finding, key: ContractKey, reason: str, now_ms: int) -> list[Effect]:
        """Alert once for as long as a difference is there."""
        if found in self._told:
            return []
        self._told.add(found)
        latest = self._latest(key)
        return [] if latest is None else [Order(latest).alert(reason, now_ms, "account", now_ms)]

    def _open(self, key: ContractKey, *, is_short: bool) -> Iterable[OrderPlanned]:
        for orders in self.blotter.positions():
            entry = orders[0].plan
            held = self._held(entry)
            if key_of(entry) == key and (held < 0 if is_short else held > 0):
                yield entry

    def _held(self, entry: OrderPlanned) -> int:
        return self.blotter.holding(entry.position_id).held

    def _last_price(self, found: Correct) -> Decimal | None:
        """Return the intrinsic value at expiry, else the last price; None where it is not known."""
        entry = next(iter(self._open(found.key, is_short=found.transaction_type == "BUY")), None)
        if entry is None:
            return None
        if found.reason == "expiry":
            return self._intrinsic(entry)
        quote = self.market.quotes.quote(entry.contract.instrument_token)
        return None if quote is None else Decimal(str(round(quote.last_price, 2)))

    def _square_off_ms(self, product: str, exchange: str, day: date) -> int | None:
        at = self.rulebook.broker_square_off(product, day, exchange)
        return None if at is None else ms_from_utc(datetime.combine(day, at, IST))

    def _intrinsic(self, entry: OrderPlanned) -> Decimal | None:
        """Return what an expired option is worth by the underlying's last price of that day."""
        contract = entry.contract
        spot = self.market.spot(contract.underlying)
        if spot is None or day_in_india(spot.at_ms) != contract.expiry:
            return None
        gain = Decimal(str(round(spot.price, 2))) - Decimal(str(contract.strike))
        return max(gain if contract.instrument_type == "CE" else -gain, Decimal(0))


def _closed(found: Correct, units: int, price: Decimal, now_ms: int) -> Closed:
    broker_order_id, fill_id = found.trade or (found.reason, str(now_ms))
    return Closed(
        transaction_type=found.transaction_type,
        quantity=units,
        price=price,
        reason=found.reason,
        broker_order_id=broker_order_id,
        fill_id=fill_id,
        at_ms=found.at_ms or now_ms,
    )


def _quarantined(found: Iterable[Finding]) -> Iterable[tuple[str, str]]:
    for one in found:
        if isinstance(one, Quarantine):
            yield one.underlying, one.why
        elif isinstance(one, FundsShort):
            yield ALL_UNDERLYINGS, f"the account owes {-one.available} in {one.segment}"
