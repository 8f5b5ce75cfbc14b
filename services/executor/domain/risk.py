"""Risk limits, and the exposure and results that they apply to."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import takewhile
from uuid import UUID

from libs.events.control import RiskLimitReached, TradingHalted, TradingResumed
from libs.events.event import Event
from libs.events.positions import ExitReason, PositionClosed, PositionEvent
from services.executor.domain.day_limits import ACCOUNT, Breach, DayLimits
from services.executor.domain.policy import RiskLimits

__all__ = ["ALL_UNDERLYINGS", "Breach", "DayResult", "RiskBook"]

STOPS = ("stop_loss", "trailing_stop", "stop_to_cost")
"""The reasons of a position's end after which an entry is an entry after a stop."""
ALL_UNDERLYINGS = "*"
"""Quarantines every underlying."""


@dataclass(frozen=True, slots=True)
class DayResult:
    """A day so far: what its closed positions made after charges (rupees), and how many trades.

    `open_net`: what the open positions have made today by their marks, after charges.
    """

    net: Decimal = Decimal(0)
    closed: int = 0
    trades: int = 0
    losses_in_a_row: int = 0
    open_net: Decimal = Decimal(0)

    @property
    def loss(self) -> Decimal:
        """Rupees lost by closed and open positions together, 0 in profit."""
        return max(-self.net - self.open_net, Decimal(0))


@dataclass(slots=True)
class _Exposure:
    """A position by its last event, and its entry: units filled or working, limit minus stop.

    `at_risk`: rupees lost at the stop by what is held and what the entry may still add. It is
    computed at each change, since every decision reads it for all positions.
    """

    underlying: str
    strategy: str = ""
    entry_quantity: int = 0
    entry_distance: Decimal = Decimal(0)
    position: PositionEvent | None = None
    at_risk: Decimal = Decimal(0)
    before_today: Decimal = Decimal(0)
    """What it had made by its last mark of an earlier day, rupees."""

    def enter(self, quantity: int, distance: Decimal) -> None:
        """Note the units that the entry has filled or may still fill."""
        self.entry_quantity, self.entry_distance = quantity, distance
        self.at_risk = self._computed_risk()

    def hold(self, position: PositionEvent) -> None:
        """Note the current state of the position."""
        self.before_today = self.made_before(position.trading_day)
        self.position = position
        self.at_risk = self._computed_risk()

    def made_before(self, day: date) -> Decimal:
        """Return what the position had made before a day, by its marks."""
        if self.position is not None and self.position.trading_day < day:
            return _made(self.position)
        return self.before_today

    def made_on(self, day: date) -> Decimal:
        """Return what the position has made on a day by its marks; rupees, after charges."""
        if self.position is None or self.position.trading_day < day:
            return Decimal(0)
        return _made(self.position) - self.before_today

    def _computed_risk(self) -> Decimal:
        if self.position is None:
            return self.entry_distance * self.entry_quantity
        distance = max(self.position.entry_price - self.position.stop_loss, Decimal(0))
        coming = max(self.entry_quantity - self.position.bought_quantity, 0)
        return distance * self.position.quantity + self.entry_distance * coming


@dataclass(slots=True)
class RiskBook:
    """Open positions, entries in flight, and the day's results.

    An entry counts from its plan on; filled units count as part of the position. The day's loss
    counts open positions at their marks; once it has reached its limit the day is over for
    entries, even if prices come back. `quarantined` has the underlyings in which the account
    differs from our books, with the reason.
    """

    limits: RiskLimits
    capital: Decimal
    _open: dict[UUID, _Exposure] = field(default_factory=dict)
    _closed_at: dict[UUID, datetime] = field(default_factory=dict)
    _day: date = date.min
    _entered: set[UUID] = field(default_factory=set)
    _results: dict[UUID, PositionClosed] = field(default_factory=dict)
    quarantined: Mapping[str, str] = field(default_factory=dict)
    _nets: dict[UUID, Decimal] = field(default_factory=dict)
    _is_lost: bool = False
    _halted_because: str | None = None
    day_limits: DayLimits = field(init=False)

    def __post_init__(self) -> None:
        limits = self.limits
        self.day_limits = DayLimits(
            self.capital, limits.profit_lock, limits.each_strategy, limits.strategies
        )

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
        """Rupees lost today by closed positions and by open ones at their marks, 0 in profit."""
        return max(-self._closed_net() - self._open_net(), Decimal(0))

    def _closed_net(self) -> Decimal:
        return sum(self._nets.values(), Decimal(0))

    def _open_net(self) -> Decimal:
        return sum((one.made_on(self._day) for one in self._open.values()), Decimal(0))

    def at_risk_of(self, position_id: UUID) -> Decimal | None:
        """Return the rupees at risk by a position, None if it is not known here."""
        exposure = self._open.get(position_id)
        return None if exposure is None else exposure.at_risk

    def stop_loss_of(self, position_id: UUID) -> Decimal | None:
        """Return the stop of a position as it is now (rupees), None if it is not known here."""
        exposure = self._open.get(position_id)
        return (
            None if exposure is None or exposure.position is None else exposure.position.stop_loss
        )

    def stop_reason_of(self, position_id: UUID) -> ExitReason:
        """Return why a sale at a position's stop closes it: its stop may have been lifted."""
        exposure = self._open.get(position_id)
        position = None if exposure is None else exposure.position
        return "stop_loss" if position is None else position.stop_reason

    def at_risk_in(self, strategy: str | None = None, underlying: str | None = None) -> Decimal:
        """Return the rupees at risk by a strategy, or in an underlying; entries in flight too."""
        meant = (
            one.at_risk
            for one in self._open.values()
            if strategy in (None, one.strategy) and underlying in (None, one.underlying)
        )
        return sum(meant, Decimal(0))

    def stops_in(self, strategy: str, underlying: str) -> tuple[int, ...]:
        """Return when a strategy's positions in an underlying were stopped today (epoch ms)."""
        latest = {
            one.position_id: one.occurred_ms
            for one in self._results.values()
            if (one.strategy, one.underlying) == (strategy, underlying) and one.exit_reason in STOPS
        }
        return tuple(sorted(latest.values()))

    def result_of(self, day: date) -> DayResult:
        """Return the result of the day that is counted; nothing was traded on a later one."""
        if day != self._day:
            return DayResult()
        return DayResult(
            net=self._closed_net(),
            closed=len(self._results),
            trades=len(self._entered),
            losses_in_a_row=self._losses_in_a_row(),
            open_net=self._open_net(),
        )

    @property
    def risk_left(self) -> Decimal:
        """Rupees that may still be put at risk."""
        return self.capital * self.limits.capital_at_risk - self.at_risk

    def breach(self, underlying: str, strategy: str = ACCOUNT) -> Breach | None:
        """Return the first limit that refuses a new position of a strategy, or None."""
        if self._halted_because is not None:
            return Breach("kill_switch", 1.0, 0.0)
        if underlying in self.quarantined or ALL_UNDERLYINGS in self.quarantined:
            return Breach("quarantine", 1.0, 0.0)
        if (reached := self.day_limits.breach(strategy)) is not None:
            return reached
        for name, value, maximum in self.measures(underlying):
            if value >= maximum:
                return Breach(name, float(value), float(maximum))
        return None

    def start_day(self, day: date) -> None:
        """Begin a later trading day, without trades and results."""
        if day > self._day:
            self._day = day
            self._entered, self._results, self._closed_at = set(), {}, {}
            self._nets, self._is_lost = {}, False
            self.day_limits.begin()

    def enter(
        self,
        position_id: UUID,
        underlying: str,
        quantity: int,
        distance: Decimal,
        day: date,
        strategy: str = "",
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
            exposure = self._open[position_id] = _Exposure(underlying, strategy)
        exposure.enter(quantity, distance)
        if not quantity and exposure.position is None:
            del self._open[position_id]

    @property
    def halted_because(self) -> str | None:
        """Why no new position may be opened; None while trading is not halted."""
        return self._halted_because

    def stops(self, strategy: str) -> bool:
        """Whether a strategy's entries are ended: by a halt, or since its day or all's is over."""
        is_over = self._is_lost or self.day_limits.breach(strategy) is not None
        return self._halted_because is not None or is_over

    def on_mark(self, event: PositionEvent) -> Breach | None:
        """Note a position; return the limit that the day's loss has reached by it, once a day."""
        self.on_event(event)
        return self.on_time(event.trading_day)

    def on_time(self, day: date) -> Breach | None:
        """Return the limit that the day's loss has reached, once a day; a new day begins anew."""
        self.start_day(day)
        if self._is_lost or day != self._day:
            return None
        loss, maximum = self.day_loss, self.capital * self.limits.daily_loss
        if loss < maximum:
            return None
        self._is_lost = True
        return Breach("daily_loss", float(loss), float(maximum))

    def on_day(self, day: date) -> tuple[Breach, ...]:
        """Return every limit that the day has reached, each once; a new day begins anew."""
        lost = self.on_time(day)
        is_looked_at = day == self._day and self.day_limits.are_set
        news = self.day_limits.news(self._nets_of_day()) if is_looked_at else ()
        return news if lost is None else (lost, *news)

    def _nets_of_day(self) -> dict[str, Decimal]:
        """Return the day's net of each strategy by itself, and of all: rupees, by marks."""
        nets: defaultdict[str, Decimal] = defaultdict(Decimal)
        for event_id, net in self._nets.items():
            nets[self._results[event_id].strategy] += net
        for one in self._open.values():
            if one.position is not None:
                nets[one.position.strategy] += one.made_on(self._day)
        nets[ACCOUNT] = sum(nets.values(), Decimal(0))
        return nets

    def why_closed(self, strategy: str) -> str | None:
        """Return the limit for which a strategy's positions are to be closed, None for none."""
        if self.closes_everything:
            return "daily_loss"
        reached = self.day_limits.breach(strategy)
        return None if reached is None else reached.limit

    @property
    def limits_reached(self) -> int:
        """How many limits the day has reached, those of strategies included."""
        return self._is_lost + len(self.day_limits.reached)

    @property
    def closes_something(self) -> bool:
        """Whether positions are to be closed by a limit of the day."""
        return self.closes_everything or bool(self.day_limits.reached)

    @property
    def closes_everything(self) -> bool:
        """Whether all positions are to be closed: the day is lost, and the settings say so."""
        return self._is_lost and self.limits.close_at_daily_loss

    def on_event(self, event: Event) -> None:
        """Note a position, a halt or its end, or that the day's loss has reached its limit."""
        if isinstance(event, RiskLimitReached):
            self._lose(event)
        elif isinstance(event, TradingHalted):
            self._halted_because = event.reason or "halted"
        elif isinstance(event, TradingResumed):
            self._halted_because = None
        elif isinstance(event, PositionClosed):
            self._close(event)
        elif isinstance(event, PositionEvent):
            self._hold(event)

    def quarantined_because(self, underlying: str) -> str | None:
        """Return why an underlying is in quarantine, None while it is not."""
        return self.quarantined.get(underlying) or self.quarantined.get(ALL_UNDERLYINGS)

    def measures(self, underlying: str) -> Iterator[tuple[str, Decimal, Decimal]]:
        """Yield each limit in its order: its name, how much of it is used, and its maximum."""
        limits = self.limits
        same = sum(exposure.underlying == underlying for exposure in self._open.values())
        lost = self.capital * limits.daily_loss
        yield "daily_loss", max(self.day_loss, lost) if self._is_lost else self.day_loss, lost
        yield "losses_in_a_row", Decimal(self._losses_in_a_row()), Decimal(limits.losses_in_a_row)
        yield "trades_a_day", Decimal(len(self._entered)), Decimal(limits.trades_a_day)
        yield "positions", Decimal(len(self._open)), Decimal(limits.positions)
        yield "positions_per_underlying", Decimal(same), Decimal(limits.positions_per_underlying)
        yield "capital_at_risk", self.at_risk, self.capital * limits.capital_at_risk

    def _lose(self, event: RiskLimitReached) -> None:
        self.start_day(event.trading_day)
        if event.trading_day != self._day:
            return
        self._is_lost |= event.limit == "daily_loss"
        self.day_limits.restore(event)

    def _losses_in_a_row(self) -> int:
        # Sorted, since a restart may read positions partition by partition.
        latest_first = sorted(self._results.values(), key=lambda one: one.occurred_at, reverse=True)
        return len(list(takewhile(lambda one: one.net < 0, latest_first)))

    def _hold(self, event: PositionEvent) -> None:
        closed_at = self._closed_at.get(event.position_id)
        if closed_at is not None and event.occurred_at <= closed_at:
            return
        exposure = self._open.setdefault(
            event.position_id, _Exposure(event.underlying, event.strategy)
        )
        if exposure.position is None or _progress(event) >= _progress(exposure.position):
            exposure.hold(event)

    def _close(self, event: PositionClosed) -> None:
        self.start_day(event.trading_day)
        exposure = self._open.pop(event.position_id, None)
        self._closed_at[event.position_id] = event.occurred_at
        if event.trading_day == self._day:
            before = exposure.made_before(event.trading_day) if exposure else Decimal(0)
            self._results[event.event_id] = event
            self._nets[event.event_id] = event.net - before


def _made(position: PositionEvent) -> Decimal:
    """What a position has made by its mark, after the charges so far."""
    return position.net + position.unrealised


def _progress(event: PositionEvent) -> tuple[int, datetime]:
    return len(event.fill_ids), event.occurred_at
