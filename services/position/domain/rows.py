"""The position service's events as rows of `positions` and `performance_metrics`."""

from math import nan
from typing import Any

from libs.events.event import Event
from libs.events.positions import PerformanceMeasured, PositionEvent


def positions(event: Event) -> dict[str, Any]:
    """Return the columns of one position event; the exit price is 0 before the first sale."""
    if not isinstance(event, PositionEvent):
        return {}
    return {
        "event_id": [event.event_id],
        "occurred_at": [event.occurred_at],
        "trading_day": [event.trading_day],
        "correlation_id": [event.correlation_id],
        "position_id": [event.position_id],
        "signal_id": [event.signal_id],
        "type": [event.type],
        "strategy": [event.strategy],
        "underlying": [event.underlying],
        "mode": [event.mode],
        "quantity": [event.quantity],
        "entry_price": [event.entry_price],
        "last_price": [event.last_price],
        "stop_loss": [event.stop_loss],
        "target": [event.target],
        "realised": [event.realised],
        "unrealised": [event.unrealised],
        "charges": [event.charges],
        "net": [event.net],
        "opened_at": [event.opened_at],
        "closed_at": [event.closed_at],
        "exchange": [event.contract.exchange],
        "tradingsymbol": [event.contract.tradingsymbol],
        "expiry": [event.contract.expiry],
        "exit_price": [event.exit_price or 0],
        "reason": [event.exit_reason or ""],
        "action": [event.action],
        "profile": [event.exit_plan.profile if event.exit_plan else ""],
        "openings": [event.openings],
        "lot_size": [event.contract.lot_size],
        "bought_quantity": [event.bought_quantity],
        "sold_quantity": [event.sold_quantity],
        "highest_price": [event.highest_price],
        "lowest_price": [event.lowest_price],
        "entry_slippage": [event.entry_slippage],
        "exit_slippage": [event.exit_slippage],
    }


def performance_metrics(event: Event) -> dict[str, Any]:
    """Return the columns of one measurement; without a loss the profit factor is NaN."""
    if not isinstance(event, PerformanceMeasured):
        return {}
    factor = nan if event.profit_factor is None else event.profit_factor
    return {
        "event_id": [event.event_id],
        "occurred_at": [event.occurred_at],
        "trading_day": [event.trading_day],
        "strategy": [event.strategy],
        "underlying": [event.underlying],
        "trades": [event.trades],
        "wins": [event.wins],
        "win_rate": [event.win_rate],
        "average": [event.average],
        "drawdown": [event.drawdown],
        "net": [event.net],
        "profit_factor": [factor],
    }
