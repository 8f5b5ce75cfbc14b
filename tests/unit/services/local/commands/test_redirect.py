"""The browser's return from Kite's login page, and what may come to that address besides."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from io import StringIO
from typing import TextIO

import httpx
import pytest

from libs.runtime.settings import SettingsError
from services.local.commands.redirect import Answer, Redirect, answer_to, is_here

GOOD = "/?state=own&action=login&type=login&status=success&request_token=abc123"
TOKEN = "abc123"


def judged(target: str, path: str = "/") -> Answer:
    return answer_to(target, path, "own")


def test_kites_answer_has_the_token_and_its_page_does_not_show_it() -> None:
    answer = judged(GOOD)
    assert (answer.status, answer.request_token, answer.refusal) == (200, TOKEN, "")
    assert TOKEN not in answer.said


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/favicon.ico", 404),
        (GOOD.replace("/?", "/other?"), 404),
        ("/", 403),
        (GOOD.replace("state=own", "state=guessed"), 403),
        (GOOD.replace("state=own&", ""), 403),
        (GOOD.replace("state=own", "state=%ff"), 403),
        (GOOD.replace("action=login", "action=logout"), 400),
        (GOOD.replace("&request_token=abc123", ""), 400),
        (GOOD.replace("abc123", "abc%20123"), 400),
        (GOOD.replace("abc123", "%C3%A9t%C3%A9"), 400),
    ],
)
def test_anything_else_is_answered_and_waited_on(target: str, status: int) -> None:
    answer = judged(target)
    assert (answer.status, answer.request_token, answer.refusal) == (status, "", "")


@pytest.mark.parametrize(
    ("status", "shown"),
    [("cancelled", "cancelled"), ("", "none"), ("%0A", "none"), ("x" * 99, "x" * 40)],
)
def test_a_login_that_kite_refuses_ends_the_wait(status: str, shown: str) -> None:
    answer = judged(GOOD.replace("status=success", f"status={status}"))
    assert answer.refusal == (
        f"login: Kite did not log you in (status {shown}): run `alphastocks login` again"
    )


def test_the_path_of_the_registered_address_counts() -> None:
    assert judged(GOOD.replace("/?", "/done?"), "/done").request_token == TOKEN
    assert judged(GOOD, "").request_token == TOKEN


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8210/", True),
        ("http://localhost:8210", True),
        ("http://[::1]:8210/done", True),
        ("https://127.0.0.1:8210/", False),
        ("http://192.168.1.5:8210/", False),
        ("http://example.org/", False),
        ("http://127.0.0.1:99999/", False),
        ("", False),
    ],
)
def test_the_browser_is_waited_for_on_this_machine_alone(url: str, expected: bool) -> None:
    assert is_here(url) == expected


@pytest.fixture
def redirect() -> Iterator[Redirect]:
    with closing(Redirect("http://127.0.0.1:0/done")) as made:
        yield made


def browse(redirect: Redirect, *targets: str) -> tuple[threading.Thread, list[httpx.Response]]:
    """Visit addresses one after another, beside the test."""
    pages: list[httpx.Response] = []

    def visit() -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{redirect.port}") as client:
            pages.extend(client.get(target) for target in targets)

    thread = threading.Thread(target=visit)
    thread.start()
    return thread, pages


def test_the_first_request_with_a_token_is_the_answer_whatever_came_before(
    redirect: Redirect, capfd: pytest.CaptureFixture[str]
) -> None:
    good = GOOD.replace("/?", "/done?").replace("state=own", f"state={redirect.state}")
    with socket.create_connection(("127.0.0.1", redirect.port)) as broken:
        broken.sendall(b"\x16\x03garbage\r\n\r\n")
        thread, pages = browse(redirect, "/favicon.ico", "/done?request_token=evil", good)
        assert redirect.wait(10, StringIO()) == TOKEN
        thread.join()
    assert [page.status_code for page in pages] == [404, 403, 200]
    assert pages[2].headers["referrer-policy"] == "no-referrer"
    assert "close this page" in pages[2].text
    assert capfd.readouterr() == ("", ""), "a token in a log could be read by others"


def test_a_refusal_is_said_in_one_line(redirect: Redirect) -> None:
    thread, _ = browse(redirect, f"/done?state={redirect.state}&status=cancelled")
    with pytest.raises(SettingsError, match=r"did not log you in \(status cancelled\)"):
        redirect.wait(10, StringIO())
    thread.join()


def pipe_of(text: str) -> TextIO:
    reading, writing = os.pipe()
    os.write(writing, text.encode())
    os.close(writing)
    return os.fdopen(reading)


def test_what_is_pasted_meanwhile_is_taken(redirect: Redirect) -> None:
    with pipe_of("\n https://example.org/?request_token=abc123\n") as pasted:
        assert redirect.wait(10, pasted) == "https://example.org/?request_token=abc123"


def test_where_nothing_can_be_pasted_the_browser_is_waited_for(redirect: Redirect) -> None:
    good = GOOD.replace("/?", "/done?").replace("state=own", f"state={redirect.state}")
    with pipe_of("") as closed:
        thread, _ = browse(redirect, good)
        assert redirect.wait(10, closed) == TOKEN
        thread.join()


def test_a_wait_ends_with_what_to_do(redirect: Redirect) -> None:
    with pytest.raises(SettingsError, match=r"nobody came to http://127.0.0.1:0/done within 0 s"):
        redirect.wait(0.01, StringIO())


def test_a_port_that_is_taken_is_named_with_its_setting(redirect: Redirect) -> None:
    with pytest.raises(SettingsError, match="set ALPHASTOCKS_KITE__REDIRECT_URL to another"):
        Redirect(f"http://127.0.0.1:{redirect.port}/")
