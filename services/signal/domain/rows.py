"""Signals and their updates as rows of `trading_signals`: one row per state of a signal."""

import json
from math import nan
from typing import Any

from libs.events.event import Event
from libs.events.signals import SignalGenerated, SignalUpdate
from services.signal.domain.life import STATE_AFTER


def trading_signals(event: Event) -> dict[str, Any]:
    """Return the columns of one generated signal (state NEW) or of one update."""
    if isinstance(event, SignalGenerated):
        return {
            **_common(event),
            "price": [event.price],
            "stop_loss": [event.stop_loss],
            "target": [event.target],
            "confidence": [event.confidence],
            "state": ["NEW"],
            "reason": [""],
            "details": ["{}"],
        }
    if isinstance(event, SignalUpdate):
        return {
            **_common(event),
            "price": [nan],
            "stop_loss": [nan],
            "target": [nan],
            "confidence": [nan],
            "state": [STATE_AFTER[type(event)]],
            "reason": [event.reason],
            "details": [json.dumps(event.numbers, sort_keys=True)],
        }
    return {}


def _common(event: SignalGenerated | SignalUpdate) -> dict[str, Any]:
    return {
        "event_id": [event.event_id],
        "occurred_at": [event.occurred_at],
        "trading_day": [event.trading_day],
        "correlation_id": [event.correlation_id],
        "signal_id": [event.signal_id],
        "strategy": [event.strategy],
        "underlying": [event.underlying],
        "tradingsymbol": [event.tradingsymbol],
        "action": [event.action],
    }
