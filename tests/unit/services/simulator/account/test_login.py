import hashlib
from datetime import date, time, timedelta
from itertools import count

import pytest

from services.simulator.domain.account.login import App, Logins, Session
from services.simulator.domain.account.profile import BROKER, session_reply
from services.simulator.domain.errors import InputError, TokenError
from services.simulator.domain.india_time import at_time

DAY = date(2026, 6, 10)
NOW_MS = at_time(DAY, time(9, 15))
LIFE_MS = 300_000
APP = App("key", "SIM001", "secret")


def logins() -> Logins:
    numbers = count(1)
    return Logins(APP, lambda: f"token{next(numbers)}", LIFE_MS)


def checksum(request_token: str, api_secret: str = "secret") -> str:
    return hashlib.sha256(f"key{request_token}{api_secret}".encode()).hexdigest()


def log_in(at: Logins, now_ms: int = NOW_MS) -> Session:
    request_token = at.begin("key", 0)
    return at.open("key", request_token, checksum(request_token), 1, now_ms)


def test_a_login_opens_a_session_until_six_the_next_morning() -> None:
    at = logins()
    session = log_in(at)
    assert session.ends_ms == at_time(DAY + timedelta(days=1), time(6))
    at.check(f"token key:{session.access_token}", session.ends_ms - 1)
    with pytest.raises(TokenError):
        at.check(f"token key:{session.access_token}", session.ends_ms)


def test_a_login_in_the_night_ends_the_same_morning() -> None:
    session = log_in(logins(), at_time(DAY, time(5, 59)))
    assert session.ends_ms == at_time(DAY, time(6))


def test_a_request_token_dies_after_a_while() -> None:
    at = logins()
    first, second = at.begin("key", 0), at.begin("key", 1)
    with pytest.raises(TokenError):
        at.open("key", first, checksum(first), LIFE_MS, NOW_MS)
    at.open("key", second, checksum(second), LIFE_MS, NOW_MS)


def test_a_request_token_is_spent_even_by_a_wrong_checksum() -> None:
    at = logins()
    request_token = at.begin("key", 0)
    for api_secret in ("wrong", "secret"):
        with pytest.raises(TokenError):
            at.open("key", request_token, checksum(request_token, api_secret), 1, NOW_MS)


def test_only_the_registered_app_may_ask() -> None:
    at = logins()
    with pytest.raises(InputError):
        at.begin("other", 0)
    request_token = at.begin("key", 0)
    with pytest.raises(TokenError):
        at.open("other", request_token, checksum(request_token), 1, NOW_MS)


def test_another_login_replaces_the_session() -> None:
    at = logins()
    old, new = log_in(at), log_in(at)
    assert not at.accepts("key", old.access_token, NOW_MS)
    assert at.accepts("key", new.access_token, NOW_MS)


def test_a_logout_ends_the_session_of_its_own_token_only() -> None:
    at = logins()
    session = log_in(at)
    with pytest.raises(TokenError):
        at.end("key", "other", NOW_MS)
    at.end("key", session.access_token, NOW_MS)
    assert not at.accepts("key", session.access_token, NOW_MS)


@pytest.mark.parametrize(
    "header", ["", "token", "token key", "key:token2", "Token key:token2", "é"]
)
def test_a_malformed_header_opens_nothing(header: str) -> None:
    at = logins()
    assert log_in(at).access_token == "token2"
    with pytest.raises(TokenError):
        at.check(header, NOW_MS)


def test_secrets_are_not_shown() -> None:
    at = logins()
    assert "token2" not in repr(log_in(at))
    assert "secret" not in repr(APP)


def test_the_reply_names_the_simulators_broker_and_has_no_refresh_token() -> None:
    reply = session_reply(APP, log_in(logins()))
    assert (reply["broker"], reply["refresh_token"], reply["login_time"]) == (
        BROKER,
        "",
        "2026-06-10 09:15:00",
    )


def test_a_standing_token_opens_a_session_that_neither_time_nor_a_login_ends() -> None:
    at = Logins(APP, lambda: "other", LIFE_MS, "standing")
    at.check("token key:standing", NOW_MS)
    log_in(at)
    at.check("token key:standing", NOW_MS + 7 * 24 * 3600 * 1000)
    for wrong in ("token key:", "token key:standin", "token other:standing"):
        with pytest.raises(TokenError):
            at.check(wrong, NOW_MS)


def test_without_a_standing_token_an_empty_one_opens_nothing() -> None:
    with pytest.raises(TokenError):
        logins().check("token key:", NOW_MS)
