"""The limits on what may be held and lost, and what is known of it."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from uuid import UUID

from libs.events.control import TradingHalted, TradingResumed
from libs.events.event import Event
from libs.events.positions import PositionClosed, PositionEvent
from services.executor.domain.policy import RiskLimits


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that stands against a new position: its value and its maximum."""

    limit: str
    value: float
    maximum: float


@dataclass(frozen=True, slots=True)
class _Exposure:
    underlying: str
    at_risk: Decimal


@dataclass(slots=True)
class RiskBook:
    """Open positions, entries in flight, and the day's results.

    An entry counts from its plan on; its position takes its place with the first fill.
    """

    limits: RiskLimits
    capital: Decimal
    _open: dict[UUID, _Exposure] = field(default_factory=dict)
    _closed: set[UUID] = field(default_factory=set)
    _day: date | None = None
    _net: Decimal = Decimal(0)
    _trades: int = 0
    _losses_in_a_row: int = 0
    _halted_because: str | None = None

    @property
    def risk_left(self) -> Decimal:
        """Rupees that may still be put at risk."""
        at_risk = sum((exposure.at_risk for exposure in self._open.values()), Decimal(0))
        return self.capital * self.limits.capital_at_risk - at_risk

    def breach(self, underlying: str) -> Breach | None:
        """Return the first limit that refuses a new position, or None."""
        limits, loss = self.limits, max(-self._net, Decimal(0))
        same = sum(exposure.underlying == underlying for exposure in self._open.values())
        largest_loss = self.capital * limits.daily_loss
        checks = (
            ("kill_switch", float(self._halted_because is not None), 0.0, bool),
            ("daily_loss", float(loss), float(largest_loss), None),
            ("losses_in_a_row", float(self._losses_in_a_row), float(limits.losses_in_a_row), None),
            ("trades_a_day", float(self._trades), float(limits.trades_a_day), None),
            ("positions", float(len(self._open)), float(limits.positions), None),
            ("positions_per_underlying", same, limits.positions_per_underlying, None),
        )
        for name, value, maximum, kind in checks:
            if value > maximum if kind is bool else value >= maximum:
                return Breach(name, float(value), float(maximum))
        return None

    def enter(self, position_id: UUID, underlying: str, at_risk: Decimal, day: date) -> None:
        """Count an entry that was planned."""
        self._start_day(day)
        if position_id not in self._open and position_id not in self._closed:
            self._open[position_id] = _Exposure(underlying, at_risk)
            self._trades += 1

    def abandon(self, position_id: UUID) -> None:
        """Forget an entry that ended without a fill."""
        if self._open.pop(position_id, None) is not None:
            self._closed.add(position_id)

    def on_event(self, event: Event) -> None:
        """Learn from a position, or from a halt."""
        if isinstance(event, TradingHalted):
            self._halted_because = event.reason or "halted"
        elif isinstance(event, TradingResumed):
            self._halted_because = None
        elif isinstance(event, PositionClosed):
            self._start_day(event.trading_day)
            self._close(event)
        elif isinstance(event, PositionEvent):
            self._hold(event)

    def _hold(self, event: PositionEvent) -> None:
        if event.position_id in self._closed:
            return
        distance = max(event.entry_price - event.stop_loss, Decimal(0))
        self._open[event.position_id] = _Exposure(event.underlying, distance * event.quantity)

    def _close(self, event: PositionClosed) -> None:
        self._open.pop(event.position_id, None)
        if event.position_id in self._closed:
            return
        self._closed.add(event.position_id)
        self._net += event.net
        self._losses_in_a_row = self._losses_in_a_row + 1 if event.net < 0 else 0

    def _start_day(self, day: date) -> None:
        if self._day is None or day > self._day:
            self._day, self._net = day, Decimal(0)
            self._trades = self._losses_in_a_row = 0
            self._closed = set()
