"""OptionsPositionManager: positions opened by fills, marked by ticks, closed by fills."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from libs.events.errors import PoisonMessage
from libs.events.event import Event, identity, ms_from_utc, utc_from_ms
from libs.events.orders import OrderFilled
from libs.events.positions import (
    ExitReason,
    ExitRequested,
    PositionClosed,
    PositionEvent,
    PositionOpened,
    PositionUpdated,
)
from libs.events.signals import SignalActivated, SignalCompleted, SignalStopped, SignalUpdate
from libs.events.ticks import TickBatch
from libs.market.calendar import Calendar
from libs.market.quotes import QuoteBook
from libs.market.rulebook import Rulebook
from services.position.domain.exits import ExitRules, ExitTimes, exit_reason
from services.position.domain.ledger import TradeLedger
from services.position.domain.performance import Performance

QUOTED_WITHIN_MS = 60_000
"""A contract that was not quoted for longer cannot hit its stop."""
_IDENTITY = (
    "trading_day",
    "correlation_id",
    "position_id",
    "signal_id",
    "strategy",
    "action",
    "tradingsymbol",
    "contract",
    "mode",
    "stop_loss",
    "target",
)


class SaleWithoutPosition(PoisonMessage):
    """A sale of what is not held; heard again after its purchase it counts."""


@dataclass(slots=True)
class _Watch:
    """A position that is open, as its last event told it, and what is watched about it."""

    state: PositionEvent
    times: ExitTimes
    marked_ms: int
    last_price: float
    highest: float
    lowest: float


@dataclass(slots=True)
class OpenPositions:
    """Open positions and their reactions. An exit is asked for once, and closes when it fills.

    A reaction is computed first and then applied as a restart restores it, so an error leaves
    what is held as it was. The event that marks a fill as handled comes last: while it is not
    published, the fill makes the same events again, with the same ids.
    """

    calendar: Calendar
    rulebook: Rulebook
    rules: ExitRules
    mark_every_ms: int = 60_000
    _open: dict[UUID, _Watch] = field(default_factory=dict)
    _asked: dict[UUID, ExitReason] = field(default_factory=dict)
    _fills: set[str] = field(default_factory=set)
    _quotes: QuoteBook = field(default_factory=QuoteBook)
    _performance: Performance = field(default_factory=Performance)
    _swept_second: int = -1

    def on_event(self, event: Event, now_ms: int) -> tuple[Event, ...]:
        """React to a fill or to ticks; raise SaleWithoutPosition for a sale of what is not held."""
        made: tuple[Event, ...] = ()
        if isinstance(event, TickBatch) and self._open:
            made = self._on_ticks(event, now_ms)
        elif isinstance(event, OrderFilled):
            made = self._on_fill(event)
        for one in made:
            self.restore(one)
        return made

    def restore(self, event: Event) -> None:
        """Take in what was made of positions, and what was asked for."""
        if isinstance(event, PositionClosed):
            self._open.pop(event.position_id, None)
            self._asked.pop(event.position_id, None)
            self._fills |= set(event.fill_ids)
            self._performance.add(event)
        elif isinstance(event, PositionEvent):
            self._open[event.position_id] = self._watched(event)
            self._fills |= set(event.fill_ids)
        elif isinstance(event, ExitRequested) and event.lots is None:
            self._asked.setdefault(event.position_id, event.reason)

    def results(self, day: date) -> tuple[Decimal, Decimal]:
        """Return rupees of a trading day: closed positions after charges, and open ones marked."""
        watches = self._open.values()
        marked = [TradeLedger.of(w.state).unrealised(_money(w.last_price)) for w in watches]
        return self._performance.net(day), sum(marked, Decimal(0))

    def unguarded(self, now_ms: int) -> int:
        """Return how many open positions no stop guards: none is set, or they are not quoted."""
        return sum(not self._is_guarded(watch, now_ms) for watch in self._open.values())

    def _is_guarded(self, watch: _Watch, now_ms: int) -> bool:
        quote = self._quotes.quote(watch.state.contract.instrument_token)
        seen_ms = max(ms_from_utc(watch.state.opened_at), quote.at_ms if quote else 0)
        return watch.state.stop_loss > 0 and now_ms - seen_ms <= QUOTED_WITHIN_MS

    @property
    def open_tokens(self) -> tuple[int, ...]:
        """Contracts of the open positions."""
        return tuple(watch.state.contract.instrument_token for watch in self._open.values())

    def _watched(self, state: PositionEvent) -> _Watch:
        self._quotes.register([state.contract.instrument_token])
        return _Watch(
            state=state,
            times=ExitTimes.of(state, self.rules, self.calendar),
            marked_ms=state.occurred_ms,
            last_price=float(state.last_price),
            highest=float(state.highest_price),
            lowest=float(state.lowest_price),
        )

    def _on_fill(self, fill: OrderFilled) -> tuple[Event, ...]:
        if fill.fill_id in self._fills:
            return ()
        before = self._open.get(fill.position_id)
        if before is None and fill.transaction_type == "SELL":
            raise SaleWithoutPosition(
                f"a sale of {fill.fill_quantity} units without a position: {fill.tag}"
            )
        state = self._after_fill(before, fill)
        if isinstance(state, PositionClosed):
            return (_ended(state), self._performance.measured(state), state)
        if before is None:
            return (_signal_update(SignalActivated, state, "position_opened"), state)
        return (state,)

    def _after_fill(self, watch: _Watch | None, fill: OrderFilled) -> PositionEvent:
        ledger = TradeLedger.of(watch.state) if watch else TradeLedger()
        orders = watch.state.order_ids if watch else ()
        is_first = fill.order_id not in orders
        ledger = ledger.add(fill, is_first_of_order=is_first, rules=self.rulebook)
        kind = _kind(watch, ledger)
        fields = self._fields(watch, fill, ledger)
        fields["order_ids"] = tuple(dict.fromkeys((*orders, fill.order_id)))
        return kind(**fields, event_id=identity(kind.__name__, fill.fill_id))

    def _fields(
        self, watch: _Watch | None, fill: OrderFilled, ledger: TradeLedger
    ) -> dict[str, Any]:
        is_closed = ledger.quantity == 0
        fills = (*watch.state.fill_ids, fill.fill_id) if watch else (fill.fill_id,)
        highest, lowest = _extremes(watch, float(fill.fill_price))
        reason = self._asked.get(fill.position_id, "manual") if is_closed else None
        return {
            **{name: getattr(fill, name) for name in _IDENTITY},
            **_amounts(ledger, fill.fill_price),
            "occurred_at": fill.occurred_at,
            "causation_id": fill.event_id,
            "underlying": fill.contract.underlying,
            "highest_price": _money(highest),
            "lowest_price": _money(lowest),
            "opened_at": watch.state.opened_at if watch else fill.occurred_at,
            "closed_at": fill.occurred_at if is_closed else None,
            "exit_reason": reason,
            "fill_ids": fills,
        }

    def _on_ticks(self, batch: TickBatch, now_ms: int) -> tuple[Event, ...]:
        """Mark what is quoted in the batch, and check it; each second check the others too."""
        quoted, is_sweep = self._quoted(batch), self._begins_second(now_ms)
        for watch in quoted:
            self._mark(watch)
        due = self._open.values() if is_sweep else quoted
        return tuple(event for watch in due for event in self._check(watch, now_ms))

    def _quoted(self, batch: TickBatch) -> list[_Watch]:
        """Take in the quotes of a batch, and return the positions that they are of."""
        columns = batch.timely()
        if len(columns):
            self._quotes.update(
                columns.instrument_token, columns.exchange_timestamp, columns.last_price
            )
        tokens = set(columns.instrument_token.tolist())
        watches = self._open.values()
        return [watch for watch in watches if watch.state.contract.instrument_token in tokens]

    def _begins_second(self, now_ms: int) -> bool:
        second, before = now_ms // 1000, self._swept_second
        self._swept_second = max(second, before)
        return second > before

    def _mark(self, watch: _Watch) -> None:
        quote = self._quotes.quote(watch.state.contract.instrument_token)
        if quote is not None and quote.at_ms >= watch.state.occurred_ms:
            watch.last_price = quote.last_price
            watch.highest = max(watch.highest, quote.last_price)
            watch.lowest = min(watch.lowest, quote.last_price)

    def _check(self, watch: _Watch, now_ms: int) -> Iterator[Event]:
        reason = exit_reason(watch.state, watch.last_price, now_ms, watch.times)
        if reason is not None and watch.state.position_id not in self._asked:
            yield _exit_requested(watch.state, reason, now_ms)
        if now_ms - watch.marked_ms >= self.mark_every_ms:
            yield _marked(watch, now_ms)


def _kind(watch: _Watch | None, ledger: TradeLedger) -> type[PositionEvent]:
    if watch is None:
        return PositionOpened
    return PositionUpdated if ledger.quantity else PositionClosed


def _extremes(watch: _Watch | None, price: float) -> tuple[float, float]:
    if watch is None:
        return price, price
    return max(watch.highest, price), min(watch.lowest, price)


def _amounts(ledger: TradeLedger, last_price: Decimal) -> dict[str, Any]:
    return {
        "quantity": ledger.quantity,
        "bought_quantity": ledger.bought_quantity,
        "sold_quantity": ledger.sold_quantity,
        "buy_value": ledger.buy_value,
        "sell_value": ledger.sell_value,
        "entry_price": ledger.entry_price,
        "exit_price": ledger.exit_price,
        "last_price": last_price,
        "realised": ledger.realised,
        "unrealised": ledger.unrealised(last_price),
        "charges": ledger.charges,
        "charges_are_exact": ledger.charges_are_exact,
        "net": ledger.realised - ledger.charges,
    }


def _marked(watch: _Watch, now_ms: int) -> PositionUpdated:
    """Return the position at its latest mark."""
    state, last_price = watch.state, _money(watch.last_price)
    return PositionUpdated(
        **{
            **{name: getattr(state, name) for name in type(state).model_fields if name != "type"},
            **_amounts(TradeLedger.of(state), last_price),
            "event_id": identity("PositionUpdated", state.position_id, now_ms),
            "occurred_at": utc_from_ms(now_ms),
            "causation_id": state.event_id,
            "highest_price": _money(watch.highest),
            "lowest_price": _money(watch.lowest),
        }
    )


def _exit_requested(state: PositionEvent, reason: ExitReason, now_ms: int) -> ExitRequested:
    return ExitRequested(
        **ExitRequested.after(state, state.position_id, reason, occurred_at=utc_from_ms(now_ms)),
        position_id=state.position_id,
        signal_id=state.signal_id,
        reason=reason,
    )


def _ended(state: PositionClosed) -> SignalUpdate:
    kind = SignalStopped if state.exit_reason == "stop_loss" else SignalCompleted
    return _signal_update(kind, state, state.exit_reason or "")


def _signal_update(kind: type[SignalUpdate], state: PositionEvent, reason: str) -> SignalUpdate:
    numbers: dict[str, float | str] = {"net": float(state.net)}
    return kind.of(state, state.occurred_at, state.trading_day, reason, numbers)


def _money(price: float) -> Decimal:
    return Decimal(str(round(price, 4)))
