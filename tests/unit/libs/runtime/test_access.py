"""Tokens: known by their hash, in scopes, at a rate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from libs.runtime.access import SCOPES, Access, AccessToken, Denied, Scope, hash_of, new_token


def access_of(scope: Scope = "operate", per_minute: int = 5) -> tuple[Access, str]:
    token = new_token()
    return Access(
        (AccessToken(name="asha", scope=scope, sha256=hash_of(token)),), per_minute
    ), token


def refused(access: Access, token: str, scope: Scope, now_ms: int = 0) -> tuple[int, str]:
    with pytest.raises(Denied) as denied:
        access.admit(token, scope, now_ms)
    return denied.value.status, denied.value.name


@pytest.mark.parametrize("held", SCOPES)
@pytest.mark.parametrize("asked", SCOPES)
def test_a_scope_includes_those_before_it_and_no_other(held: Scope, asked: Scope) -> None:
    access, token = access_of(held)
    if SCOPES.index(held) >= SCOPES.index(asked):
        assert access.admit(token, asked, 0).name == "asha"
    else:
        assert refused(access, token, asked) == (403, "asha")


@pytest.mark.parametrize("presented", ["", "wrong", "é"])
def test_a_stranger_is_told_that_it_is_unknown(presented: str) -> None:
    access, _ = access_of()
    assert refused(access, presented, "read") == (401, "")


def test_the_hash_itself_is_no_token() -> None:
    access, token = access_of()
    assert refused(access, hash_of(token), "read") == (401, "")


def test_a_token_is_admitted_so_many_times_a_minute_and_strangers_do_not_use_it_up() -> None:
    access, token = access_of(per_minute=2)
    for _ in range(3):
        with pytest.raises(Denied):
            access.admit("stranger", "read", 0)
    for at_ms in (0, 10):
        access.admit(token, "read", at_ms)
    assert refused(access, token, "read", 59_999) == (429, "asha")
    assert access.admit(token, "read", 60_000).name == "asha"


def test_guesses_are_slowed_down_too() -> None:
    access, _ = access_of(per_minute=2)
    statuses = [refused(access, f"guess {number}", "read")[0] for number in range(4)]
    assert statuses == [401, 401, 429, 429]


@given(st.lists(st.integers(0, 300_000), max_size=60), st.integers(1, 5))
def test_in_no_minute_are_there_more_than_the_limit(times: list[int], per_minute: int) -> None:
    access, token = access_of(per_minute=per_minute)
    admitted = []
    for at_ms in sorted(times):
        try:
            access.admit(token, "read", at_ms)
        except Denied:
            continue
        admitted.append(at_ms)
    for start in admitted:
        assert len([at for at in admitted if start <= at < start + 60_000]) <= per_minute


@pytest.mark.parametrize("sha256", ["", "abc", "A" * 64, "g" * 64])
def test_what_is_no_hash_is_refused_by_the_settings(sha256: str) -> None:
    with pytest.raises(ValidationError):
        AccessToken(name="asha", scope="read", sha256=sha256)


def test_tokens_are_long_and_never_the_same() -> None:
    made = {new_token() for _ in range(100)}
    assert len(made) == 100
    assert min(map(len, made)) >= 43
