"""Strategy signals as rows of `strategy_signals`."""

from typing import Any

from libs.events.event import Event
from libs.events.signals import StrategySignal

_SAME_NAME = (
    "event_id",
    "trading_day",
    "correlation_id",
    "strategy",
    "strategy_version",
    "exchange",
    "tradingsymbol",
    "underlying",
    "interval",
    "action",
    "price",
    "stop_loss",
    "target",
    "confidence",
    "expected_move",
    "indicators",
    "occurred_at",
    "candle_opened_at",
)


def strategy_signals(event: Event) -> dict[str, Any]:
    """Return the columns of one signal."""
    if not isinstance(event, StrategySignal):
        return {}
    return {name: [getattr(event, name)] for name in _SAME_NAME}
