"""The running executor examines itself: asked, before an arming, and each day at a time."""

import asyncio
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, NamedTuple

import pytest
from structlog.testing import capture_logs

from libs.events.errors import BusUnavailable
from services.executor.settings import LiveSettings
from tests.unit.services.executor.live.test_live_trading import TOKEN, Account, Desk, play


class Usage(NamedTuple):
    """What shutil.disk_usage returns, in bytes."""

    total: int
    used: int
    free: int


@contextmanager
def echoing(reply: str) -> Iterator[str]:
    """Serve a page that replies with a text; yield its address."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(reply.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/ip"
        server.shutdown()


@contextmanager
def garbling() -> Iterator[str]:
    """Serve what is no HTTP; yield its address."""

    class Noise(BaseHTTPRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"nonsense\r\n\r\n")

    with HTTPServer(("127.0.0.1", 0), Noise) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/ip"
        server.shutdown()


async def lines(desk: Desk) -> dict[str, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = (await desk.client.get("/control/doctor", headers=headers)).json()
    found = {one["check"]: one for one in answer["lines"]}
    assert answer["is_well"] == all(one["state"] != "failed" for one in found.values())
    return found


def test_asked_it_shows_every_line_and_the_metrics_follow() -> None:
    async def story(desk: Desk) -> None:
        await desk.market()
        found = await lines(desk)
        assert {one["state"] for one in found.values()} == {"ok", "unknown"}
        assert desk.harness.measured("doctor_ok", "session") == 1
        desk.account.is_logged_in = False
        assert (await lines(desk))["session"]["action"] == "log in: alphastocks login"
        assert desk.harness.measured("doctor_ok", "session") == 0
        assert desk.harness.measured("doctor_ok", "funds") == 1

    play(story)


def test_a_full_disk_keeps_live_from_being_armed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(2**40, 2**40, 0))

    async def story(desk: Desk) -> None:
        await desk.market()
        answer = await desk.arm()
        assert answer.status_code == 409
        assert answer.json()["detail"].startswith("disk: 0.0 GiB free at")

    play(story)


def test_a_bus_that_does_not_answer_keeps_live_from_being_armed() -> None:
    async def story(desk: Desk) -> None:
        await desk.market()

        async def away() -> None:
            raise BusUnavailable("no broker answers")

        desk.harness.bus.ping = away  # type: ignore[method-assign]  # a bus that is away
        assert (await lines(desk))["bus"]["state"] == "failed"

    play(story)


@pytest.mark.parametrize(
    ("reply", "state", "says"),
    [
        ("127.0.0.1\n", "ok", "127.0.0.1"),
        ("198.51.100.9", "failed", "198.51.100.9"),
        ("<p>", "failed", "does not reply"),
    ],
)
def test_the_address_is_asked_of_the_page_that_the_user_names(
    reply: str, state: str, says: str
) -> None:
    async def story(desk: Desk) -> None:
        await desk.market()
        line = (await lines(desk))["address"]
        assert (line["state"], says in line["reason"]) == (state, True)

    with echoing(reply) as url:
        play(story, live=LiveSettings(addresses=("127.0.0.1",), echo_url=url))


def test_a_page_that_answers_in_no_known_way_fails_the_line_and_nothing_else() -> None:
    async def story(desk: Desk) -> None:
        await desk.market()
        line = (await lines(desk))["address"]
        assert (line["state"], "does not reply" in line["reason"]) == ("failed", True)

    with garbling() as url:
        play(story, live=LiveSettings(addresses=("127.0.0.1",), echo_url=url))


def test_a_live_executor_examines_itself_at_its_time_and_counts_what_it_finds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("START_SECONDS", "LOOK_SECONDS"):
        monkeypatch.setattr(f"services.executor.examination.{name}", 0.001)

    async def story(desk: Desk) -> None:
        desk.account.is_logged_in = False
        with capture_logs() as logs:
            await desk.market()
            async with asyncio.timeout(5):
                while not desk.harness.measured("doctor_failed_examinations"):  # noqa: ASYNC110  nobody tells when
                    await asyncio.sleep(0.001)
        said = [one["reason"] for one in logs if "doctor" in one["event"]]
        assert any(one.startswith("session: the session is over") for one in said)
        assert desk.harness.measured("doctor_failed_examinations") == 1

    play(story, Account())
