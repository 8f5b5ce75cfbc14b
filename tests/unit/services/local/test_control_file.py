"""The control file: who may read it, what of it goes where, and who finds it."""

import fcntl
from pathlib import Path
from typing import Any

import pytest

from libs.runtime.access import hash_of
from libs.runtime.settings import RuntimeSettings, SettingsError
from services.local.control_file import (
    FILE,
    LOCK,
    control_of,
    note_wait,
    running_controls,
)
from services.local.own_control import executor_url, own_control
from services.local.play.fleet import as_environment
from services.local.settings import LocalSettings

SETTINGS = LocalSettings()


def token_in(folder: Path) -> str:
    control = control_of(folder)
    assert control is not None
    return control.token


def test_while_it_runs_its_owner_alone_may_read_the_file_and_afterwards_it_is_gone(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "var" / "up"
    with own_control(SETTINGS, folder):
        control = control_of(folder)
        assert control is not None
        assert (control.folder, control.url) == (folder, "http://127.0.0.1:8101")
        assert control.token not in repr(control)
        assert (folder / FILE).stat().st_mode & 0o777 == 0o600
    assert {one.name for one in folder.iterdir()} == {LOCK}
    assert control_of(folder) is None


def test_the_executor_gets_the_hash_beside_the_tokens_of_the_settings(tmp_path: Path) -> None:
    named = {"name": "asha", "scope": "trade", "sha256": "0" * 64}
    settings = LocalSettings(executor={"control": {"tokens": [named]}})
    with own_control(settings, tmp_path) as controlled:
        asha, own = controlled.executor.control.tokens
        assert (asha.name, asha.scope) == ("asha", "trade")
        assert (own.name, own.scope) == ("local", "operate")
        assert own.sha256 == hash_of(token_in(tmp_path))


def test_the_token_is_in_no_environment_and_in_no_description_of_the_run(tmp_path: Path) -> None:
    with own_control(SETTINGS, tmp_path) as controlled:
        token = token_in(tmp_path)
        assert not any(token in text for text in as_environment(controlled).values())
        assert token not in controlled.model_dump_json()
        assert controlled.public() == SETTINGS.public()


def test_each_start_has_a_token_of_its_own(tmp_path: Path) -> None:
    tokens = []
    for _ in range(2):
        with own_control(SETTINGS, tmp_path):
            tokens.append(token_in(tmp_path))
    assert len(set(tokens)) == 2


def test_what_a_kill_has_left_is_not_found_and_is_replaced(tmp_path: Path) -> None:
    with own_control(SETTINGS, tmp_path):
        left = (tmp_path / FILE).read_text()
    (tmp_path / FILE).write_text(left)
    assert control_of(tmp_path) is None
    with own_control(SETTINGS, tmp_path):
        assert token_in(tmp_path) not in left


def test_a_second_one_in_the_folder_is_refused_and_leaves_the_first_alone(tmp_path: Path) -> None:
    with own_control(SETTINGS, tmp_path):
        before = token_in(tmp_path)
        with (
            pytest.raises(SettingsError, match="in use by another alphastocks"),
            own_control(SETTINGS, tmp_path),
        ):
            raise AssertionError("both would write it")
        assert token_in(tmp_path) == before


def test_one_who_looks_at_the_lock_in_the_same_moment_keeps_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / LOCK).open("w") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        monkeypatch.setattr("time.sleep", lambda _: fcntl.flock(looking, fcntl.LOCK_UN))
        with own_control(SETTINGS, tmp_path):
            assert token_in(tmp_path)


def test_what_is_waited_for_is_in_the_file_until_it_is_over(tmp_path: Path) -> None:
    with own_control(SETTINGS, tmp_path):
        before = control_of(tmp_path)
        note_wait(tmp_path, "a login")
        waiting = control_of(tmp_path)
        assert waiting is not None
        assert waiting.waits_for == "a login"
        assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
        note_wait(tmp_path, "")
        assert control_of(tmp_path) == before
    note_wait(tmp_path, "a login")
    assert not (tmp_path / FILE).exists(), "nobody waits there"


def test_every_one_that_runs_under_var_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert running_controls() == []
    (tmp_path / "var" / "demo").mkdir(parents=True)
    with own_control(SETTINGS, Path("var/up")), own_control(SETTINGS, Path("var/kite")):
        assert [str(one.folder) for one in running_controls()] == ["var/kite", "var/up"]


@pytest.mark.parametrize("text", ["", "[]", '{"url": "http://127.0.0.1:8101"}', "\0"])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    with own_control(SETTINGS, tmp_path):
        (tmp_path / FILE).write_text(text)
        with pytest.raises(SettingsError, match=rf"{FILE}: it is damaged"):
            control_of(tmp_path)


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(SettingsError, match=r"--var: .*file"),
        own_control(SETTINGS, tmp_path / "file"),
    ):
        raise AssertionError("there is no folder")
    assert control_of(tmp_path / "file") is None


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8101"),
        ("0.0.0.0", "http://127.0.0.1:8101"),
        ("::", "http://[::1]:8101"),
        ("::1", "http://[::1]:8101"),
        ("localhost", "http://localhost:8101"),
    ],
)
def test_the_address_is_one_that_this_machine_reaches(host: Any, url: str) -> None:
    assert executor_url(RuntimeSettings(host=host)) == url
