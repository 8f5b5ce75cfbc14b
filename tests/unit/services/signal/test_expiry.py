"""Signals that nobody acts on expire, each once."""

import pytest

from libs.events import signals
from services.signal.domain.rules.settings import SignalRules
from services.signal.domain.signal_book import SignalBook
from tests.unit.services.position.builders import fill
from tests.unit.services.signal.test_nights import passed, update
from tests.unit.services.signal.test_passing import AT, DAY, book, signal

ALLOWED_MS, GRACE_MS = 1_800_000, 60_000
OVER = AT + ALLOWED_MS + GRACE_MS


def test_a_signal_that_nobody_acts_on_expires_a_minute_after_its_allowed_age() -> None:
    one = book()
    generated = passed(one, signal())
    assert not one.lives.overdue(OVER)
    assert one.expire(OVER) == ()
    assert one.lives.overdue(OVER + 1)
    (expired,) = one.expire(OVER + 50_000)
    assert expired.signal_id == generated.signal_id
    assert (expired.reason, expired.numbers) == ("not_acted_on", {"allowed_seconds": 1800.0})
    assert expired.occurred_ms == OVER, "whenever it is noticed"
    assert one.state_of(generated.signal_id) == "EXPIRED"


def test_it_expires_once_and_its_own_event_changes_nothing() -> None:
    one = book()
    passed(one, signal())
    (expired,) = one.expire(OVER + 1)
    assert one.on_event(expired, OVER) == ()
    assert one.expire(OVER + 2) == ()
    assert one.refused_transitions == 0


@pytest.mark.parametrize(
    "kind", [signals.SignalRejected, signals.SignalLogged, signals.SignalActivated]
)
def test_what_was_acted_on_does_not_expire(kind: type[signals.SignalUpdate]) -> None:
    one = book()
    generated = passed(one, signal())
    one.on_event(update(kind, generated, AT + 1000), AT)
    assert one.expire(OVER + 1) == ()


def test_a_signal_with_an_order_is_left_to_the_executor_however_long_that_takes() -> None:
    one = book()
    generated = passed(one, signal())
    one.on_event(fill(signal_id=generated.signal_id), AT)
    assert one.expire(OVER + 86_400_000) == ()
    assert one.state_of(generated.signal_id) == "VALIDATED"


def test_the_allowed_age_of_the_settings_counts() -> None:
    one = SignalBook.of(SignalRules(max_age_ms=5000))
    passed(one, signal())
    assert one.expire(AT + 65_000) == ()
    assert len(one.expire(AT + 65_001)) == 1


def test_a_signal_that_was_never_validated_does_not_expire() -> None:
    one = book()
    one.restore(signals.SignalGenerated.of(signal()))
    assert one.expire(OVER + 1) == ()


def test_what_comes_after_the_expiry_does_not_count() -> None:
    one = book()
    generated = passed(one, signal())
    one.expire(OVER + 1)
    one.on_event(update(signals.SignalRejected, generated, OVER + 2, DAY), OVER + 2)
    assert one.state_of(generated.signal_id) == "EXPIRED"
    assert one.refused_transitions == 1
