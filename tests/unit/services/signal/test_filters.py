"""The filters of signals: each refuses for its own reason, with the numbers that caused it."""

import re
from typing import Any

import pytest
from pydantic import ValidationError

from libs.market.time_windows import Window
from libs.runtime.settings import SettingsError
from services.local.settings import LocalSettings
from services.signal.domain.rules.settings import SignalFilters, SignalRules
from services.signal.domain.rules.strength import OwnStrength
from services.signal.domain.signal_book import SignalBook
from tests.unit.services.signal.test_passing import AT, PASSED, outcome, signal

MINUTE_MS = 60_000
"""AT is 09:50 in India."""


def window(first: str, last: str) -> Window:
    return Window(first=first, last=last)  # type: ignore[arg-type]  # pydantic reads the text


def filtered(**settings: Any) -> SignalBook:
    return SignalBook.of(SignalRules(), SignalFilters(**settings))


def refusal(one: SignalBook, **what: Any) -> tuple[str, dict[str, float | str]]:
    made = one.on_event(signal(**what), what.get("at_ms", AT))
    (rejected,) = (event.model_dump() for event in made)
    return rejected["reason"], rejected["numbers"]


def test_by_default_every_signal_passes() -> None:
    weak = signal().model_copy(update={"confidence": 0.0, "expected_move": 0.0})
    assert outcome(filtered(), weak) == PASSED


@pytest.mark.parametrize(
    ("minutes", "passes"),
    [(-21, False), (-20, True), (-10, True), (-9, False), (9, False), (10, True), (71, False)],
)
def test_a_signal_passes_within_the_windows_both_ends_included(minutes: int, passes: bool) -> None:
    one = filtered(windows=(window("09:30", "09:40"), window("10:00", "11:00")))
    said = outcome(one, signal(at_ms=AT + minutes * MINUTE_MS))
    assert said == (PASSED if passes else ["outside_the_windows"])


def test_the_refusal_names_the_time_in_india_and_the_windows() -> None:
    one = filtered(windows=(window("10:00", "11:00"), window("13:30", "14:30")))
    assert refusal(one) == (
        "outside_the_windows",
        {"time": "09:50:00", "windows": "10:00-11:00, 13:30-14:30"},
    )


def test_the_time_of_the_candle_counts_not_the_time_at_which_the_signal_is_handled() -> None:
    one = filtered(windows=(window("09:30", "09:50"),))
    assert outcome(one, signal(), AT + 10 * MINUTE_MS) == PASSED


def test_a_signal_needs_the_least_confidence_and_expected_move() -> None:
    strong, weak = (
        filtered(min_confidence=0.85, min_expected_move=2.0),
        filtered(min_confidence=0.86),
    )
    assert outcome(strong, signal()) == PASSED
    assert refusal(weak) == ("low_confidence", {"confidence": 0.85, "minimum": 0.86})
    assert refusal(filtered(min_expected_move=2.5)) == (
        "low_expected_move",
        {"expected_move": 2.0, "minimum": 2.5},
    )


def test_an_underlying_may_have_a_strength_of_its_own() -> None:
    own = OwnStrength(underlying="INFY", min_confidence=0.8)
    strict = OwnStrength(underlying="NIFTY BANK", min_expected_move=3.0)
    one = filtered(min_confidence=0.9, own=(own, strict))
    assert outcome(one, signal(symbol="INFY")) == PASSED
    assert outcome(one, signal(symbol="SBIN")) == ["low_confidence"]
    assert outcome(one, signal(symbol="BANKNIFTY")) == ["low_confidence"], "the general one holds"
    lenient = filtered(own=(strict,))
    assert refusal(lenient, symbol="BANKNIFTY")[1] == {"expected_move": 2.0, "minimum": 3.0}


def test_an_own_strength_of_0_lets_every_signal_of_its_underlying_pass() -> None:
    one = filtered(min_confidence=0.9, own=(OwnStrength(underlying="INFY", min_confidence=0.0),))
    assert outcome(one, signal(symbol="INFY")) == PASSED


def test_underlyings_are_allowed_or_excluded_in_any_spelling() -> None:
    allowed, excluded = (
        filtered(underlyings=("NSE:NIFTY BANK", "SBIN")),
        filtered(excluded=("NIFTY BANK",)),
    )
    assert outcome(allowed, signal(symbol="BANKNIFTY")) == PASSED
    assert refusal(allowed, symbol="ITC") == ("underlying_not_allowed", {"underlying": "ITC"})
    assert outcome(excluded, signal(symbol="ITC")) == PASSED
    assert refusal(excluded, symbol="BANKNIFTY") == (
        "underlying_excluded",
        {"underlying": "BANKNIFTY"},
    )


def test_so_many_signals_pass_for_an_underlying_and_day() -> None:
    one = filtered(signals_a_day=2)
    assert outcome(one, signal("BUY")) == PASSED
    assert outcome(one, signal("BUY", 100.5)) == ["duplicate"], "it does not count"
    assert outcome(one, signal("SELL", strategy="rsi")) == PASSED
    assert refusal(one, action="SELL") == ("signals_a_day", {"passed": 2, "maximum": 2})
    assert outcome(one, signal(symbol="INFY")) == PASSED


def test_a_signal_that_is_published_again_after_a_crash_is_not_one_too_many() -> None:
    one = filtered(signals_a_day=1)
    generated, _ = filtered().on_event(signal(), AT)
    one.restore(generated)
    one.restored()
    assert outcome(one, signal(), AT + 86_400_000) == PASSED, "whatever its age is by then"


def test_the_first_of_several_reasons_is_given() -> None:
    one = filtered(excluded=("SBIN",), min_confidence=0.9, windows=(window("10:00", "11:00"),))
    assert outcome(one, signal()) == ["underlying_excluded"]
    assert outcome(one, signal(symbol="ITC")) == ["outside_the_windows"]
    assert outcome(one, signal(symbol="INFY"), AT + 86_400_000) == ["stale"]


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        (
            {"windows": [{"first": "11:00", "last": "10:00"}]},
            "windows.0.first: 11:00 is not before last, 10:00",
        ),
        (
            {
                "windows": [
                    {"first": "10:00", "last": "12:00"},
                    {"first": "09:30", "last": "10:30"},
                ]
            },
            "windows: 09:30-10:30 and 10:00-12:00 overlap",
        ),
        (
            {"windows": [{"first": "03:15", "last": "15:20"}]},
            'windows.0.first: 03:15 is outside the session; .* write "15:15"',
        ),
        ({"min_confidence": 60}, "min_confidence: 60 means 6000 %; .* write 0.6 for 60 %"),
        ({"min_expected_move": 0.01}, "min_expected_move: 0.01 means 0.01 %"),
        ({"underlyings": ["RELIANCEE"]}, "underlyings.0: .* did you mean 'RELIANCE'"),
        (
            {"underlyings": ["BANKNIFTY"], "excluded": ["NIFTY BANK"]},
            "excluded: BANKNIFTY is among underlyings too",
        ),
        ({"own": [{"underlying": "SBIN"}]}, "own.0.underlying: SBIN has no strength of its own"),
        (
            {"own": [{"underlying": "SBIN", "min_confidence": 0.5}] * 2},
            "own: SBIN has two strengths of its own",
        ),
        (
            {"excluded": ["SBIN"], "own": [{"underlying": "SBIN", "min_confidence": 0.5}]},
            "own: SBIN never passes underlyings and excluded",
        ),
        ({"signals_a_day": 0}, "signals_a_day: 0 is too small"),
        ({"window": []}, "window"),
    ],
)
def test_filters_that_contradict_each_other_are_refused_by_key_and_value(
    filters: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError) as raised:
        LocalSettings(signal={"filters": filters})
    (error,) = raised.value.errors()
    where = ".".join(str(part) for part in error["loc"][2:])
    assert re.match(said, f"{where}: {error['msg']}"), f"{where}: {error['msg']}"


def test_the_defaults_leave_the_settings_text_as_it_was_and_chosen_ones_are_in_it() -> None:
    assert LocalSettings().public()["signal"] == {"rules": {"max_age_ms": None}}
    chosen = LocalSettings(signal={"filters": {"min_confidence": 0.7}})
    assert chosen.public()["signal"]["filters"]["min_confidence"] == 0.7


def test_underlyings_that_are_not_followed_are_refused_by_name() -> None:
    unfollowed = LocalSettings(signal={"filters": {"underlyings": ["WIPRO"]}})
    with pytest.raises(SettingsError, match=r"signal\.filters\.underlyings: 'WIPRO' is not among"):
        unfollowed.for_demo()
