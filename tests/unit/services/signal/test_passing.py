"""Which signals are valid, which are duplicates, and how states are tracked."""

from datetime import date, timedelta
from itertools import product

import pytest

from libs.events import signals
from libs.events.event import identity, utc_from_ms
from services.signal.domain.life import STATE_AFTER, TRANSITIONS, may_follow
from services.signal.domain.rules.settings import SignalRules
from services.signal.domain.signal_book import SignalBook

DAY = date(2026, 6, 17)
AT = 1_781_670_000_000


def signal(
    action: str = "BUY",
    price: float = 100.0,
    *,
    symbol: str = "SBIN",
    strategy: str = "ma_crossover",
    at_ms: int = AT,
    day: date = DAY,
    interval: str = "15m",
) -> signals.StrategySignal:
    way = 1 if action == "BUY" else -1
    event_id = identity("test", action, price, symbol, strategy, at_ms, interval)
    return signals.StrategySignal(
        event_id=event_id,
        occurred_at=utc_from_ms(at_ms),
        trading_day=day,
        correlation_id=event_id,
        strategy=strategy,
        strategy_version="1",
        parameters={"interval": interval},
        exchange="NSE",
        tradingsymbol=symbol,
        underlying=symbol,
        interval=interval,
        candle_opened_at=utc_from_ms(at_ms - 900_000),
        candle_closed_at=utc_from_ms(at_ms),
        action=action,
        price=price,
        stop_loss=price * (1 - way * 0.01),
        target=price * (1 + way * 0.02),
        confidence=0.85,
        expected_move=2.0,
        indicators={},
    )


def book() -> SignalBook:
    return SignalBook.of(SignalRules())


def outcome(one: SignalBook, event: signals.StrategySignal, now_ms: int | None = None) -> list[str]:
    made = one.on_event(event, event.occurred_ms + 2000 if now_ms is None else now_ms)
    return [getattr(event, "reason", "") or event.type for event in made]


PASSED = ["SignalGenerated", "SignalValidated"]


@pytest.mark.parametrize(
    ("following", "expected"),
    [
        (signal("BUY", 100.5, at_ms=AT + 900_000), ["duplicate"]),
        (signal("BUY", 101.999, at_ms=AT + 900_000), ["duplicate"]),
        (signal("BUY", 99.001, at_ms=AT + 900_000), ["duplicate"]),
        (signal("BUY", 102.0, at_ms=AT + 900_000), PASSED),
        (signal("BUY", 99.0, at_ms=AT + 900_000), PASSED),
        (signal("BUY", 103.0, at_ms=AT + 900_000), PASSED),
        (signal("SELL", 100.5, at_ms=AT + 900_000), PASSED),
        (signal("BUY", 100.5, at_ms=AT + 900_000, symbol="INFY"), PASSED),
        (signal("BUY", 100.5, at_ms=AT + 900_000, strategy="rsi"), PASSED),
        (signal("BUY", 100.5, at_ms=AT + 900_000, interval="5m"), PASSED),
        (signal("BUY", 100.5, at_ms=AT + 86_400_000, day=DAY + timedelta(days=1)), PASSED),
    ],
)
def test_a_signal_is_a_duplicate_only_while_the_last_one_is_open_in_the_same_direction(
    following: signals.StrategySignal, expected: list[str]
) -> None:
    one = book()
    assert outcome(one, signal("BUY", 100.0)) == PASSED
    assert outcome(one, following) == expected


@pytest.mark.parametrize("symbol", ["TEST_NIFTY", "test_x"])
def test_test_symbols_never_pass(symbol: str) -> None:
    assert outcome(book(), signal(symbol=symbol)) == ["test_symbol"]


@pytest.mark.parametrize(
    ("rules", "interval", "age_ms", "expected"),
    [
        (SignalRules(), "15m", 1_800_000, PASSED),
        (SignalRules(), "15m", 1_800_001, ["stale"]),
        (SignalRules(), "5m", 600_001, ["stale"]),
        (SignalRules(max_age_ms=1000), "15m", 1001, ["stale"]),
        (SignalRules(max_age_ms=86_400_000), "day", 24 * 3_600_000, PASSED),
        (SignalRules(max_age_ms=86_400_000), "day", 24 * 3_600_000 + 1, ["stale"]),
    ],
)
def test_old_signals_are_refused(
    rules: SignalRules, interval: str, age_ms: int, expected: list[str]
) -> None:
    assert outcome(SignalBook.of(rules), signal(interval=interval), AT + age_ms) == expected


def test_a_signal_that_is_delivered_again_gives_nothing() -> None:
    one = book()
    assert outcome(one, signal()) == PASSED
    assert outcome(one, signal()) == []


def test_a_restart_remembers_what_was_published() -> None:
    first, second = book(), book()
    for event in first.on_event(signal(), AT):
        second.restore(event)
    assert outcome(second, signal()) == []
    assert outcome(second, signal("BUY", 100.5, at_ms=AT + 900_000)) == ["duplicate"]


def update(kind: type[signals.SignalUpdate], generated: signals.SignalGenerated) -> object:
    return kind(  # type: ignore[call-arg]
        event_id=identity(kind.__name__),
        occurred_at=generated.occurred_at,
        trading_day=DAY,
        correlation_id=generated.correlation_id,
        signal_id=generated.signal_id,
        strategy="ma_crossover",
        underlying="SBIN",
        tradingsymbol="SBIN",
        action="BUY",
    )


def test_states_are_tracked_and_impossible_transitions_are_counted() -> None:
    one = book()
    generated, validated = one.on_event(signal(), AT)
    assert isinstance(generated, signals.SignalGenerated)
    steps = (validated, update(signals.SignalActivated, generated))
    for step in (*steps, update(signals.SignalStopped, generated)):
        one.on_event(step, AT)  # type: ignore[arg-type]
    assert one.state_of(generated.signal_id) == "STOPPED"
    one.on_event(update(signals.SignalCompleted, generated), AT)  # type: ignore[arg-type]
    assert one.state_of(generated.signal_id) == "STOPPED"
    assert one.refused_transitions == 1


def test_the_table_of_transitions_is_that_of_the_specification() -> None:
    allowed = {pair for pair in product(TRANSITIONS, repeat=2) if may_follow(*pair)}
    assert allowed == {
        ("NEW", "VALIDATED"),
        ("NEW", "REJECTED"),
        ("VALIDATED", "REJECTED"),
        ("VALIDATED", "LOGGED"),
        ("VALIDATED", "ACTIVATED"),
        ("VALIDATED", "EXPIRED"),
        ("ACTIVATED", "COMPLETED"),
        ("ACTIVATED", "STOPPED"),
    }
    assert set(STATE_AFTER.values()) == set(TRANSITIONS) - {"NEW"}


def test_a_restart_forgets_the_day_before_whatever_the_order_of_partitions() -> None:
    one = book()
    yesterday = book().on_event(signal(day=DAY - timedelta(days=1), at_ms=AT - 86_400_000), AT)
    today = book().on_event(signal(symbol="INFY"), AT)
    for event in (*today, *yesterday):
        one.restore(event)
    assert outcome(one, signal("BUY", 100.5, at_ms=AT + 900_000)) == PASSED
