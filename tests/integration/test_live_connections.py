"""Three websockets of one feed over a simulated exchange: each fault of one, and of all."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from libs.runtime.clock import monotonic_ms
from services.ingest import live_day
from tests.integration.live_desks import LiveDesk, live_desk, until

Story = Callable[[LiveDesk], Awaitable[None]]


def told(story: Story, folder: Path, **settings: Any) -> None:
    """Tell a story of a day over three connections."""

    async def run() -> None:
        async with live_desk(folder, **settings) as desk:
            await story(desk)

    asyncio.run(run())


async def replaced(desk: LiveDesk, connection: int, before: int) -> int:
    """Return after how many milliseconds a connection that was opened anew brings news."""
    took = await until(lambda: desk.counted(connection, "reconnects") > before)
    since = monotonic_ms()
    await until(lambda: desk.frames(connection, since))
    return took


def test_a_connection_that_brings_no_news_is_replaced_alone_within_three_seconds(
    tmp_path: Path,
) -> None:
    faults: list[dict[str, Any]] = [
        {"kind": "silence", "seconds": 60, "what": "ticks"},
        {"kind": "silence", "seconds": 60},
        {"kind": "freeze", "seconds": 60},
    ]

    async def story(desk: LiveDesk) -> None:
        for connection, fault in enumerate(faults):
            desk.hit(connection, **fault)
            took = await replaced(desk, connection, 0)
            assert took < 3_900, "2.5 s after its last news, which is a second old at most"
            done = [desk.counted(number, "reconnects") for number in range(3)]
            assert done == [int(number <= connection) for number in range(3)]
            assert not desk.feed.feed_log.is_halted
            await until(lambda: desk.feed.feed_log.silent == frozenset())

    told(story, tmp_path)


def test_garbage_is_no_sign_of_life(tmp_path: Path) -> None:
    async def story(desk: LiveDesk) -> None:
        before = desk.counted(1, "reconnects")
        desk.hit(1, kind="silence", seconds=60, what="ticks")
        while desk.counted(1, "reconnects") == before:
            desk.hit(1, kind="garbage", what="length")
            await asyncio.sleep(0.1)
        assert desk.counted(1, "broken_packets") > 10
        assert desk.counted(0, "broken_packets") == 0

    told(story, tmp_path)


def test_a_lagging_connection_is_waited_for_and_not_replaced(tmp_path: Path) -> None:
    async def story(desk: LiveDesk) -> None:
        for seconds in (1, 2):  # a longer gap would be a silence
            desk.hit(1, kind="lag", seconds=seconds)
            await asyncio.sleep(3.5)
        late = desk.frames(1)[-1].columns.exchange_timestamp.max()
        on_time = desk.frames(0)[-1].columns.exchange_timestamp.max()
        assert 1_000 <= on_time - late <= 3_000
        reached = {one.connection: one.received_ms for _, one in desk.taken if not len(one.columns)}
        assert reached[0] - reached[1] >= 1_000, "its heartbeats are as far behind"
        assert [desk.counted(number, "reconnects") for number in range(3)] == [0, 0, 0]
        assert {one.offset_ms for _, one in desk.taken[-10:]} == {0}

    told(story, tmp_path)


def test_of_frames_in_another_order_none_is_lost(tmp_path: Path) -> None:
    async def story(desk: LiveDesk) -> None:
        desk.hit(1, kind="reorder", times=2)
        stamps: list[int] = []

        def is_over() -> bool:
            stamps[:] = [int(one.columns.exchange_timestamp.max()) for one in desk.frames(1)]
            return int((np.diff(stamps) < 0).sum()) == 2

        await until(is_over)
        assert set(range(min(stamps), max(stamps) + 1, 1000)) == set(stamps), "none is missing"
        assert [desk.counted(number, "reconnects") for number in range(3)] == [0, 0, 0]

    told(story, tmp_path)


@pytest.mark.parametrize("status", [429, 503])
def test_quotes_by_request_stand_in_for_a_connection_that_cannot_be_had(
    status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_day, "POLL_AFTER_MS", 1_000)

    async def story(desk: LiveDesk) -> None:
        own = {
            token
            for token in desk.day.lines[1].following.modes
            if desk.day.spread.connection_of(token) == 1
        }
        desk.hit(None, kind="refuse", status=status, times=1_000)
        desk.hit(1, kind="close")
        since = monotonic_ms()
        await until(lambda: desk.feed.feed_log.polled)
        assert desk.feed.feed_log.polled == len(own)
        await until(lambda: len(desk.frames(1, since + 1_000)) >= 3)
        polled = desk.frames(1, since + 1_000)
        assert set(polled[-1].columns.instrument_token.tolist()) == own
        assert desk.frames(0)[-1].received_ms - polled[-1].received_ms < 2_500, "time goes on"
        assert desk.counted(1, "too_many") == (desk.counted(1, "failures") if status == 429 else 0)
        desk.server.exchange.faults.clear()
        await until(lambda: not desk.feed.feed_log.polled)
        assert desk.counted(1, "reconnects") == 1
        assert [desk.counted(number, "reconnects") for number in (0, 2)] == [0, 0]

    told(story, tmp_path, limits=True)


def test_an_open_connection_survives_the_session_and_a_new_one_waits_for_a_login(
    tmp_path: Path,
) -> None:
    async def story(desk: LiveDesk) -> None:
        desk.server.exchange.act({"kind": "end_session"})
        desk.hit(1, kind="close")
        await until(lambda: "a login at the broker" in desk.feed.waiting.reason)
        since = monotonic_ms()
        await until(lambda: len(desk.frames(0, since)) >= 2)
        assert desk.frames(1, since) == []
        await desk.log_in()
        await until(lambda: desk.frames(1, since))
        assert desk.feed.waiting.reason == ""
        assert [desk.counted(number, "reconnects") for number in range(3)] == [0, 1, 0]

    told(story, tmp_path)


def test_a_halt_of_the_whole_exchange_is_told_and_ended_by_its_ticks(tmp_path: Path) -> None:
    async def story(desk: LiveDesk) -> None:
        desk.hit(None, kind="halt", seconds=6)
        await until(lambda: desk.feed.feed_log.is_halted)
        (told,) = [one for _, one in desk.taken if not one.received_ms]
        assert told.is_silent
        await until(lambda: not desk.feed.feed_log.is_halted)
        assert [one.is_silent for _, one in desk.taken if not one.received_ms] == [True, False]
        await until(lambda: all(number not in desk.feed.feed_log.silent for number in range(3)))

    told(story, tmp_path)
