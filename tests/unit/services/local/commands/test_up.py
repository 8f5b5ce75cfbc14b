"""Options of `up` that would be ignored, or do harm, are refused before anything is started."""

from pathlib import Path
from typing import Any

import pytest

from libs.runtime.settings import SettingsError
from services.local.commands.up import up
from services.local.own_control import own_control
from services.local.settings import LocalSettings


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"day": "2026-06-17"}, "--date"),
        ({"seed": 7}, "--seed"),
        ({"speed": 2.0}, "--speed"),
        ({"fresh": True}, "--fresh"),
    ],
)
def test_an_account_has_no_market_to_choose(options: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsError, match=f"{named} is for the simulated market"):
        up(kite=True, **options)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("ALPHASTOCKS_STORE__HOST", "db"), ("ALPHASTOCKS_BUS__KIND", "kafka")],
)
def test_beginning_anew_does_not_touch_servers_that_the_settings_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    (tmp_path / "journal").mkdir()
    with pytest.raises(SettingsError, match="--fresh removes files in the state folder only"):
        up(fresh=True, var=tmp_path)
    assert (tmp_path / "journal").is_dir()


def test_beginning_anew_leaves_the_state_of_an_up_that_runs_alone(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    with (
        own_control(LocalSettings(), tmp_path),
        pytest.raises(SettingsError, match="in use by another alphastocks"),
    ):
        up(fresh=True, var=tmp_path)
    assert (tmp_path / "journal").is_dir()


def test_a_day_without_trading_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"--date: .*closed on 2026-06-21"):
        up(day="2026-06-21")
