"""The secrets of a deployment: made once, readable where they are mounted, fitting each other."""

import errno
import json
import stat
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from libs.broker.kite.session import SessionFile
from libs.runtime.access import Access, Denied
from libs.runtime.settings import SettingsError, load_settings
from services.executor.settings import ExecutorProcess
from services.local.commands.deploy import secrets
from services.local.commands.secret_files import EXCHANGE, OPERATOR, SESSION, STORE, write_missing
from services.simulator.settings import SimulatorProcess

NOW_MS = int(datetime(2026, 6, 17, 4, tzinfo=UTC).timestamp() * 1000)


def test_what_is_written_is_what_the_services_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = tmp_path / "secrets"
    write_missing(top)
    folders = ":".join(str(top / name) for name in ("store", "control", "simulator"))
    monkeypatch.setenv("ALPHASTOCKS_SECRETS", folders)
    executor = load_settings(ExecutorProcess, None)
    assert executor.store.password.get_secret_value() == (top / STORE).read_text()
    access = Access(executor.executor.control.tokens, per_minute=30)
    assert access.admit((top / OPERATOR).read_text(), "trade", 0).name == "operator"
    with pytest.raises(Denied):
        access.admit("guessed", "read", 0)
    exchange = load_settings(SimulatorProcess, None).simulator
    session = SessionFile(top / SESSION).current(0)
    assert session.access_token == exchange.access_token.get_secret_value()
    assert (session.api_key, session.user_id) == (exchange.api_key, exchange.user_id)


def test_existing_secrets_are_kept_and_missing_ones_derived_from_them(tmp_path: Path) -> None:
    first = write_missing(tmp_path)
    before = {name: (tmp_path / name).read_text() for name in first}
    assert write_missing(tmp_path) == []
    (tmp_path / SESSION).unlink()
    assert write_missing(tmp_path) == [SESSION]
    token = json.loads((tmp_path / SESSION).read_text())["access_token"]
    assert token == before[EXCHANGE]
    assert (tmp_path / STORE).read_text() == before[STORE]


def test_two_deployments_share_no_secret(tmp_path: Path) -> None:
    contents = []
    for name in ("one", "other"):
        made = write_missing(tmp_path / name)
        contents.append({(tmp_path / name / one).read_text() for one in made})
    assert not contents[0] & contents[1]
    assert len(contents[0]) == 7


def test_passwords_are_letters_and_digits_for_shells_take_them(tmp_path: Path) -> None:
    for number in range(20):
        write_missing(tmp_path / str(number))
        assert (tmp_path / str(number) / STORE).read_text().isalnum()


def test_only_the_owner_can_enter_the_folder_and_mounted_files_can_be_read(tmp_path: Path) -> None:
    write_missing(tmp_path / "secrets")
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "secrets" / STORE).stat().st_mode) == 0o444
    assert stat.S_IMODE((tmp_path / "secrets" / STORE).parent.stat().st_mode) == 0o755


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"^secrets: .*file/secrets: Not a directory"):
        write_missing(tmp_path / "file" / "secrets")


def test_mounted_folders_in_a_place_that_is_read_only_are_filled_and_filled_ones_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the container: each folder is a volume, and the root is read-only."""
    for name in ("store", "grafana", "operator", "control", "simulator", "simulator-session"):
        (tmp_path / name).mkdir()
    writable, refused = tempfile.TemporaryFile, [tmp_path]

    def trial(*, dir: Path) -> object:
        if dir in refused:
            raise OSError(errno.EROFS, "Read-only file system")
        return writable(dir=dir)

    monkeypatch.setattr(tempfile, "TemporaryFile", trial)
    secrets(tmp_path)
    assert (tmp_path / STORE).read_text()
    refused.append((tmp_path / STORE).parent)
    secrets(tmp_path)
    (tmp_path / STORE).unlink()
    with pytest.raises(SettingsError, match=r"^DIR: .*in .*/store: Read-only file system"):
        secrets(tmp_path)


def test_a_folder_that_was_open_to_all_is_closed(tmp_path: Path) -> None:
    top = tmp_path / "secrets"
    top.mkdir(mode=0o755)
    write_missing(top)
    assert stat.S_IMODE(top.stat().st_mode) == 0o700
