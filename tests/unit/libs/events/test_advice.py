"""Every reason has a sentence that says what to change, and the settings that it names exist."""

import re
from string import Formatter

import pytest

from libs.events.advice import ADVICE, advice_on
from libs.events.reasons import UNTRADED
from services.local.settings import LocalSettings
from tests.unit.services.executor.test_decision_record import CASES, decided

SETTING = re.compile(r"\b(?:executor|signal|ingest|position|rules|bus|runtime)(?:\.[a-z_]+)+")
COMMAND = re.compile(r"`alphastocks ([a-z]+)")


def test_each_reason_has_a_sentence_and_no_other_has_one() -> None:
    assert set(ADVICE) == set(UNTRADED), "write what to change into libs/events/advice.py"


@pytest.mark.parametrize("reason", ADVICE)
def test_the_settings_that_a_sentence_names_exist(reason: str) -> None:
    known = names_of(LocalSettings)
    for setting in SETTING.findall(ADVICE[reason].replace("{hop}", "candle")):
        assert setting in known, setting


def names_of(model: object, before: str = "") -> set[str]:
    """Names of all settings below a model or a dataclass of settings, sections included."""
    fields = getattr(model, "model_fields", None) or getattr(model, "__pydantic_fields__", {})
    found: set[str] = set()
    for name, field in fields.items():
        found.add(f"{before}{name}")
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            found |= names_of(kind, f"{before}{name}.")
    return found


def test_the_sentence_of_a_refusal_has_its_numbers() -> None:
    for reason in CASES:
        executor, changes = CASES[reason]()
        event = decided(executor, **changes)
        said = advice_on(reason, event.numbers)
        assert "?" not in said, said
        assert bool(said) == bool(reason)


def test_a_number_that_is_not_known_is_shown_as_such_and_an_unknown_reason_says_nothing() -> None:
    assert "above ? (now 3)" in advice_on("positions", {"maximum": 3.0})
    assert advice_on("news_at_noon", {}) == ""
    assert all(
        name for text in ADVICE.values() for _, name, _, _ in Formatter().parse(text) if name
    )
