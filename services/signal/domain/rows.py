"""Signals and their updates as rows of `trading_signals`: one row per state that was reached."""

import json
from math import nan
from typing import Any

from libs.events.event import Event
from libs.events.signals import SignalGenerated, SignalUpdate
from services.signal.domain.life import STATE_AFTER

_SAME_NAME = (
    "event_id",
    "occurred_at",
    "trading_day",
    "correlation_id",
    "signal_id",
    "strategy",
    "underlying",
    "tradingsymbol",
    "action",
)
_LEVELS = ("price", "stop_loss", "target", "confidence")


def trading_signals(event: Event) -> dict[str, Any]:
    """Return the columns of one generated signal (state NEW) or of one update."""
    if isinstance(event, SignalGenerated):
        levels = {name: [getattr(event, name)] for name in _LEVELS}
        return {**_common(event), **levels, "state": ["NEW"], "reason": [""], "details": ["{}"]}
    if isinstance(event, SignalUpdate):
        return {
            **_common(event),
            **{name: [nan] for name in _LEVELS},
            "state": [STATE_AFTER[type(event)]],
            "reason": [event.reason],
            "details": [json.dumps(event.numbers, sort_keys=True)],
        }
    return {}


def _common(event: Event) -> dict[str, Any]:
    return {name: [getattr(event, name)] for name in _SAME_NAME}
