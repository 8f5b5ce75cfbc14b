"""The rules together: their order, and what a settings file may say."""

from collections.abc import Iterator
from datetime import time
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.positions import PositionEvent
from libs.market.calendar import load_calendar
from libs.runtime.settings import SettingsError, load_settings
from services.position.domain.exit_rules.rule import Mark
from services.position.domain.exit_rules.settings import ExitSettings, exit_rules
from services.position.domain.exit_rules.trailing_stop import TrailingStopSettings
from services.position.settings import PositionProcess
from tests.unit.services.position.builders import NOW, at
from tests.unit.services.position.exit_rules.positions import mark, opened

TRAILING = TrailingStopSettings(gain=Decimal("0.20"), fall=Decimal("0.10"))
POSITION = opened()


def reasons(
    one: Mark, position: PositionEvent = POSITION, settings: ExitSettings | None = None
) -> Iterator[str]:
    for rule in exit_rules(settings or ExitSettings(), load_calendar()):
        if found := rule.check(one, position):
            yield found.reason


def test_of_rules_that_hold_at_once_the_stop_comes_first_and_the_times_last() -> None:
    everything = ExitSettings(holding_ms=60_000, trailing_stop=TRAILING)
    late = mark(84.0, now_ms=at(15, 15), highest=150.0)
    position = POSITION.model_copy(
        update={
            "target": POSITION.stop_loss,
            "contract": POSITION.contract.model_copy(update={"expiry": POSITION.trading_day}),
        }
    )
    assert list(reasons(late, position, everything)) == [
        "stop_loss",
        "target",
        "trailing_stop",
        "square_off",
        "expiry",
        "holding_time",
    ]


@given(st.floats(0.05, 300), st.integers(at(9, 15), at(15, 30)))
def test_by_default_a_position_exits_exactly_at_a_level_or_at_the_square_off(
    last_price: float, now_ms: int
) -> None:
    is_reached = last_price <= 84 or last_price >= 192 or now_ms >= at(15, 15)
    assert bool(list(reasons(mark(last_price, now_ms, highest=300.0)))) == is_reached


def exits_of(tmp_path: Path, text: str) -> ExitSettings:
    file = tmp_path / "alphastocks.toml"
    file.write_text(f"[position]\nexits = {text}\n")
    return load_settings(PositionProcess, file).position.exits


def test_a_settings_file_sets_times_and_the_trailing_stop(tmp_path: Path) -> None:
    text = '{ square_off = "15:00", trailing_stop = { gain = "0.20", fall = "0.10" } }'
    assert exits_of(tmp_path, text) == ExitSettings(square_off=time(15, 0), trailing_stop=TRAILING)


@pytest.mark.parametrize(
    "text",
    [
        '{ trailing_stop = { gain = "0.20" } }',
        '{ trailing_stop = { gain = "0.20", fall = "1.5" } }',
        '{ trailing_stop = { gain = "0.20", fall = "0.1", fal = "0.1" } }',
        '{ trailing = { gain = "0.20", fall = "0.10" } }',
    ],
)
def test_settings_that_do_not_fit_refuse_to_start_and_name_the_key(
    tmp_path: Path, text: str
) -> None:
    with pytest.raises(SettingsError, match=r"position\.exits"):
        exits_of(tmp_path, text)


def test_the_trailing_stop_is_off_unless_it_is_set() -> None:
    fallen = mark(100.0, NOW, highest=190.0)
    assert list(reasons(fallen)) == []
    assert list(reasons(fallen, settings=ExitSettings(trailing_stop=TRAILING))) == ["trailing_stop"]
