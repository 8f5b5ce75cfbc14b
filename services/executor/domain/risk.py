"""Risk limits, and the exposure and results that they apply to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import takewhile
from uuid import UUID

from libs.events.control import TradingHalted, TradingResumed
from libs.events.event import Event
from libs.events.positions import PositionClosed, PositionEvent
from services.executor.domain.policy import RiskLimits

ALL_UNDERLYINGS = "*"
"""Quarantines every underlying."""


@dataclass(frozen=True, slots=True)
class DayResult:
    """A day so far: what its closed positions made after charges (rupees), and how many trades."""

    net: Decimal = Decimal(0)
    closed: int = 0
    trades: int = 0
    losses_in_a_row: int = 0

    @property
    def loss(self) -> Decimal:
        """Rupees lost, 0 in profit."""
        return max(-self.net, Decimal(0))


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that refuses a new position: its value and its maximum."""

    limit: str
    value: float
    maximum: float


@dataclass(slots=True)
class _Exposure:
    """A position by its last event, and its entry: units filled or working, limit minus stop.

    `at_risk`: rupees lost at the stop by what is held and what the entry may still add. It is
    computed at each change, since every decision reads it for all positions.
    """

    underlying: str
    entry_quantity: int = 0
    entry_distance: Decimal = Decimal(0)
    position: PositionEvent | None = None
    at_risk: Decimal = Decimal(0)

    def enter(self, quantity: int, distance: Decimal) -> None:
        """Note the units that the entry has filled or may still fill."""
        self.entry_quantity, self.entry_distance = quantity, distance
        self.at_risk = self._computed_risk()

    def hold(self, position: PositionEvent) -> None:
        """Note the current state of the position."""
        self.position = position
        self.at_risk = self._computed_risk()

    def _computed_risk(self) -> Decimal:
        if self.position is None:
            return self.entry_distance * self.entry_quantity
        distance = max(self.position.entry_price - self.position.stop_loss, Decimal(0))
        coming = max(self.entry_quantity - self.position.bought_quantity, 0)
        return distance * self.position.quantity + self.entry_distance * coming


@dataclass(slots=True)
class RiskBook:
    """Open positions, entries in flight, and the day's results.

    An entry counts from its plan on; filled units count as part of the position. `quarantined` has
    the underlyings in which the account differs from our books, with the reason.
    """

    limits: RiskLimits
    capital: Decimal
    _open: dict[UUID, _Exposure] = field(default_factory=dict)
    _closed_at: dict[UUID, datetime] = field(default_factory=dict)
    _day: date = date.min
    _entered: set[UUID] = field(default_factory=set)
    _results: dict[UUID, PositionClosed] = field(default_factory=dict)
    quarantined: Mapping[str, str] = field(default_factory=dict)
    _halted_because: str | None = None

    @property
    def at_risk(self) -> Decimal:
        """Rupees at risk, entries in flight included."""
        return sum((exposure.at_risk for exposure in self._open.values()), Decimal(0))

    @property
    def day(self) -> date:
        """The trading day that is counted; date.min before the first trade."""
        return self._day

    @property
    def exposed(self) -> int:
        """Number of positions, entries in flight included."""
        return len(self._open)

    @property
    def day_loss(self) -> Decimal:
        """Rupees lost by the positions closed today, 0 in profit."""
        return self.result_of(self._day).loss

    def at_risk_of(self, position_id: UUID) -> Decimal | None:
        """Return the rupees at risk by a position, None if it is not known here."""
        exposure = self._open.get(position_id)
        return None if exposure is None else exposure.at_risk

    def result_of(self, day: date) -> DayResult:
        """Return the result of the day that is counted; nothing was traded on a later one."""
        if day != self._day:
            return DayResult()
        return DayResult(
            net=sum((one.net for one in self._results.values()), Decimal(0)),
            closed=len(self._results),
            trades=len(self._entered),
            losses_in_a_row=self._losses_in_a_row(),
        )

    @property
    def risk_left(self) -> Decimal:
        """Rupees that may still be put at risk."""
        return self.capital * self.limits.capital_at_risk - self.at_risk

    def breach(self, underlying: str) -> Breach | None:
        """Return the first limit that refuses a new position, or None."""
        if self._halted_because is not None:
            return Breach("kill_switch", 1.0, 0.0)
        if underlying in self.quarantined or ALL_UNDERLYINGS in self.quarantined:
            return Breach("quarantine", 1.0, 0.0)
        for name, value, maximum in self._measures(underlying):
            if value >= maximum:
                return Breach(name, float(value), float(maximum))
        return None

    def start_day(self, day: date) -> None:
        """Begin a later trading day, without trades and results."""
        if day > self._day:
            self._day = day
            self._entered, self._results, self._closed_at = set(), {}, {}

    def enter(
        self, position_id: UUID, underlying: str, quantity: int, distance: Decimal, day: date
    ) -> None:
        """Note what an entry has filled or may still fill (units); with none it is dropped."""
        self.start_day(day)
        is_of_today = day == self._day
        if is_of_today:
            self._entered.add(position_id)
        exposure = self._open.get(position_id)
        if exposure is None:
            if not quantity or not is_of_today or position_id in self._closed_at:
                return
            exposure = self._open[position_id] = _Exposure(underlying)
        exposure.enter(quantity, distance)
        if not quantity and exposure.position is None:
            del self._open[position_id]

    @property
    def halted_because(self) -> str | None:
        """Why no new position may be opened; None while trading is not halted."""
        return self._halted_because

    def on_event(self, event: Event) -> None:
        """Note a position, a halt or its end."""
        if isinstance(event, TradingHalted):
            self._halted_because = event.reason or "halted"
        elif isinstance(event, TradingResumed):
            self._halted_because = None
        elif isinstance(event, PositionClosed):
            self._close(event)
        elif isinstance(event, PositionEvent):
            self._hold(event)

    def _measures(self, underlying: str) -> Iterator[tuple[str, Decimal, Decimal]]:
        limits = self.limits
        same = sum(exposure.underlying == underlying for exposure in self._open.values())
        yield "daily_loss", self.day_loss, self.capital * limits.daily_loss
        yield "losses_in_a_row", Decimal(self._losses_in_a_row()), Decimal(limits.losses_in_a_row)
        yield "trades_a_day", Decimal(len(self._entered)), Decimal(limits.trades_a_day)
        yield "positions", Decimal(len(self._open)), Decimal(limits.positions)
        yield "positions_per_underlying", Decimal(same), Decimal(limits.positions_per_underlying)
        yield "capital_at_risk", self.at_risk, self.capital * limits.capital_at_risk

    def _losses_in_a_row(self) -> int:
        # Sorted, since a restart may read positions partition by partition.
        latest_first = sorted(self._results.values(), key=lambda one: one.occurred_at, reverse=True)
        return len(list(takewhile(lambda one: one.net < 0, latest_first)))

    def _hold(self, event: PositionEvent) -> None:
        closed_at = self._closed_at.get(event.position_id)
        if closed_at is not None and event.occurred_at <= closed_at:
            return
        exposure = self._open.setdefault(event.position_id, _Exposure(event.underlying))
        if exposure.position is None or _progress(event) >= _progress(exposure.position):
            exposure.hold(event)

    def _close(self, event: PositionClosed) -> None:
        self.start_day(event.trading_day)
        self._open.pop(event.position_id, None)
        self._closed_at[event.position_id] = event.occurred_at
        if event.trading_day == self._day:
            self._results[event.event_id] = event


def _progress(event: PositionEvent) -> tuple[int, datetime]:
    return len(event.fill_ids), event.occurred_at
