"""The events of one signal, put together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from libs.events.candles import Candle, CandleBatch
from libs.events.event import Event, identity, ms_from_utc
from libs.events.orders import OrderEvent
from libs.events.positions import ExitRequested, PositionEvent
from libs.events.signals import (
    ExecutionDecided,
    SignalFields,
    SignalGenerated,
    SignalUpdate,
    StrategySignal,
)

TOPICS = (
    "strategy_signals",
    "signal_generated",
    "signal_updates",
    "decisions",
    "orders",
    "exit_requests",
    "positions",
)
"""Where the events of stories are published."""


_LOOK_BACK = 8
"""A repeat follows its first within so many events."""


@dataclass(slots=True)
class Story:
    """What happened to a signal; each list in the order of time. `candle`: that of the signal."""

    signal_id: UUID
    strategy_signal: StrategySignal | None = None
    generated: SignalGenerated | None = None
    updates: list[SignalUpdate] = field(default_factory=list)
    decision: ExecutionDecided | None = None
    orders: list[OrderEvent] = field(default_factory=list)
    exits: list[ExitRequested] = field(default_factory=list)
    positions: list[PositionEvent] = field(default_factory=list)
    candle: Mapping[str, Any] | None = None

    @property
    def signal(self) -> SignalFields | None:
        """The signal with its figures, None where only later events are left."""
        return self.generated or self.strategy_signal

    @property
    def first(self) -> Event:
        """The earliest event that is known of it."""
        return next(iter(self.events()))

    @property
    def day(self) -> date:
        """The trading day on which it was given."""
        return self.first.trading_day

    @property
    def at(self) -> datetime:
        """When it was given."""
        return self.first.occurred_at

    @property
    def symbols(self) -> frozenset[str]:
        """The names under which somebody may ask for it: instrument, underlying, contracts."""
        named = {one.tradingsymbol for one in self.updates} | {
            one.underlying for one in self.updates
        }
        if self.signal is not None:
            named |= {self.signal.tradingsymbol, self.signal.underlying}
        if self.decision is not None:
            named |= {self.decision.tradingsymbol, self.decision.underlying}
        named |= {one.contract.tradingsymbol for one in self.orders}
        named |= {one.contract.tradingsymbol for one in self.positions}
        return frozenset(named - {""})

    @property
    def ids(self) -> frozenset[str]:
        """All ids in it, in small letters: of signal, orders, position, events and the broker."""
        found = {str(self.signal_id)}
        for event in self.events():
            found.add(str(event.event_id))
            for name in ("order_id", "position_id", "tag", "broker_order_id"):
                found.add(str(getattr(event, name, "")).lower())
        return frozenset(found - {""})

    def events(self) -> tuple[Event, ...]:
        """Return all of its events, part by part."""
        ahead = (self.strategy_signal, self.generated)
        return (
            *(one for one in ahead if one is not None),
            *self.updates,
            *((self.decision,) if self.decision is not None else ()),
            *self.orders,
            *self.exits,
            *self.positions,
        )

    def take(self, event: Event) -> None:
        """Add an event; a repeat changes nothing."""
        if isinstance(event, StrategySignal):
            self.strategy_signal = event
        elif isinstance(event, SignalGenerated):
            self.generated = event
        elif isinstance(event, ExecutionDecided):
            self.decision = event
        else:
            self._add(event)

    def _add(self, event: Event) -> None:
        lists: tuple[tuple[type[Event], list[Any]], ...] = (
            (SignalUpdate, self.updates),
            (OrderEvent, self.orders),
            (ExitRequested, self.exits),
            (PositionEvent, self.positions),
        )
        for kind, kept in lists:
            is_new = event.event_id not in {one.event_id for one in kept[-_LOOK_BACK:]}
            if isinstance(event, kind) and is_new:
                kept.append(event)


def stories_of(events: Iterable[Event]) -> dict[UUID, Story]:
    """Return signal id → its story."""
    found: dict[UUID, Story] = {}
    for event in events:
        signal_id = signal_of(event)
        if signal_id is not None:
            found.setdefault(signal_id, Story(signal_id)).take(event)
    return found


def signal_of(event: Event) -> UUID | None:
    """Return the id of the signal that an event belongs to, None if to none."""
    if isinstance(event, StrategySignal):
        return identity("SignalGenerated", event.event_id)
    signal_id: UUID | None = getattr(event, "signal_id", None)
    return signal_id


def candle_of(story: Story, batches: Iterable[CandleBatch]) -> Mapping[str, Any] | None:
    """Return the figures of a signal's candle, of its last revision; None if it is not there."""
    signal = story.signal
    if signal is None:
        return None
    opened_ms, found = ms_from_utc(signal.candle_opened_at), None
    for batch in batches:
        if batch.interval != signal.interval:
            continue
        for candle in batch.candles():
            is_its = candle.tradingsymbol == signal.tradingsymbol
            if is_its and candle.opened_ms == opened_ms:
                found = candle
    return None if found is None else figures_of(found)


def figures_of(candle: Candle) -> Mapping[str, Any]:
    """Return what is told of a candle."""
    names = ("open", "high", "low", "close", "volume", "ticks", "revision")
    return {name: getattr(candle, name) for name in names}
