"""The business events of a day, and what they come to: trades, signals not traded, money."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from libs.events.bus import Bus
from libs.events.control import HistoryLoaded, StrategyStopped
from libs.events.event import Event
from libs.events.orders import OrderFilled, OrderPlanned
from libs.events.positions import PositionClosed, PositionEvent, PositionOpened
from libs.events.signals import (
    SignalExpired,
    SignalGenerated,
    SignalLogged,
    SignalRejected,
    SignalUpdate,
    StrategySignal,
)
from libs.runtime.logs import logger_of
from libs.runtime.past import past_events

READ = ("strategy_signals", "signal_generated", "signal_updates", "orders", "positions", "control")
_UNTRADED = (SignalRejected, SignalLogged, SignalExpired)


class Trade(NamedTuple):
    """A position from its entry to its exit; prices in rupees per unit.

    `exit_price` and `exit_reason` are None while it is open. `net` is in rupees after charges, of
    an open position at its last price.
    """

    opened_at: datetime
    tradingsymbol: str
    lots: int
    entry_price: Decimal
    exit_price: Decimal | None
    exit_reason: str | None
    net: Decimal


@dataclass(slots=True)
class DayEvents:
    """Events of a day, each once, in the order in which they were published."""

    events: list[Event] = field(default_factory=list)
    stopped: dict[str, str] = field(default_factory=dict)
    _ids: set[UUID] = field(default_factory=set)

    def take(self, event: Event) -> None:
        """Add an event; one that is there already changes nothing."""
        if event.event_id in self._ids:
            return
        self._ids.add(event.event_id)
        self.events.append(event)
        if isinstance(event, StrategyStopped):
            self.stopped[event.strategy] = event.reason

    def count(self, kind: type[Event]) -> int:
        """Return how many events there are of a type."""
        return sum(isinstance(event, kind) for event in self.events)

    def positions(self) -> list[PositionEvent]:
        """Return the last state of each position."""
        positions = (event for event in self.events if isinstance(event, PositionEvent))
        return list({event.position_id: event for event in positions}.values())

    def trades(self) -> list[Trade]:
        """Return the positions as trades, in the order in which they were opened."""
        trades = [_trade(position) for position in self.positions()]
        return sorted(trades, key=lambda trade: (trade.opened_at, trade.tradingsymbol))

    def untraded(self) -> Counter[str]:
        """Return how many signals were not traded, by reason."""
        updates = (event for event in self.events if isinstance(event, SignalUpdate))
        last = {one.signal_id: one.reason for one in updates if isinstance(one, _UNTRADED)}
        return Counter(last.values())

    def money(self) -> dict[str, Decimal]:
        """Return realised profit, charges and net of all positions, rupees."""
        positions = self.positions()
        names = ("realised", "charges", "net")
        return {name: _sum(getattr(one, name) for one in positions) for name in names}

    def figures(self) -> dict[str, Any]:
        """Return the counts and the money that every summary has."""
        money = self.money()
        return {
            "strategy_signals": self.count(StrategySignal),
            "signals": self.count(SignalGenerated),
            "signals_rejected": self.count(SignalRejected),
            "orders": self.count(OrderPlanned),
            "fills": self.count(OrderFilled),
            "positions_opened": self.count(PositionOpened),
            "positions_closed": self.count(PositionClosed),
            "realised_pnl": money["realised"],
            "charges": money["charges"],
            "net_pnl": money["net"],
            "strategies_stopped": self.troubles(),
        }

    def troubles(self) -> tuple[str, ...]:
        """Return a line for each strategy that was stopped: its name and the reason."""
        return tuple(f"{name}: {reason}" for name, reason in sorted(self.stopped.items()))


async def day_events(bus: Bus, day: date) -> DayEvents:
    """Return what a bus holds of a day.

    A strategy that failed on earlier days' history was stopped on the day that loaded it.
    """
    found, loading = DayEvents(), date.min
    async for event in past_events(bus, READ, logger_of("local")):
        if isinstance(event, HistoryLoaded):
            loading = event.trading_day
        of_day = loading if isinstance(event, StrategyStopped) else event.trading_day
        if of_day == day:
            found.take(event)
    return found


def _trade(position: PositionEvent) -> Trade:
    is_open = not isinstance(position, PositionClosed)
    return Trade(
        position.opened_at,
        position.contract.tradingsymbol,
        position.bought_quantity // position.contract.lot_size,
        position.entry_price,
        position.exit_price,
        position.exit_reason,
        position.net + (position.unrealised if is_open else 0),
    )


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))
