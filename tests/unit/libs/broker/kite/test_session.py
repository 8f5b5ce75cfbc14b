import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from libs.broker.errors import SessionExpired, SessionFileBroken, SessionMissing
from libs.broker.kite.address import KiteAddress, login_url
from libs.broker.kite.session import KiteSession, SessionFile
from libs.events.event import ms_from_utc

LOGIN = datetime(2026, 6, 17, 3, 0, tzinfo=UTC)  # 08:30 in India
NOW_MS = ms_from_utc(LOGIN) + 3_600_000
TOKEN = "a-very-secret-token"


def session(token: str = TOKEN, login: datetime = LOGIN) -> KiteSession:
    return KiteSession("AB1234", "key", token, login)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "session.json"


@pytest.mark.parametrize(
    ("login", "end"),
    [
        (LOGIN, datetime(2026, 6, 18, 0, 30, tzinfo=UTC)),
        (datetime(2026, 6, 17, 0, 29, tzinfo=UTC), datetime(2026, 6, 17, 0, 30, tzinfo=UTC)),
        (datetime(2026, 6, 17, 0, 30, tzinfo=UTC), datetime(2026, 6, 18, 0, 30, tzinfo=UTC)),
        (datetime(2026, 6, 17, 20, 0, tzinfo=UTC), datetime(2026, 6, 18, 0, 30, tzinfo=UTC)),
    ],
)
def test_a_session_ends_at_the_next_six_in_the_morning_in_india(
    login: datetime, end: datetime
) -> None:
    assert session(login=login).expires_at == end


def test_a_session_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        session(login=LOGIN.replace(tzinfo=None))


def test_a_session_does_not_show_its_token() -> None:
    assert TOKEN not in repr(session())
    assert TOKEN not in str(session())


def test_a_session_is_read_as_it_was_written(path: Path) -> None:
    file = SessionFile(path)
    file.write(session())
    assert file.read() == session()
    assert file.current(NOW_MS) == session()


def test_only_the_owner_may_read_the_file(path: Path) -> None:
    old = os.umask(0)
    try:
        SessionFile(path).write(session())
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_missing_session_says_what_to_do(path: Path) -> None:
    with pytest.raises(SessionMissing, match="run `alphastocks login`"):
        SessionFile(path).current(NOW_MS)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"user_id": 1}', json.dumps({"access_token": TOKEN}), "\x00"]
)
def test_a_broken_file_says_what_to_do_and_shows_nothing(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(SessionFileBroken, match="run `alphastocks login`") as caught:
        SessionFile(path).read()
    assert TOKEN not in str(caught.value)


def test_a_folder_in_the_place_of_the_file_is_a_broken_file(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(SessionFileBroken):
        SessionFile(path).read()


def test_an_old_session_is_expired(path: Path) -> None:
    file = SessionFile(path)
    file.write(session())
    end_ms = ms_from_utc(session().expires_at)
    assert file.current(end_ms - 1) == session()
    with pytest.raises(SessionExpired, match="ended at 2026-06-18 06:00: run `alphastocks login`"):
        file.current(end_ms)
    with pytest.raises(SessionExpired):
        file.read(end_ms)


def test_a_new_login_is_picked_up(path: Path) -> None:
    reader, writer = SessionFile(path), SessionFile(path)
    writer.write(session("first"))
    assert reader.current(NOW_MS).access_token == "first"
    writer.write(session("later"))
    assert reader.current(NOW_MS).access_token == "later"


def test_a_file_that_stays_is_read_once(path: Path) -> None:
    file = SessionFile(path)
    file.write(session())
    assert file.current(NOW_MS) is file.current(NOW_MS)


def test_a_session_that_is_taken_away_is_missing(path: Path) -> None:
    file = SessionFile(path)
    file.write(session())
    assert file.current(NOW_MS) == session()
    path.unlink()
    with pytest.raises(SessionMissing):
        file.current(NOW_MS)


@pytest.mark.parametrize(
    ("root", "is_local"),
    [
        ("https://api.kite.trade", False),
        ("http://127.0.0.1:8600", True),
        ("http://localhost:8600", True),
        ("http://[::1]:8600", True),
        ("http://10.0.0.1", False),
    ],
)
def test_an_address_knows_whether_it_is_this_machine(root: str, is_local: bool) -> None:
    assert KiteAddress("key", root=root).is_local is is_local


@pytest.mark.parametrize(
    "fields",
    [
        {"root": "api.kite.trade"},
        {"ws_root": "https://ws.kite.trade"},
        {"login_root": ""},
        {"root": "http://"},
    ],
)
def test_what_is_no_address_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(fields))):
        KiteAddress("key", **fields)  # type: ignore[arg-type]


def test_the_login_page_is_asked_with_the_key() -> None:
    url = login_url(KiteAddress("k&y"))
    assert url == "https://kite.zerodha.com/connect/login?api_key=k%26y&v=3"
