"""What the user pastes after the login at Kite."""

import asyncio
from pathlib import Path

import pytest
from pydantic import SecretStr

from libs.runtime.settings import KiteSettings, SettingsError
from services.local.commands.kite_login import address_with_secret, log_in, request_token_of


@pytest.mark.parametrize(
    "answer",
    [
        "abc123",
        "  abc123\n",
        "https://example.org/done?request_token=abc123&action=login&status=success",
        "http://[x/?request_token=abc123#top",
    ],
)
def test_the_token_is_found_in_the_address_or_alone(answer: str) -> None:
    assert request_token_of(answer) == "abc123"


@pytest.mark.parametrize("answer", ["", "https://example.org/done?status=cancelled", "a b"])
def test_an_answer_without_a_token_is_refused(answer: str) -> None:
    with pytest.raises(SettingsError, match="no request_token"):
        request_token_of(answer)


def test_a_login_needs_the_secret_and_names_the_variable() -> None:
    with pytest.raises(SettingsError, match="ALPHASTOCKS_KITE__API_SECRET"):
        address_with_secret(KiteSettings(api_key="key"))


def test_a_session_folder_that_cannot_be_created_is_named_before_the_token_is_used(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("")
    settings = KiteSettings(
        api_key="key",
        api_secret=SecretStr("secret"),
        root="http://127.0.0.1:9",
        session_file=tmp_path / "file" / "session.json",
    )
    with pytest.raises(SettingsError, match=r"kite\.session_file: no folder"):
        asyncio.run(log_in(settings, "abc123"))
