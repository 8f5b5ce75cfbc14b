"""OptionsPositionManager: positions opened by fills, marked by ticks, closed by fills."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from uuid import UUID

from libs.events.errors import PoisonMessage
from libs.events.event import Event, utc_from_ms
from libs.events.orders import OrderFilled
from libs.events.positions import ExitRequested, PositionClosed, PositionEvent
from libs.events.signals import SignalActivated, SignalCompleted, SignalStopped, SignalUpdate
from libs.events.ticks import TickBatch
from libs.market.quotes import QuoteBook
from libs.market.rulebook import Rulebook
from services.position.domain.exit_requests import ExitRequests
from services.position.domain.exit_rules.rule import Exit, ExitRule
from services.position.domain.performance import Performance
from services.position.domain.states import after_fill, marked
from services.position.domain.watch import Watch


class SaleWithoutPosition(PoisonMessage):
    """A sale of what is not held. Delivered again after its purchase, it is booked."""


@dataclass(slots=True)
class OpenPositions:
    """Open positions and their reactions. An exit is requested once; its fill closes the position.

    The events of a reaction are computed first and then applied by `restore`, so an error changes
    no state. The event that marks a fill as handled comes last: until it is published, a
    redelivered fill makes the same events with the same ids.
    """

    rulebook: Rulebook
    rules: Sequence[ExitRule]
    mark_every_ms: int = 60_000
    _open: dict[UUID, Watch] = field(default_factory=dict)
    _requests: ExitRequests = field(default_factory=ExitRequests)
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

    def on_time(self, now_ms: int) -> tuple[Event, ...]:
        """Check every position once a second, also while nothing is quoted."""
        made: tuple[Event, ...] = ()
        if self._open and self._begins_second(now_ms):
            made = self._checked(self._open.values(), now_ms)
        for one in made:
            self.restore(one)
        return made

    def restore(self, event: Event) -> None:
        """Apply a position event or an exit request; ignore other events."""
        if isinstance(event, PositionClosed):
            self._open.pop(event.position_id, None)
            self._requests.forget(event.position_id)
            self._fills |= set(event.fill_ids)
            self._performance.add(event)
        elif isinstance(event, PositionEvent):
            self._open[event.position_id] = Watch.of(event)
            self._quotes.register([event.contract.instrument_token])
            self._fills |= set(event.fill_ids)
        elif isinstance(event, ExitRequested):
            self._requests.add(event)

    def results(self, day: date) -> tuple[Decimal, Decimal]:
        """Return a day's realised profit after charges and the open unrealised one, in rupees."""
        unrealised = (watch.unrealised for watch in self._open.values())
        return self._performance.net(day), sum(unrealised, Decimal(0))

    def unguarded(self, now_ms: int) -> int:
        """Return how many open positions have no stop, or no recent quote that could hit it."""
        watches = self._open.values()
        quotes = ((watch, self._quotes.quote(watch.instrument_token)) for watch in watches)
        return sum(not watch.is_guarded(quote, now_ms) for watch, quote in quotes)

    @property
    def open_tokens(self) -> tuple[int, ...]:
        """Contracts of the open positions."""
        return tuple(watch.instrument_token for watch in self._open.values())

    def _on_fill(self, fill: OrderFilled) -> tuple[Event, ...]:
        if fill.fill_id in self._fills:
            return ()
        held = self._open.get(fill.position_id)
        if held is None and fill.transaction_type == "SELL":
            raise SaleWithoutPosition(
                f"a sale of {fill.fill_quantity} units without a position: {fill.tag}"
            )
        reason = self._requests.reason(held.state) if held else "manual"
        state = after_fill(held, fill, reason, self.rulebook)
        if isinstance(state, PositionClosed):
            return (_ended(state), self._performance.measured(state), state)
        if held is None:
            return (_signal_update(SignalActivated, state, "position_opened"), state)
        return (state,)

    def _on_ticks(self, batch: TickBatch, now_ms: int) -> tuple[Event, ...]:
        """Mark and check the positions that the batch quotes; once a second check all."""
        quoted, is_sweep = self._quoted(batch), self._begins_second(now_ms)
        for watch in quoted:
            watch.mark(self._quotes.quote(watch.instrument_token))
        due = self._open.values() if is_sweep else quoted
        return self._checked(due, now_ms)

    def _checked(self, due: Iterable[Watch], now_ms: int) -> tuple[Event, ...]:
        return tuple(event for watch in due for event in self._check(watch, now_ms))

    def _quoted(self, batch: TickBatch) -> list[Watch]:
        """Store the quotes of a batch, and return the positions that it quotes."""
        columns = batch.timely()
        if len(columns):
            self._quotes.update(
                columns.instrument_token, columns.exchange_timestamp, columns.last_price
            )
        tokens = set(columns.instrument_token.tolist())
        return [watch for watch in self._open.values() if watch.instrument_token in tokens]

    def _begins_second(self, now_ms: int) -> bool:
        second, before = now_ms // 1000, self._swept_second
        self._swept_second = max(second, before)
        return second > before

    def _check(self, watch: Watch, now_ms: int) -> Iterator[Event]:
        for wanted in self._requests.due(self.rules, watch.seen_at(now_ms), watch.state):
            yield _exit_requested(watch.state, wanted, now_ms)
        if now_ms - watch.state.occurred_ms >= self.mark_every_ms:
            yield marked(watch, now_ms)


def _exit_requested(state: PositionEvent, wanted: Exit, now_ms: int) -> ExitRequested:
    envelope = ExitRequested.after(
        state, state.position_id, wanted.reason, occurred_at=utc_from_ms(now_ms)
    )
    return ExitRequested(
        **envelope,
        position_id=state.position_id,
        signal_id=state.signal_id,
        reason=wanted.reason,
        lots=wanted.lots,
    )


def _ended(state: PositionClosed) -> SignalUpdate:
    kind = SignalStopped if state.exit_reason == "stop_loss" else SignalCompleted
    return _signal_update(kind, state, state.exit_reason or "")


def _signal_update(kind: type[SignalUpdate], state: PositionEvent, reason: str) -> SignalUpdate:
    numbers: dict[str, float | str] = {"net": float(state.net)}
    return kind.of(state, state.occurred_at, state.trading_day, reason, numbers)
