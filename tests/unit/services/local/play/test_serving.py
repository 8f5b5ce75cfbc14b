"""Where `up` goes on, judged by what the journal holds."""

import asyncio
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.broker.errors import BrokerUnavailable, RequestRefused, SessionExpired
from libs.events.candles import CandleBatch, CandleColumns
from libs.events.codec import record_of
from libs.events.embedded.bus import LocalBus
from libs.events.event import identity, utc_from_ms
from libs.market.calendar import load_calendar
from services.ingest.pace import paced
from services.local.play import serving
from services.local.play.serving import Reports, Resumption, resume
from services.local.play.trading_days import until_open
from services.local.settings import LocalSettings
from tests.unit.fakes import ForgetfulStore

FIRST, WEDNESDAY, THURSDAY = date(2026, 6, 16), date(2026, 6, 17), date(2026, 6, 18)
FRIDAY, MONDAY = date(2026, 6, 19), date(2026, 6, 22)
MINUTE_MS = 60_000


def open_ms(day: date) -> int:
    return load_calendar().sessions("NSE", day)[0].open_ms


def closed(day: date, minute: int, partition: int = 0, interval: str = "1m") -> CandleBatch:
    """The candles of a partition that close so many minutes after the open."""
    opened_ms = open_ms(day) + (minute - 1) * MINUTE_MS
    values: dict[str, Any] = dict.fromkeys(CandleColumns.model_fields, 1)
    values |= {"exchange": "NSE", "tradingsymbol": "SBIN", "expiry": None, "vwap": None}
    values |= {"opened_ms": opened_ms, "closes_ms": opened_ms + MINUTE_MS}
    event_id = identity("test candles", day, minute, partition, interval)
    return CandleBatch(
        event_id=event_id,
        occurred_at=utc_from_ms(opened_ms + MINUTE_MS),
        trading_day=day,
        correlation_id=event_id,
        partition=partition,
        interval=interval,
        source="live",
        columns=CandleColumns.model_validate({name: (one,) for name, one in values.items()}),
    )


def resumed(*batches: CandleBatch) -> Resumption:
    async def read() -> Resumption:
        bus = LocalBus(partitions={"candles": 2})
        await bus.start()
        for batch in batches:
            await bus.publish(record_of(batch, partitions=2))
        resumption = await resume(bus, FIRST)
        await bus.stop()
        return resumption

    return asyncio.run(read())


def test_without_candles_the_first_day_begins_at_its_open() -> None:
    assert resumed() == Resumption(FIRST, None)


def test_it_resumes_at_the_close_of_the_last_minute() -> None:
    batches = (closed(WEDNESDAY, 1), closed(WEDNESDAY, 2), closed(WEDNESDAY, 3, interval="3m"))
    assert resumed(*batches) == Resumption(WEDNESDAY, open_ms(WEDNESDAY) + 2 * MINUTE_MS)


def test_a_revision_of_an_earlier_minute_does_not_move_the_resumption_back() -> None:
    batches = (closed(WEDNESDAY, 1), closed(WEDNESDAY, 5), closed(WEDNESDAY, 1))
    assert resumed(*batches) == Resumption(WEDNESDAY, open_ms(WEDNESDAY) + 5 * MINUTE_MS)


def test_after_a_crash_between_two_partitions_the_earlier_one_counts() -> None:
    both = (closed(WEDNESDAY, 4, partition=0), closed(WEDNESDAY, 4, partition=1))
    ahead = closed(WEDNESDAY, 5, partition=0)
    assert resumed(*both, ahead) == Resumption(WEDNESDAY, open_ms(WEDNESDAY) + 4 * MINUTE_MS)


def test_partitions_of_earlier_days_do_not_count() -> None:
    batches = (closed(WEDNESDAY, 375, partition=1), closed(THURSDAY, 2, partition=0))
    assert resumed(*batches) == Resumption(THURSDAY, open_ms(THURSDAY) + 2 * MINUTE_MS)


def test_after_the_end_of_a_session_the_next_trading_day_is_played() -> None:
    assert resumed(closed(WEDNESDAY, 375)) == Resumption(THURSDAY, None)
    assert resumed(closed(FRIDAY, 375)) == Resumption(MONDAY, None)


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=20), st.floats(0.5, 5000))
def test_frames_enter_when_the_pace_says_and_not_before(gaps_ms: list[int], speed: float) -> None:
    slept = [0.0]
    entered: list[float] = []

    async def sleep(seconds: float) -> None:
        slept[0] += seconds

    async def play() -> None:
        pace, at_ms = paced(speed, sleep), open_ms(WEDNESDAY)
        for gap_ms in (0, *gaps_ms):
            at_ms += gap_ms
            await pace(at_ms)
            entered.append(slept[0])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("services.ingest.pace.monotonic_ms", lambda: int(slept[0] * 1000))
        asyncio.run(play())
    due = [sum(gaps_ms[:seen]) / speed / 1000 for seen in range(len(gaps_ms) + 1)]
    assert entered == pytest.approx(due, abs=0.002)


def test_a_machine_that_fell_behind_catches_up_without_waiting() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def play() -> None:
        times = iter((0, 0, 9_000))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("services.ingest.pace.monotonic_ms", lambda: next(times))
            pace = paced(1.0, sleep)
            await pace(0)
            await pace(1000)

    asyncio.run(play())
    assert slept == [0.0, 0.0]


def followed(monkeypatch: pytest.MonkeyPatch, error: Exception) -> tuple[date | None, list[str]]:
    """Which day counts as played after an account's day was broken off, and what was said."""
    said: list[str] = []

    async def follow(_: object) -> date:
        raise error

    async def story() -> date | None:
        reports = Reports(lambda *_: None, lambda *_: None, said.append)
        store = ForgetfulStore()
        run = serving._Run(LocalSettings(), LocalBus(), store, Path("var"), reports)
        return await asyncio.wait_for(run.follow_again(FRIDAY), 10)

    monkeypatch.setattr(serving._Run, "follow", follow)
    monkeypatch.setattr(serving, "AGAIN_SECONDS", 0)
    return asyncio.run(story()), said


@pytest.mark.parametrize("error", [BrokerUnavailable("no answer"), SessionExpired("log in")])
def test_a_day_that_the_broker_breaks_off_for_a_time_is_begun_again(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    day, said = followed(monkeypatch, error)
    assert day == FRIDAY, "the day before it, so that it is opened once more"
    assert said == [f"{error}; the day is begun again in 0 s"]


def test_what_the_broker_refuses_for_good_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RequestRefused):
        followed(monkeypatch, RequestRefused("no"))


class Enough(Exception):
    """What was waited for was said."""


def test_a_run_without_a_session_waits_for_the_login_at_its_first_start(
    tmp_path: Path,
) -> None:
    kite = {"api_key": "k", "session_file": tmp_path / "session.json"}
    settings = LocalSettings(kite=kite)  # with the feed's clock no day is waited for
    said: list[str] = []

    def notify(line: str) -> None:
        said.append(line)
        raise Enough

    with pytest.raises(Enough):
        asyncio.run(asyncio.wait_for(until_open(settings, None, notify, said.append), 10))
    assert said[0] == "a login in another terminal: alphastocks login"
    assert said[1].startswith(f"Waiting for {said[0]}. Ctrl-C stops it. there is no session at ")
    assert said[2:] == [""], "it waits no longer"
