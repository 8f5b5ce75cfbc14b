"""What a state folder holds, and beginning anew in it."""

import fcntl
from datetime import date
from pathlib import Path

import pytest

from libs.runtime.settings import SettingsError
from services.local.play.serving import Begin
from services.local.play.state_folder import MARKET, PARTS, Wanted, begin_anew, seed_of

TUESDAY, WEDNESDAY = date(2026, 6, 16), date(2026, 6, 17)


def begun(day: date | None = None, seed: int | None = None) -> Begin:
    return Begin(TUESDAY, 7, Wanted(day, seed))


def test_without_state_the_wanted_market_is_played_or_else_the_default(tmp_path: Path) -> None:
    assert begun().first_day == TUESDAY
    assert begun(WEDNESDAY).first_day == WEDNESDAY
    assert begun().check(tmp_path / "a", TUESDAY) == 7
    assert begun(seed=11).check(tmp_path / "b", TUESDAY) == 11


def test_a_seed_that_is_not_named_is_that_of_the_state(tmp_path: Path) -> None:
    assert begun(seed=11).check(tmp_path, TUESDAY) == 11
    assert begun().check(tmp_path, TUESDAY) == 11


def test_another_day_or_seed_than_the_states_is_refused_and_changes_nothing(
    tmp_path: Path,
) -> None:
    begun(seed=11).check(tmp_path, TUESDAY)
    with pytest.raises(SettingsError, match=r"--date: .* goes on with 2026-06-17; leave .*--fresh"):
        begun(TUESDAY, 12).check(tmp_path, WEDNESDAY)
    with pytest.raises(SettingsError, match=r"--seed: .* seed 11; leave .* --fresh .* seed 12"):
        begun(seed=12).check(tmp_path, WEDNESDAY)
    assert begun(WEDNESDAY, 11).check(tmp_path, WEDNESDAY) == 11


def test_beginning_anew_removes_the_state_and_nothing_else(tmp_path: Path) -> None:
    for name in (*PARTS, "mine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "lock").touch()
    seed_of(tmp_path, 11, 7)
    begin_anew(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert seed_of(tmp_path, None, 7) == 7


def test_a_folder_that_is_in_use_is_left_alone(tmp_path: Path) -> None:
    for name in PARTS:
        (tmp_path / name).mkdir()
    with (tmp_path / PARTS[-1] / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(SettingsError, match="in use by another alphastocks"):
            begin_anew(tmp_path)
    assert all((tmp_path / name).is_dir() for name in PARTS)


def test_a_folder_without_state_can_be_begun_anew_too(tmp_path: Path) -> None:
    begin_anew(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / MARKET).write_text("{")
    with pytest.raises(SettingsError, match=r"market\.json cannot be read; pass --fresh"):
        seed_of(tmp_path, None, 7)
