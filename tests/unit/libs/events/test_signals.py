"""Signals made from signals, and the age at which one is too old to act on."""

import pytest

from libs.events.candles import Interval
from libs.events.event import identity
from libs.events.signals import SignalGenerated, StrategySignal, staleness
from tests.unit.libs.events.samples import sample

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS


def signal(interval: Interval = "15m") -> StrategySignal:
    made = sample(StrategySignal)
    assert isinstance(made, StrategySignal)
    return made.model_copy(update={"interval": interval})


@pytest.mark.parametrize(
    ("interval", "max_age_ms", "allowed_ms"),
    [
        ("1m", None, 2 * MINUTE_MS),
        ("15m", None, 30 * MINUTE_MS),
        ("60m", None, 120 * MINUTE_MS),
        ("day", None, 750 * MINUTE_MS),
        ("15m", 1000, 1000),
        ("15m", 0, 0),
        ("15m", 10 * DAY_MS, DAY_MS),
    ],
)
def test_a_signal_is_stale_once_it_is_older_than_allowed(
    interval: Interval, max_age_ms: int | None, allowed_ms: int
) -> None:
    one = signal(interval)
    last_ms = one.occurred_ms + allowed_ms
    assert staleness(one, last_ms, max_age_ms) is None
    assert staleness(one, last_ms + 1, max_age_ms) == {
        "age_seconds": (allowed_ms + 1) / 1000,
        "allowed_seconds": allowed_ms / 1000,
    }


def test_a_signal_of_the_future_is_not_stale() -> None:
    one = signal()
    assert staleness(one, one.occurred_ms - DAY_MS, 0) is None


def test_a_generated_signal_says_what_the_strategy_said() -> None:
    one = signal()
    generated = SignalGenerated.of(one)
    own = {"type", "event_id", "causation_id"}
    assert generated.model_dump(exclude=own) == one.model_dump(exclude=own)
    assert generated.signal_id == identity("SignalGenerated", one.event_id)
    assert generated.causation_id == one.event_id
