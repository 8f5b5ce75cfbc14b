"""OptionsPositionManager: positions opened by fills, marked by ticks, closed by fills."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import cast, get_args
from uuid import UUID

from libs.events.errors import PoisonMessage
from libs.events.event import Event, utc_from_ms
from libs.events.orders import OrderFilled
from libs.events.positions import (
    ExitReason,
    ExitRequested,
    PositionClosed,
    PositionEvent,
    fill_key,
)
from libs.events.signals import (
    SignalActivated,
    SignalCompleted,
    SignalGenerated,
    SignalStopped,
    SignalUpdate,
)
from libs.events.ticks import TickBatch
from libs.market.calendar import day_in_india
from libs.market.rulebook import Rulebook
from services.position.domain.alerts import Alerts
from services.position.domain.exit_requests import ExitRequests
from services.position.domain.exit_rules.opposite_signal import OppositeSignal
from services.position.domain.exit_rules.quiet import quiet_of
from services.position.domain.exit_rules.rule import (
    Exit,
    ExitRule,
    LiftsStop,
    lifted_stop,
    lifting_of,
    lifts_from,
)
from services.position.domain.performance import Performance
from services.position.domain.seen_prices import PriceRules
from services.position.domain.states import after_fill, marked
from services.position.domain.trades import Trade
from services.position.domain.updates import updates_of
from services.position.domain.watch import Watch, Watched, money

_REASONS: frozenset[str] = frozenset(get_args(ExitReason))


class SaleWithoutPosition(PoisonMessage):
    """A sale of what was never held. Delivered again after its purchase, it is booked."""


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
    prices: PriceRules = field(default_factory=PriceRules)
    alerts: Alerts = field(default_factory=Alerts)
    opposite: OppositeSignal = field(default_factory=OppositeSignal)
    _open: dict[UUID, Watch] = field(default_factory=dict)
    _closed: dict[UUID, PositionClosed] = field(default_factory=dict)
    _requests: ExitRequests = field(default_factory=ExitRequests)
    _fills: set[str] = field(default_factory=set)
    _performance: Performance = field(default_factory=Performance)
    _swept_second: int = -1
    _index: Watched | None = None
    _lifting: Sequence[LiftsStop] = field(init=False)

    def __post_init__(self) -> None:
        self._lifting = lifting_of(self.rules)

    def on_event(self, event: Event, now_ms: int) -> tuple[Event, ...]:
        """React to a fill, to ticks or to a signal; note what others request.

        Raise SaleWithoutPosition for a sale of what was never held.
        """
        made: tuple[Event, ...] = ()
        if isinstance(event, TickBatch) and self._open:
            made = self._on_ticks(event, now_ms)
        elif isinstance(event, OrderFilled):
            made = self._on_fill(event)
        elif isinstance(event, SignalGenerated):
            made = self._on_signal(event, now_ms)
        elif isinstance(event, ExitRequested) and event.position_id in self._open:
            self.restore(event)
        return self._applied(made)

    def on_time(self, now_ms: int) -> tuple[Event, ...]:
        """Return what time alone asks for, once a second: exits, marks and alerts.

        `now_ms` is the service's clock (epoch ms).
        """
        if now_ms <= 0 or not self._open or not self._begins_second(now_ms):
            return ()
        return self._applied(self._swept(now_ms))

    def restore(self, event: Event) -> None:
        """Apply a position event or an exit request; ignore other events."""
        if isinstance(event, PositionClosed):
            self._open.pop(event.position_id, None)
            self._index = None
            self._closed[event.position_id] = event
            self._requests.forget(event.position_id)
            self._fills |= set(event.fill_ids)
            self._performance.add(event)
        elif isinstance(event, PositionEvent):
            self._hold(event)
            self._fills |= set(event.fill_ids)
        elif isinstance(event, ExitRequested):
            self._requests.add(event)

    def results(self, day: date) -> tuple[Decimal, Decimal]:
        """Return a day's realised profit after charges and the open unrealised one, in rupees."""
        unrealised = (watch.unrealised for watch in self._open.values())
        return self._performance.net(day), sum(unrealised, Decimal(0))

    def open_trades(self) -> list[Trade]:
        """Return the open positions at their latest prices."""
        return [watch.trade for watch in self._open.values()]

    def closed_trades(self) -> list[Trade]:
        """Return the last closing of each position that is remembered."""
        return [Trade.of(closed) for closed in self._closed.values()]

    def unguarded(self, now_ms: int) -> int:
        """Return how many open positions have no stop, or no recent price that could hit it."""
        return sum(not watch.is_guarded(now_ms) for watch in self._open.values())

    @property
    def over_night(self) -> int:
        """How many open positions may be held over night, by their plans."""
        plans = (watch.state.exit_plan for watch in self._open.values())
        return sum(plan is not None and plan.overnight for plan in plans)

    def warnings(self, now_ms: int) -> tuple[str, ...]:
        """Return what a person must know before it matters, one line each."""
        return self.alerts.warnings(now_ms)

    def calendar_days_left(self, now_ms: int) -> int:
        """Return for how many days the calendar of trading days still holds, at most 42."""
        return self.alerts.days_left(now_ms)

    def rule_days_left(self, now_ms: int) -> int:
        """Return for how many days every lot, freeze, rate and limit is known, at most 42."""
        return self.alerts.rule_days_left(now_ms)

    @property
    def open_tokens(self) -> tuple[int, ...]:
        """Contracts of the open positions."""
        return tuple(watch.instrument_token for watch in self._open.values())

    def _applied(self, made: tuple[Event, ...]) -> tuple[Event, ...]:
        for one in made:
            self.restore(one)
        return made

    def _hold(self, event: PositionEvent) -> None:
        watch, life = self._open.get(event.position_id), self.alerts.life(event.contract)
        if watch is None or watch.state.openings != event.openings:
            watch = self._open[event.position_id] = Watch.of(event, self.prices, life)
            self._index = None
        else:
            watch.follow(event, life)
        watch.lifts_from = lifts_from(self._lifting, event)

    def _on_fill(self, fill: OrderFilled) -> tuple[Event, ...]:
        held, closed = self._open.get(fill.position_id), self._closed.get(fill.position_id)
        if self._is_known(fill, held.state if held else closed):
            return ()
        if held is None and closed is None and fill.transaction_type == "SELL":
            raise SaleWithoutPosition(
                f"a sale of {fill.fill_quantity} units without a position: {fill.tag}"
            )
        reason = self._exit_reason(fill, held)
        seen = self._exit_price(fill, held)
        state = after_fill(held, fill, reason, self.rulebook, closed, seen)
        if isinstance(state, PositionClosed):
            return (_ended(state), self._performance.measured(state), state)
        if held is None:
            return (_signal_update(SignalActivated, state, "position_opened"), state)
        return (state,)

    def _on_signal(self, signal: SignalGenerated, now_ms: int) -> tuple[Event, ...]:
        """Return the exits that a signal in the other direction asks for."""
        wanted = [(one, self.opposite.check(signal, one.state)) for one in self._open.values()]
        return tuple(
            _exit_requested(watch, exit_, now_ms)
            for watch, exit_ in wanted
            if exit_ is not None and not self._requests.is_left(watch.state)
        )

    def _is_known(self, fill: OrderFilled, state: PositionEvent | None) -> bool:
        """Return whether a fill is booked; older positions have kept the exchange's bare ids."""
        is_bare = state is not None and fill.fill_id in state.fill_ids
        return is_bare or fill_key(fill) in self._fills

    def _exit_reason(self, fill: OrderFilled, held: Watch | None) -> ExitReason:
        """Return why a fill closes: its own reason if it is a booking, else that of the request."""
        if fill.reason == "stop_loss" and held is not None:  # by the stop at the exchange
            return held.state.stop_reason
        if fill.reason in _REASONS:
            return cast(ExitReason, fill.reason)
        return self._requests.reason(held.state) if held else "manual"

    def _exit_price(self, fill: OrderFilled, held: Watch | None) -> Decimal | None:
        """Return the price at which a sale was decided on, rupees; None: not known."""
        if held is None:
            return None
        if fill.reason == "stop_loss":  # by the stop at the exchange
            return held.state.stop_loss
        return None if fill.reason in _REASONS else self._requests.price(held.state)

    def _on_ticks(self, batch: TickBatch, now_ms: int) -> tuple[Event, ...]:
        """Show each update to the position that holds it; once a second check all."""
        wanted = self._shown(batch, now_ms)
        if self._begins_second(now_ms):
            return self._swept(now_ms, {place: exits for place, (_, exits) in wanted.items()})
        made: list[Event] = []
        for _, (watch, exits) in sorted(wanted.items()) if len(wanted) > 1 else wanted.items():
            made += self._check(watch, now_ms, exits)
        return tuple(made)

    def _shown(self, batch: TickBatch, now_ms: int) -> dict[int, tuple[Watch, list[Exit]]]:
        """Return each position to which the batch shows a price, by its place, and its exits."""
        watched = self._watched(batch.trading_day)
        wanted: dict[int, tuple[Watch, list[Exit]]] = {}
        within_ms = self.prices.updated_within_ms
        for token, update in updates_of(batch, watched.tokens, within_ms):
            if now_ms - update.at_ms > within_ms:
                continue
            for place, watch in watched.by_token[token]:
                if watch.see(update):
                    _, exits = wanted.setdefault(place, (watch, []))
                    exits += self._due(watch, now_ms, exits)
        return wanted

    def _watched(self, day: date) -> Watched:
        """Return what is watched on a day."""
        if self._index is None or self._index.day != day:
            self._index = Watched.of(self._open.values(), day)
        return self._index

    def _swept(
        self, now_ms: int, wanted: Mapping[int, Sequence[Exit]] = MappingProxyType({})
    ) -> tuple[Event, ...]:
        """Check all positions, and say what is wrong with them; `wanted` is by place."""
        made: list[Event] = []
        for place, watch in enumerate(self._open.values()):
            made += self._check(watch, now_ms, wanted.get(place))
            made += self.alerts.of(watch, now_ms)
        return tuple(made)

    def _begins_second(self, now_ms: int) -> bool:
        second, before = now_ms // 1000, self._swept_second
        self._swept_second = second
        return second != before

    def _check(
        self, watch: Watch, now_ms: int, wanted: Sequence[Exit] | None = None
    ) -> Sequence[Event]:
        """Return the exits that updates have asked for, else those that are due now, and a mark."""
        if now_ms >= watch.life.ends_ms:
            return ()
        exits = self._due(watch, now_ms) if wanted is None else wanted
        is_due = watch.is_due(now_ms, self.mark_every_ms)
        if not exits and not is_due:
            return ()
        asked = [_exit_requested(watch, one, now_ms) for one in exits]
        if not is_due:
            return asked
        stop = lifted_stop(self._lifting, watch.state, watch.highest)
        return [*asked, marked(watch, now_ms, stop)]

    def _due(self, watch: Watch, now_ms: int, wanted: Sequence[Exit] = ()) -> list[Exit]:
        """Return the exits that the rules want now; what is oversold cannot be sold."""
        if watch.is_quiet(now_ms) or watch.state.quantity <= 0:
            return []
        if watch.quiet is None:
            watch.quiet = quiet_of(self.rules, watch.state, watch.highest)
        return list(self._requests.due(self.rules, watch.seen_at(now_ms), watch.state, wanted))


def _exit_requested(watch: Watch, wanted: Exit, now_ms: int) -> ExitRequested:
    state = watch.state
    opening = () if state.openings == 1 else (state.openings,)
    envelope = ExitRequested.after(
        state,
        *(state.position_id, wanted.reason, *opening),
        *(() if wanted.step is None else (("step", wanted.step),)),
        occurred_at=utc_from_ms(now_ms),
        trading_day=day_in_india(now_ms),
    )
    return ExitRequested(
        **envelope,
        position_id=state.position_id,
        signal_id=state.signal_id,
        reason=wanted.reason,
        lots=wanted.lots,
        step=wanted.step,
        price=money(watch.seen),
    )


def _ended(state: PositionClosed) -> SignalUpdate:
    kind = SignalStopped if state.exit_reason == "stop_loss" else SignalCompleted
    return _signal_update(kind, state, state.exit_reason or "")


def _signal_update(kind: type[SignalUpdate], state: PositionEvent, reason: str) -> SignalUpdate:
    numbers: dict[str, float | str] = {"net": float(state.net)}
    return kind.of(state, state.occurred_at, state.trading_day, reason, numbers)
