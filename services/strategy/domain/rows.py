"""Strategy signals as rows of `strategy_signals`."""

from typing import Any

from libs.events.event import Event
from libs.events.signals import StrategySignal


def strategy_signals(event: Event) -> dict[str, Any]:
    """Return the columns of one signal."""
    if not isinstance(event, StrategySignal):
        return {}
    return {
        "event_id": [event.event_id],
        "trading_day": [event.trading_day],
        "correlation_id": [event.correlation_id],
        "strategy": [event.strategy],
        "strategy_version": [event.strategy_version],
        "exchange": [event.exchange],
        "tradingsymbol": [event.tradingsymbol],
        "underlying": [event.underlying],
        "interval": [event.interval],
        "action": [event.action],
        "price": [event.price],
        "stop_loss": [event.stop_loss],
        "target": [event.target],
        "confidence": [event.confidence],
        "expected_move": [event.expected_move],
        "indicators": [event.indicators],
        "occurred_at": [event.occurred_at],
        "candle_opened_at": [event.candle_opened_at],
    }
