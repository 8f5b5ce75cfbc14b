"""Day after day at a simulated Kite, over a websocket that follows it, as a process would."""

import asyncio
import json
from collections.abc import Callable
from datetime import date, time
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from websockets.asyncio.client import connect

from libs.runtime.settings import SettingsError
from services.simulator.days import run_days
from services.simulator.domain.india_time import at_time
from services.simulator.server import SimulatorServer
from services.simulator.settings import SimulatorSettings

TOKEN = "a-standing-token"
WEDNESDAY, THURSDAY = date(2026, 6, 17), date(2026, 6, 18)
# Diwali's session of one hour, which is soon played up to its end; the day after is a holiday.
SHORT_DAY, DAY_AFTER = date(2025, 10, 21), date(2025, 10, 23)
NIFTY = 256265


def settings_of(**changes: Any) -> SimulatorSettings:
    fields: dict[str, Any] = {
        "port": 0,
        "day": WEDNESDAY,
        "start": time(9, 20),
        "speed": 1000,
        "goes_on": True,
        "access_token": SecretStr(TOKEN),
    }
    return SimulatorSettings(**(fields | changes))


async def follow(server: SimulatorServer) -> None:
    """Follow the market until the exchange ends the connection."""
    url = f"{server.ws_url}/?api_key=simulator&access_token={TOKEN}"
    async with connect(url) as socket:
        await socket.send(json.dumps({"a": "subscribe", "v": [NIFTY]}))
        async for _ in socket:
            pass


def played(settings: SimulatorSettings, is_enough: Callable[[list[SimulatorServer]], bool]) -> Any:
    """Follow each day as it begins, stop when it is enough, and return the days' first moments."""

    async def play() -> list[tuple[date, int]]:
        stopping, servers, followers = asyncio.Event(), [], []
        begun: list[tuple[date, int]] = []

        def on_day(server: SimulatorServer) -> None:
            servers.append(server)
            begun.append((server.exchange.trading_day, server.exchange.now_ms))
            followers.append(asyncio.create_task(follow(server)))

        playing = asyncio.create_task(run_days(settings, stopping, on_day))
        while not (is_enough(servers) or playing.done()):  # noqa: ASYNC110  no event tells it
            await asyncio.sleep(0.01)
        stopping.set()
        await playing
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)
        return begun

    async def within() -> list[tuple[date, int]]:
        async with asyncio.timeout(60):
            return await play()

    return asyncio.run(within())


@pytest.fixture(autouse=True)
def _no_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.simulator.days.LINGER_SECONDS", 0.01)


def is_under_way(server: SimulatorServer, at: time) -> bool:
    return server.exchange.now_ms >= at_time(server.exchange.trading_day, at)


def test_after_a_day_comes_the_next_trading_day_from_its_open(tmp_path: Path) -> None:
    settings = settings_of(state=tmp_path / "account.json", day=SHORT_DAY, start=time(14, 44, 58))
    days = played(settings, lambda seen: len(seen) == 2 and is_under_way(seen[1], time(9, 16)))
    assert days == [
        (SHORT_DAY, at_time(SHORT_DAY, time(14, 44, 57))),
        (DAY_AFTER, at_time(DAY_AFTER, time(9, 14, 59))),
    ]


def test_a_restart_resumes_in_the_middle_of_the_day(tmp_path: Path) -> None:
    settings = settings_of(state=tmp_path / "account.json", start=time(9, 20), speed=60)
    played(settings, lambda seen: bool(seen) and is_under_way(seen[0], time(9, 20, 30)))
    ((day, at_ms),) = played(settings, bool)
    assert day == WEDNESDAY
    assert at_time(day, time(9, 20, 30)) <= at_ms < at_time(day, time(9, 25))


def test_a_restart_between_two_days_begins_the_later_one(tmp_path: Path) -> None:
    place = {"day": WEDNESDAY.isoformat(), "at_ms": 0, "is_over": True}
    (tmp_path / "account.place").write_text(json.dumps(place))
    ((day, at_ms),) = played(settings_of(state=tmp_path / "account.json"), bool)
    assert (day, at_ms) == (THURSDAY, at_time(THURSDAY, time(9, 14, 59)))


def test_a_day_waits_for_a_subscriber() -> None:
    async def play() -> None:
        stopping: asyncio.Event = asyncio.Event()
        begun: asyncio.Future[SimulatorServer] = asyncio.get_running_loop().create_future()
        settings = settings_of(start=None, speed=10_000)
        playing = asyncio.create_task(run_days(settings, stopping, begun.set_result))
        server = await begun
        await asyncio.sleep(0.2)
        assert not is_under_way(server, time(9, 15))
        stopping.set()
        await playing

    asyncio.run(play())


def test_the_end_of_the_calendar_is_the_end(tmp_path: Path) -> None:
    place = {"day": "2026-12-31", "at_ms": 0, "is_over": True}
    (tmp_path / "account.place").write_text(json.dumps(place))
    assert played(settings_of(state=tmp_path / "account.json"), bool) == []


@pytest.mark.parametrize("text", ["{}", '{"day": "soon", "at_ms": 1, "is_over": false}', "["])
def test_a_resume_point_that_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "account.place").write_text(text)
    with pytest.raises(SettingsError, match=r"account\.place holds no"):
        played(settings_of(state=tmp_path / "account.json"), bool)
