"""The closing of one contract: which orders are sent, changed and cancelled in a round.

What works at the broker is read from its book in each round, so it does not matter who sent it.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeAlias

from libs.broker.port import OrderUpdate, Side, flatten_tag
from services.executor.domain.ladder import (
    Alert,
    CancelWorking,
    ExitLadder,
    ExitView,
    LadderRules,
    LadderStep,
    Move,
    Place,
    Reprice,
    WorkingExit,
)
from services.local.flatten.account import AccountNow, ContractKey
from services.local.flatten.dedup import sorted_out
from services.local.flatten.plan import Target
from services.local.flatten.prices import Prices
from services.local.flatten.terms import Terms

AGAIN_MS = 3000
"""How long a cancellation may take before it is asked for again."""

CHANGES_REFUSED = 3
"""After so many refused changes in a row an order is cancelled, and another one sent."""
UNKNOWN = Decimal(-1)
"""The price of an order that this run did not set."""


@dataclass(frozen=True, slots=True)
class Send:
    """Place an order; `price` in rupees, 0 for MARKET."""

    tag: str
    key: ContractKey
    side: Side
    quantity: int
    order_type: Literal["LIMIT", "MARKET"]
    price: Decimal


@dataclass(frozen=True, slots=True)
class Change:
    """Change the price (rupees) of a working order of `quantity` units in all."""

    key: ContractKey
    broker_order_id: str
    quantity: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class Drop:
    """Cancel a working order; `why` for a person."""

    broker_order_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Tell:
    """Say something to the person who waits."""

    text: str


Act: TypeAlias = Send | Change | Drop | Tell


@dataclass(slots=True)
class Closing:
    """One contract's ladder; times are monotonic ms.

    `_prices` are the limits of orders as far as this run set them. `_sent` are the orders that this
    run placed and that have not ended. `_doubt` is a tag whose order may be at the broker, and
    until when it may still arrive.
    """

    key: ContractKey
    terms: Terms
    rules: LadderRules
    doubt_ms: int
    side: Side = "SELL"
    _ladder: ExitLadder = field(init=False)
    _prices: dict[str, Decimal] = field(default_factory=dict)
    _sent: set[str] = field(default_factory=set)
    _dropped: dict[str, int] = field(default_factory=dict)
    _modified: dict[str, int] = field(default_factory=dict)
    _refused: dict[str, int] = field(default_factory=dict)
    _doubt: tuple[str, int] | None = None
    modifications: int = 25
    """How often the broker lets an order be changed."""

    def __post_init__(self) -> None:
        self._ladder = ExitLadder(self.side, self.rules)

    def acts(
        self, target: Target, account: AccountNow, prices: Prices, now_ms: int
    ) -> tuple[Act, ...]:
        """Return what to do in this round, by a book that was read in this round."""
        self._turn_to("SELL" if target.net > 0 else "BUY")
        orders = account.flattening(self.key)
        told = [*self._note_ends(orders, target, now_ms), *self._settle_doubt(orders, now_ms)]
        found = sorted_out(orders, target.units)
        lacking = max(0, abs(target.units) - found.units)
        is_free = not (found.excess or self._doubt)
        self._forget_lost_cancels(now_ms)
        drops = [self._drop(one.broker_order_id, now_ms) for one in found.excess]
        moves = self._moves(found.kept, prices, lacking if is_free else 0, now_ms)
        made = [act for move in moves for act in self._made(move, found.kept, now_ms)]
        step = next((one.step for one in moves if isinstance(one, Place)), None)
        if found.kept and lacking and not any(isinstance(one, Drop) for one in made):
            step = self._ladder.joining(self._view(prices, is_placing=True))
        sends = self._sends(step, lacking, orders, prices) if is_free and step else ()
        return (*told, *(one for one in drops if one), *made, *sends)

    def on_placed(self, act: Send, broker_order_id: str) -> None:
        """Note the broker's id of an order that was sent."""
        self._sent.add(broker_order_id)
        self._prices[broker_order_id] = act.price

    def on_changed(self, act: Change) -> None:
        """Note that a change was accepted."""
        self._prices[act.broker_order_id] = act.price
        self._modified[act.broker_order_id] = self._modified.get(act.broker_order_id, 0) + 1
        self._refused.pop(act.broker_order_id, None)

    def on_unchanged(self, act: Change) -> None:
        """Note a refused change: it is asked for again; then the order is cancelled instead."""
        its_id = act.broker_order_id
        self._prices[its_id] = UNKNOWN
        self._refused[its_id] = self._refused.get(its_id, 0) + 1
        if self._refused[its_id] >= CHANGES_REFUSED:
            self._modified[its_id] = self.modifications

    def on_unsent(self) -> None:
        """Note that an order was certainly not sent: it is sent in the next round."""
        self._ladder.on_ended()

    def on_refused(self, reason: str, left: int, now_ms: int) -> tuple[Tell, ...]:
        """Note a refusal; return what to say. The next order waits, longer each time."""
        alerts = self._ladder.on_refused(reason, left, now_ms)
        return tuple(Tell(one.reason) for one in alerts) or (Tell(f"refused: {reason}"),)

    def on_doubt(self, act: Send, now_ms: int) -> None:
        """Note an order that may or may not be at the broker: nothing more is sent meanwhile."""
        self._doubt = act.tag, now_ms + self.doubt_ms
        self._ladder.on_ended()

    def _turn_to(self, side: Side) -> None:
        """Begin anew on the other side: more was sold than was held, say."""
        if side != self.side:
            self.side, self._ladder = side, ExitLadder(side, self.rules)

    def _forget_lost_cancels(self, now_ms: int) -> None:
        """Let orders be cancelled again whose cancellation has not come about."""
        asked = self._dropped.items()
        self._dropped = {key: at for key, at in asked if now_ms - at < AGAIN_MS}

    def _moves(
        self, kept: Sequence[OrderUpdate], prices: Prices, lacking: int, now_ms: int
    ) -> tuple[Move, ...]:
        if not (kept or lacking):
            return ()
        working = self._working(kept) if kept else None
        view = self._view(prices, is_placing=working is None)
        left = working.left if working else lacking
        return self._ladder.on_time(view, working, left, now_ms)

    def _view(self, prices: Prices, *, is_placing: bool) -> ExitView:
        step = self._ladder.step + (0 if is_placing else 1)
        return prices.view(self.side, self.terms, is_last_step=step >= self.rules.steps)

    def _working(self, kept: Sequence[OrderUpdate]) -> WorkingExit:
        """Return the orders as one; one that this run did not price is repriced in any case."""
        known = {self._prices.get(one.broker_order_id, UNKNOWN) for one in kept}
        used = max(self._modified.get(one.broker_order_id, 0) for one in kept)
        return WorkingExit(
            order_type="LIMIT",
            price=known.pop() if len(known) == 1 else UNKNOWN,
            left=sum(one.working_quantity for one in kept),
            modifications_left=max(0, self.modifications - used),
            is_changing=any(one.broker_order_id in self._dropped for one in kept),
        )

    def _made(self, move: Move, kept: Sequence[OrderUpdate], now_ms: int) -> list[Act]:
        if isinstance(move, Reprice):
            return [Change(self.key, one.broker_order_id, one.quantity, move.price) for one in kept]
        if isinstance(move, CancelWorking):
            drops = [self._drop(one.broker_order_id, now_ms, "priced anew") for one in kept]
            return [one for one in drops if one]
        return (
            [Tell(f"{move.reason}; {move.left} units are left")] if isinstance(move, Alert) else []
        )

    def _drop(
        self, broker_order_id: str, now_ms: int, why: str = "another order closes the same units"
    ) -> Drop | None:
        """Return a cancellation, None while one is under way."""
        if broker_order_id in self._dropped:
            return None
        self._dropped[broker_order_id] = now_ms
        return Drop(broker_order_id, why)

    def _sends(
        self, step: LadderStep, quantity: int, orders: Sequence[OrderUpdate], prices: Prices
    ) -> tuple[Send, ...]:
        """Return the orders of a step, in slices, priced so that they rest at first."""
        tick, price = self.terms.tick_size, step.price
        if step.order_type == "LIMIT":
            is_near = self._ladder.refusals > 0  # so far off may be outside of the day's range
            price = prices.resting(self.side, step.price, tick, is_near=is_near)
        return tuple(
            Send(self._tag(number), self.key, self.side, units, step.order_type, price)
            for number, units in enumerate(self.terms.slices(quantity), len(orders))
        )

    def _tag(self, number: int) -> str:
        """Return the tag of the contract's order of this number: equal in all runs."""
        digest = hashlib.sha256(f"{self.key}/{self.side}/{number}".encode()).digest()
        return flatten_tag(base64.b32encode(digest).decode())

    def _note_ends(self, orders: Sequence[OrderUpdate], target: Target, now_ms: int) -> list[Tell]:
        """Tell the ladder what became of this run's orders."""
        told: list[Tell] = []
        ended = [
            one for one in orders if one.broker_order_id in self._sent and one.status != "OPEN"
        ]
        for one in ended:
            self._sent.discard(one.broker_order_id)
            self._dropped.pop(one.broker_order_id, None)
            if one.status == "REJECTED":
                told += self.on_refused(one.reason, abs(target.units), now_ms)
            else:
                self._ladder.on_ended()
        return told

    def _settle_doubt(self, orders: Sequence[OrderUpdate], now_ms: int) -> list[Tell]:
        if self._doubt is None:
            return []
        tag, until_ms = self._doubt
        if any(one.tag == tag for one in orders):
            self._doubt = None
            return [Tell("the order in doubt has arrived")]
        if now_ms < until_ms:
            return []
        self._doubt = None
        return [Tell("the order in doubt has not arrived: another one is sent")]
