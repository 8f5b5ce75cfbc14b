"""Settings of different services that contradict each other are refused by name."""

from datetime import time
from typing import Any

import pytest

from libs.runtime.settings import SettingsError
from services.local.play.system import check_services
from services.local.settings import LocalSettings


def settings(executor: dict[str, Any], **sections: Any) -> LocalSettings:
    return LocalSettings(executor=executor, **sections)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (
            settings({}, position={"exits": {"square_off": "15:00"}}),
            "executor.entry.last_entry: 15:00 is not before position.exits.square_off, 15:00",
        ),
        (
            settings({"entry": {"before_close_ms": 900_000}}),
            r"executor.entry.before_close_ms: 900000 \(15 min\) is not more than "
            "position.exits.before_close_ms, 900000",
        ),
        (
            settings({"entry": {"before_expiry_ms": 3_600_000}}),
            r"executor.entry.before_expiry_ms: 3600000 \(1 h\) is not more than "
            "position.exits.before_expiry_ms, 3600000",
        ),
        (
            settings({"entry": {"before_settlement_days": 1}}),
            "executor.entry.before_settlement_days: 1 is less than "
            "position.exits.before_settlement_days, 4",
        ),
        (
            settings(
                {"orders": {"product": "MIS"}},
                position={"exits": {"square_off": "15:25", "before_close_ms": 900_000}},
            ),
            "position.exits.square_off: 15:25 is not before 15:10, when the broker closes",
        ),
        (
            settings(
                {"entry": {"underlyings": ["SBIN"]}}, signal={"filters": {"excluded": ["SBIN"]}}
            ),
            r"executor.entry.underlyings: 'SBIN' is not passed on by signal.filters, so it would",
        ),
        (
            settings({}, signal={"filters": {"windows": [{"first": "15:00", "last": "15:20"}]}}),
            r"signal.filters.windows: 15:00 is not before executor.entry.last_entry, 15:00",
        ),
    ],
)
def test_what_makes_an_entry_useless_is_refused_by_every_command(
    made: LocalSettings, said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        check_services(made)


@pytest.mark.parametrize(
    ("executor", "said"),
    [
        (
            {"chain": {"strikes_from_atm": 6}},
            "executor.chain.strikes_from_atm: 6 is more than ingest.universe.near_strikes, 5",
        ),
        (
            {"chain": {"expiry": "monthly"}},
            "ingest.universe.expiries: 2 do not hold the monthly expiry of executor.chain: write 6",
        ),
        (
            {"entry": {"underlyings": ["NIFTY", "WIPRO"]}},
            "executor.entry.underlyings: 'WIPRO' is not among ingest.universe.underlyings",
        ),
    ],
)
def test_what_ingest_does_not_follow_is_refused_where_a_universe_is_followed(
    executor: dict[str, Any], said: str
) -> None:
    made = settings(executor)
    check_services(made)
    with pytest.raises(SettingsError, match=said):
        made.for_demo()
    with pytest.raises(SettingsError, match=said):
        made.model_copy(update={"kite": made.kite.model_copy(update={"api_key": "key"})}).for_kite()


def test_the_defaults_do_not_contradict_each_other() -> None:
    check_services(LocalSettings())
    check_services(LocalSettings().for_demo())


def test_an_earlier_square_off_is_taken_with_an_earlier_last_entry() -> None:
    made = settings({"entry": {"last_entry": "14:00"}}, position={"exits": {"square_off": "14:30"}})
    check_services(made)
    assert made.position.exits.square_off == time(14, 30)


@pytest.mark.parametrize("key", [("profile_of",), ("entry", "windows_of")])
def test_a_strategy_that_is_not_known_is_refused_where_it_is_named(key: tuple[str, ...]) -> None:
    value: Any = "balanced" if key == ("profile_of",) else []
    executor: dict[str, Any] = {"rsj": value}
    for name in reversed(key):
        executor = {name: executor}
    with pytest.raises(SettingsError, match=rf"executor.{'.'.join(key)}.rsj: .*'rsi'"):
        check_services(settings(executor))


@pytest.mark.parametrize(
    ("executor", "needed"),
    [
        ({"profile": "aggressive"}, 8),
        ({"profile_of": {"rsi": "aggressive"}}, 8),
        ({"profile": "balanced"}, None),
    ],
)
def test_strikes_that_a_profile_wants_are_followed(
    executor: dict[str, Any], needed: int | None
) -> None:
    made = settings(executor)
    if needed is None:
        made.for_demo()
        return
    with pytest.raises(SettingsError, match=f"moneyness -1.5: write {needed}"):
        made.for_demo()
