"""A position to ask the rules about, and marks of it."""

from datetime import date
from typing import Any

from libs.events.positions import PositionEvent, PositionOpened
from services.position.domain.exit_rules.rule import Mark
from tests.unit.services.position.builders import (
    EXPIRY,
    NOW,
    contract,
    fill,
    hear,
    make_positions,
)


def opened(at_ms: int = NOW, expiry: date = EXPIRY, **changes: Any) -> PositionEvent:
    """A position that was bought at 120, with its stop at 84 and its target at 192."""
    of = contract(expiry=expiry, **changes)
    events = hear(make_positions(), fill(at_ms=at_ms, contract=of))
    return next(event for event in events if isinstance(event, PositionOpened))


def mark(last_price: float = 100.0, now_ms: int = NOW, highest: float = 120.0) -> Mark:
    return Mark(now_ms, last_price, max(highest, last_price), min(last_price, 120.0))
