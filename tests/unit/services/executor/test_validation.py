from datetime import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from libs.market.time_windows import Window
from services.executor.domain.policy import EntryFilter, Policy
from services.executor.domain.validation import refuse_signal, refuse_window
from tests.unit.services.executor.builders import NOW, at, signal

MINUTE_MS = 60_000


def test_an_ordinary_signal_is_not_refused() -> None:
    assert refuse_signal(signal(), EntryFilter(), NOW) is None


@pytest.mark.parametrize(
    ("changes", "entry", "reason", "numbers"),
    [
        (
            {"underlying": "BANKNIFTY"},
            EntryFilter(underlyings=("NIFTY",)),
            "underlying_not_allowed",
            {"underlying": "BANKNIFTY"},
        ),
        (
            {"confidence": 0.59},
            EntryFilter(),
            "low_confidence",
            {"confidence": 0.59, "minimum": 0.6},
        ),
        (
            {"expected_move": 0.99},
            EntryFilter(),
            "low_expected_move",
            {"expected_move": 0.99, "minimum": 1.0},
        ),
    ],
)
def test_a_refusal_names_its_reason_and_the_numbers_that_caused_it(
    changes: dict[str, Any], entry: EntryFilter, reason: str, numbers: dict[str, Any]
) -> None:
    refusal = refuse_signal(signal(**changes), entry, NOW)
    assert refusal is not None
    assert (refusal.reason, refusal.numbers) == (reason, numbers)


@pytest.mark.parametrize("changes", [{"confidence": 0.6}, {"expected_move": 1.0}])
def test_a_value_on_its_minimum_passes(changes: dict[str, Any]) -> None:
    assert refuse_signal(signal(**changes), EntryFilter(), NOW) is None


@pytest.mark.parametrize("field", ["confidence", "expected_move", "price", "stop_loss"])
def test_a_signal_cannot_carry_what_is_no_number(field: str) -> None:
    changes: dict[str, Any] = {field: float("nan")}
    with pytest.raises(ValidationError, match=field):
        signal(**changes)


@pytest.mark.parametrize("name", ["NIFTYBANK", "NSE:NIFTY BANK", "banknifty", "BANKNIFTY"])
def test_allowed_underlyings_are_known_by_their_aliases_and_with_an_exchange(name: str) -> None:
    entry = EntryFilter(underlyings=(name,))
    assert refuse_signal(signal(underlying="BANKNIFTY"), entry, NOW) is None
    assert refuse_signal(signal(underlying="NIFTY"), entry, NOW) is not None


@pytest.mark.parametrize(
    ("interval", "minutes"), [("1m", 2), ("5m", 10), ("15m", 30), ("60m", 120), ("day", 750)]
)
def test_a_signal_is_stale_after_two_intervals_of_its_candle(interval: str, minutes: int) -> None:
    on_time, entry = at(14, 30), EntryFilter()
    earlier = signal(now_ms=on_time - minutes * MINUTE_MS, interval=interval)
    assert refuse_signal(earlier, entry, on_time) is None
    refusal = refuse_signal(earlier, entry, on_time + 1)
    assert refusal is not None
    assert refusal.reason == "stale"
    expected = {"age_seconds": minutes * 60 + 0.001, "allowed_seconds": minutes * 60.0}
    assert refusal.numbers == pytest.approx(expected)


def test_the_configured_age_replaces_two_intervals() -> None:
    entry = EntryFilter(max_age_seconds=60)
    assert refuse_signal(signal(), entry, NOW + MINUTE_MS) is None
    assert refuse_signal(signal(), entry, NOW + MINUTE_MS + 1) is not None


def test_no_setting_lets_a_signal_older_than_a_day_trade() -> None:
    with pytest.raises(ValidationError, match="max_age_seconds"):
        EntryFilter(max_age_seconds=24 * 3600 + 1)
    entry = EntryFilter(max_age_seconds=24 * 3600)
    refusal = refuse_signal(signal(), entry, NOW + 24 * 3600 * 1000 + 1)
    assert refusal is not None
    assert refusal.numbers["allowed_seconds"] == 24 * 3600


def test_nothing_is_opened_from_the_last_entry_time_on() -> None:
    early, late = at(14, 59, 59), at(15, 0)
    assert refuse_signal(signal(now_ms=early), EntryFilter(), early) is None
    refusal = refuse_signal(signal(now_ms=late), EntryFilter(), late)
    assert refusal is not None
    assert refusal.reason == "too_late_in_the_day"
    assert refusal.numbers == {"time": "15:00:00", "last_entry": "15:00:00"}


def test_on_a_day_that_closes_early_nothing_is_opened_in_its_last_half_hour() -> None:
    closes, entry = at(14, 45), EntryFilter()
    for now_ms, is_open in ((at(14, 14, 59), True), (at(14, 15), False)):
        refusal = refuse_signal(signal(now_ms=now_ms), entry, now_ms, closes)
        assert (refusal is None) == is_open
    assert refuse_signal(signal(now_ms=at(14, 59)), entry, at(14, 59), at(15, 30)) is None
    assert refuse_signal(signal(now_ms=at(15, 0)), entry, at(15, 0), at(15, 30)) is not None


@given(st.floats(0, 1), st.floats(0, 5), st.integers(0, 3600))
def test_whatever_passes_is_confident_moving_and_fresh(
    confidence: float, expected_move: float, age_seconds: int
) -> None:
    one = signal(confidence=confidence, expected_move=expected_move)
    passes = refuse_signal(one, EntryFilter(), NOW + age_seconds * 1000) is None
    assert passes == (confidence >= 0.6 and expected_move >= 1.0 and age_seconds <= 1800)


MORNING = {"first": "09:30", "last": "11:00"}
NOON: Any = (Window(first=time(12, 0), last=time(13, 0)),)


@pytest.mark.parametrize(
    ("entry", "profile", "hour", "minute", "is_refused"),
    [
        ({}, {}, 10, 30, False),
        ({"windows": NOON}, {}, 11, 59, True),
        ({"windows": NOON}, {}, 12, 0, False),
        ({"windows": NOON}, {}, 13, 0, False),
        ({"windows": NOON}, {}, 13, 1, True),
        ({"windows": NOON}, {"windows": [MORNING]}, 10, 30, False),
        ({"windows": NOON}, {"windows": [MORNING]}, 12, 30, True),
        ({"windows_of": {"ma_crossover": NOON}}, {"windows": [MORNING]}, 10, 30, True),
        ({"windows_of": {"rsi": NOON}}, {"windows": [MORNING]}, 10, 30, False),
    ],
)
def test_an_entry_window_is_the_strategys_else_the_profiles_else_that_of_all(
    entry: dict[str, Any], profile: dict[str, Any], hour: int, minute: int, is_refused: bool
) -> None:
    given = {"stop": "0.3", "target": "0.6", "risk": "0.02", **profile}
    policy = Policy(
        entry=EntryFilter(**entry),
        profile="own",
        profiles={"own": given},  # type: ignore[dict-item]  # as settings give it
    )
    refusal = refuse_window(signal(), policy, at(hour, minute))
    assert (refusal is not None) == is_refused
    if refusal is not None:
        assert refusal.reason == "outside_entry_windows"
        assert refusal.numbers["time"] == f"{hour:02}:{minute:02}:00"


def test_overlapping_entry_windows_are_refused_by_their_key() -> None:
    both = [MORNING, {"first": "10:00", "last": "12:00"}]
    for entry in ({"windows": both}, {"windows_of": {"rsi": both}}):
        with pytest.raises(ValidationError, match="09:30-11:00 and 10:00-12:00 overlap"):
            EntryFilter(**entry)
