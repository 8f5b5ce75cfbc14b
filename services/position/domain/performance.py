"""How strategies did: wins, averages, profit factor and drawdown, after charges."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from uuid import UUID

from libs.events.event import identity
from libs.events.positions import PerformanceMeasured, PositionClosed


@dataclass(slots=True)
class Record:
    """The results of one strategy on one underlying in a trading day, in order of closing."""

    by_event: dict[UUID, Decimal] = field(default_factory=dict)

    @property
    def nets(self) -> list[Decimal]:
        """Net of each position, rupees; one that was told twice counts once."""
        return list(self.by_event.values())

    @property
    def drawdown(self) -> Decimal:
        """Largest fall of the cumulative net from its peak, a positive amount."""
        total = peak = worst = Decimal(0)
        for net in self.nets:
            total += net
            peak = max(peak, total)
            worst = max(worst, peak - total)
        return worst

    @property
    def profit_factor(self) -> float | None:
        """Gross profit over gross loss, None without a loss."""
        profit = sum((net for net in self.nets if net > 0), Decimal(0))
        loss = -sum((net for net in self.nets if net < 0), Decimal(0))
        return float(profit / loss) if loss else None


@dataclass(slots=True)
class Performance:
    """Records by trading day, strategy and underlying."""

    _records: dict[tuple[date, str, str], Record] = field(default_factory=dict)

    def net(self, day: date) -> Decimal:
        """Return the result of a trading day over all strategies, rupees after charges."""
        records = (record for (of, _, _), record in self._records.items() if of == day)
        return sum((net for record in records for net in record.nets), Decimal(0))

    def add(self, closed: PositionClosed) -> PerformanceMeasured:
        """Take a closed position and return the figures so far."""
        key = (closed.trading_day, closed.strategy, closed.underlying)
        record = self._records.setdefault(key, Record())
        record.by_event[closed.event_id] = closed.net
        wins, trades = sum(net > 0 for net in record.nets), len(record.nets)
        net = sum(record.nets, Decimal(0))
        return PerformanceMeasured(
            event_id=identity("PerformanceMeasured", closed.position_id),
            occurred_at=closed.occurred_at,
            trading_day=closed.trading_day,
            correlation_id=closed.correlation_id,
            causation_id=closed.event_id,
            strategy=closed.strategy,
            underlying=closed.underlying,
            trades=trades,
            wins=wins,
            win_rate=wins / trades,
            average=(net / trades).quantize(Decimal("0.01")),
            profit_factor=record.profit_factor,
            drawdown=record.drawdown,
            net=net,
        )
