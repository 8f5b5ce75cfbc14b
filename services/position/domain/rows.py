"""The position service's events as rows of `positions` and `performance_metrics`."""

from math import nan
from typing import Any

from libs.events.event import Event
from libs.events.positions import PerformanceMeasured, PositionEvent

_POSITION = (
    "event_id",
    "occurred_at",
    "trading_day",
    "correlation_id",
    "position_id",
    "signal_id",
    "type",
    "strategy",
    "underlying",
    "mode",
    "quantity",
    "entry_price",
    "last_price",
    "stop_loss",
    "target",
    "realised",
    "unrealised",
    "charges",
    "net",
    "opened_at",
    "closed_at",
)
_PERFORMANCE = (
    "event_id",
    "occurred_at",
    "trading_day",
    "strategy",
    "underlying",
    "trades",
    "wins",
    "win_rate",
    "average",
    "drawdown",
    "net",
)


def positions(event: Event) -> dict[str, Any]:
    """Return the columns of one position event; without a sale the exit price is 0."""
    if not isinstance(event, PositionEvent):
        return {}
    contract = event.contract
    return {
        **{name: [getattr(event, name)] for name in _POSITION},
        **{name: [getattr(contract, name)] for name in ("exchange", "tradingsymbol", "expiry")},
        "exit_price": [event.exit_price or 0],
        "reason": [event.exit_reason or ""],
    }


def performance_metrics(event: Event) -> dict[str, Any]:
    """Return the columns of one measurement; a profit factor without a loss is nan."""
    if not isinstance(event, PerformanceMeasured):
        return {}
    factor = nan if event.profit_factor is None else event.profit_factor
    return {
        **{name: [getattr(event, name)] for name in _PERFORMANCE},
        "profit_factor": [factor],
    }
