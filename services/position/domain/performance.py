"""How strategies did: wins, averages, profit factor and drawdown, after charges."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from libs.events.positions import PerformanceMeasured, PositionClosed


@dataclass(frozen=True, slots=True)
class Record:
    """The closed positions of one strategy on one underlying in a trading day.

    They are sorted by closing time, since a restart may restore them in another order.
    """

    closings: tuple[PositionClosed, ...] = ()

    def with_closing(self, closed: PositionClosed) -> "Record":
        """Return the record with one more closing; a repeated event counts once."""
        others = [one for one in self.closings if one.event_id != closed.event_id]
        in_order = sorted((*others, closed), key=lambda one: (one.occurred_at, str(one.event_id)))
        return Record(tuple(in_order))

    @property
    def nets(self) -> list[Decimal]:
        """Net of each position, rupees."""
        return [closed.net for closed in self.closings]

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
    """Results by trading day, strategy and underlying."""

    _records: dict[tuple[date, str, str], Record] = field(default_factory=dict)

    def net(self, day: date) -> Decimal:
        """Return the profit of a trading day over all strategies, rupees after charges."""
        records = (record for (of, _, _), record in self._records.items() if of == day)
        return sum((net for record in records for net in record.nets), Decimal(0))

    def add(self, closed: PositionClosed) -> None:
        """Record a closed position."""
        self._records[_key(closed)] = self._with(closed)

    def measured(self, closed: PositionClosed) -> PerformanceMeasured:
        """Return the figures including a closed position, without recording it."""
        record = self._with(closed)
        wins, trades = sum(net > 0 for net in record.nets), len(record.nets)
        net = sum(record.nets, Decimal(0))
        return PerformanceMeasured(
            **PerformanceMeasured.after(closed, closed.position_id),
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

    def _with(self, closed: PositionClosed) -> Record:
        return self._records.get(_key(closed), Record()).with_closing(closed)


def _key(closed: PositionClosed) -> tuple[date, str, str]:
    return closed.trading_day, closed.strategy, closed.underlying
