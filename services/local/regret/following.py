"""Follows each candidate through the quotes: bought and left by the rules of the real position.

The position service's own domain decides when it is left; here are only its fills: an entry at the
next ask within its limit, an exit at the next bid, each for all that is asked.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from libs.events.event import identity, utc_from_ms
from libs.events.exit_plan import ExitPlan
from libs.events.instruments import Contract
from libs.events.orders import OrderFilled
from libs.events.positions import ExitRequested, PositionEvent
from libs.events.ticks import TickColumns
from libs.market.instruments import Instrument
from libs.market.quotes import Quote, QuoteBook
from services.executor.domain.planned_exits import planned_exits
from services.executor.domain.policy import Policy, Refusal
from services.executor.domain.sizing import levels_of, limit_of
from services.ingest.domain.connection import Connection
from services.local.recorded_chains.market import Snapshot, spacing_of
from services.local.regret.cases import Candidate, Case
from services.position.domain.open_positions import OpenPositions

END, UNFILLED = "end_of_quotes", "entry_not_filled"


@dataclass(frozen=True, slots=True)
class Terms:
    """How all candidates of a decision are left: levels set at a premium (rupees), and the plan."""

    premium: Decimal
    stop_loss: Decimal
    target: Decimal
    exit_plan: ExitPlan | None


@dataclass(frozen=True, slots=True)
class Followed:
    """What a candidate came to: net of charges (rupees), and as a part of what was paid.

    `reason` is that of its exit, `end_of_quotes` where the quotes ended before. One that its limit
    did not get was not bought, and came to nothing: `entry_not_filled`.
    """

    case: Case
    candidate: Candidate
    paid: Decimal
    net: Decimal
    reason: str
    held_ms: int

    @property
    def gain(self) -> float:
        """Net as a part of what was paid: strikes of other premiums can be compared by it."""
        return float(self.net / self.paid) if self.paid else 0.0


@dataclass(slots=True)
class _Leg:
    """A candidate on its way: bought with a fill, sold by others."""

    case: Case
    candidate: Candidate
    contract: Instrument
    position_id: UUID
    terms: Terms
    lots: int
    held: int = 0
    asked: list[ExitRequested] = field(default_factory=list)
    state: PositionEvent | None = None
    fills: int = 0


@dataclass(slots=True)
class Follower:
    """Follows the candidates of a day's cases."""

    positions: OpenPositions
    policy: Policy
    latency_ms: int

    def follow(
        self,
        cases: Sequence[Case],
        contracts: Mapping[str, Instrument],
        snapshots: Sequence[Snapshot],
    ) -> list[Followed]:
        """Return what each candidate came to; those without a contract are left out."""
        if not snapshots or not cases:
            return []
        legs = [leg for case in cases for leg in self._legs(case, contracts)]
        by_id = {leg.position_id: leg for leg in legs}
        book = QuoteBook([leg.contract.instrument_token for leg in legs])
        connection = Connection("recorded", cases[0].day, snapshots[0].at_ms, 1)
        timeout_ms = max(self.policy.orders.entry_timeout_ms, spacing_of(snapshots))
        waiting = [leg for leg in legs if leg.candidate.ask_price > 0]
        for snapshot in snapshots:
            self._see(snapshot, connection, by_id)
            _note(book, snapshot.columns)
            waiting = [
                leg for leg in waiting if not self._has_ended(leg, book, snapshot.at_ms, timeout_ms)
            ]
            self._sell(legs, book, snapshot.at_ms)
        self._end(legs, snapshots[-1].at_ms)
        return [_followed(leg) for leg in legs]

    def _legs(self, case: Case, contracts: Mapping[str, Instrument]) -> Iterator[_Leg]:
        for candidate in case.candidates:
            contract = contracts.get(candidate.tradingsymbol)
            if contract is not None:
                yield _Leg(
                    case=case,
                    candidate=candidate,
                    contract=contract,
                    position_id=identity("regret", case.signal_id, candidate.tradingsymbol),
                    terms=self._terms(case, contract),
                    lots=max(case.lots, 1),
                )

    def _terms(self, case: Case, contract: Instrument) -> Terms:
        """Return the plan of the entry; one that was only logged has its profile's exits.

        The position moves them in proportion to what is paid, so they fit every candidate.
        """
        plan = case.plan
        if plan is not None and plan.premium:
            return Terms(plan.premium, plan.stop_loss, plan.target, plan.exit_plan)
        premium, name = Decimal(str(case.own.ask_price)), self.policy.profile_name(case.strategy)
        profile = self.policy.profile_named(name)
        exits = planned_exits(name, profile, premium, contract.tick_size)
        if isinstance(exits, Refusal):
            levels = levels_of(premium, contract.tick_size, profile)
            return Terms(premium, levels.stop_loss, levels.target, None)
        return Terms(premium, exits.levels.stop_loss, exits.levels.target, exits.exit_plan)

    def _see(self, snapshot: Snapshot, connection: Connection, by_id: Mapping[UUID, _Leg]) -> None:
        for batch in connection.cut(snapshot.columns, snapshot.at_ms):
            for event in self.positions.on_event(batch, snapshot.at_ms):
                _take(event, by_id)

    def _has_ended(self, leg: _Leg, book: QuoteBook, at_ms: int, timeout_ms: int) -> bool:
        """Buy at the first ask within the limit after the latency; give up after the timeout."""
        since_ms = at_ms - leg.case.decided_ms
        quote = book.quote(leg.contract.instrument_token)
        if since_ms < self.latency_ms or quote is None or quote.at_ms != at_ms:
            return since_ms > timeout_ms
        ask = Decimal(str(round(quote.ask_price, 2)))
        if 0 < ask <= self._limit(leg):
            self._fill(leg, "BUY", leg.lots * leg.contract.lot_size, ask, at_ms)
            return True
        return since_ms > timeout_ms

    def _limit(self, leg: _Leg) -> Decimal:
        premium = Decimal(str(round(leg.candidate.ask_price, 2)))
        return limit_of(premium, leg.contract.tick_size, self.policy.orders.limit_buffer)

    def _sell(self, legs: Sequence[_Leg], book: QuoteBook, at_ms: int) -> None:
        """Sell what was asked for at an earlier snapshot, at the bid."""
        for leg in legs:
            due = [one for one in leg.asked if one.occurred_ms < at_ms]
            quote = book.quote(leg.contract.instrument_token) if due else None
            if quote is not None and quote.at_ms == at_ms and quote.bid_price > 0:
                self._sell_asked(leg, due, quote, at_ms)

    def _sell_asked(
        self, leg: _Leg, due: Sequence[ExitRequested], quote: Quote, at_ms: int
    ) -> None:
        for one in due:
            leg.asked.remove(one)
            lots = one.lots * leg.contract.lot_size if one.lots else leg.held
            units = min(lots, leg.held)
            if units:
                bid = Decimal(str(round(quote.bid_price, 2)))
                self._fill(leg, "SELL", units, bid, at_ms, one.reason)

    def _end(self, legs: Sequence[_Leg], at_ms: int) -> None:
        """Sell what is still held at its last valuation, when the quotes end."""
        for leg in legs:
            if leg.held and leg.state is not None:
                self._fill(leg, "SELL", leg.held, leg.state.last_price, at_ms, "manual")

    def _fill(
        self, leg: _Leg, side: str, units: int, price: Decimal, at_ms: int, reason: str = ""
    ) -> None:
        leg.fills += 1
        leg.held += units if side == "BUY" else -units
        fill = _filled(leg, side, units, price, at_ms, reason)
        for event in self.positions.on_event(fill, at_ms):
            _take(event, {leg.position_id: leg})


def _take(event: object, by_id: Mapping[UUID, _Leg]) -> None:
    if isinstance(event, PositionEvent):
        by_id[event.position_id].state = event
    elif isinstance(event, ExitRequested):
        by_id[event.position_id].asked.append(event)


def _note(book: QuoteBook, columns: TickColumns) -> None:
    """Note the quotes; a price of 0 is no quote, as for the executor."""
    traded = columns.take(columns.last_price > 0)
    book.update(
        traded.instrument_token,
        traded.exchange_timestamp,
        traded.last_price,
        traded.volume_traded,
        traded.oi,
        traded.bid_price,
        traded.bid_quantity,
        traded.ask_price,
        traded.ask_quantity,
    )


def _filled(
    leg: _Leg, side: str, units: int, price: Decimal, at_ms: int, reason: str
) -> OrderFilled:
    key = (leg.position_id, leg.fills)
    day, contract = leg.case.day, leg.contract
    envelope = OrderFilled.without_cause(*key, occurred_at=utc_from_ms(at_ms), trading_day=day)
    is_buy = side == "BUY"
    fixed: dict[str, Any] = {
        "transaction_type": side,
        "leg": "entry" if is_buy else "exit",
        "action": leg.case.action or ("BUY" if contract.instrument_type == "CE" else "SELL"),
    }
    return OrderFilled(
        **envelope,
        **fixed,
        order_id=identity("regret order", *key),
        tag=str(leg.fills),
        signal_id=leg.case.signal_id,
        position_id=leg.position_id,
        strategy=leg.case.strategy,
        mode="paper",
        contract=Contract.of(contract),
        quantity=units,
        tradingsymbol=leg.case.underlying,
        stop_loss=leg.terms.stop_loss,
        target=leg.terms.target,
        premium=leg.terms.premium,
        exit_plan=leg.terms.exit_plan if is_buy else None,
        reason=reason,
        broker_order_id=str(leg.position_id),
        fill_id=str(leg.fills),
        fill_quantity=units,
        fill_price=price,
        filled_quantity=units,
        average_price=price,
    )


def _followed(leg: _Leg) -> Followed:
    state = leg.state
    if state is None:
        return Followed(leg.case, leg.candidate, Decimal(0), Decimal(0), UNFILLED, 0)
    closed_at = state.closed_at or state.occurred_at
    return Followed(
        case=leg.case,
        candidate=leg.candidate,
        paid=state.buy_value,
        net=state.net,
        reason=END if state.exit_reason in (None, "manual") else state.exit_reason,
        held_ms=int((closed_at - state.opened_at).total_seconds() * 1000),
    )
