"""`up --kafka` ends with an error of what runs beside its processes, and waits for their work."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from libs.events.errors import BusUnavailable
from libs.events.kafka.address import KafkaAddress
from libs.runtime.settings import SettingsError
from libs.store.store import StoreAddress
from services.local.play import processes
from services.local.play.day_events import DayEvents
from services.local.play.fleet import Fleet
from services.local.play.processes import Servers, serve_kite_on_kafka
from services.local.play.serving import Reports
from services.local.play.standing import Standing
from services.local.settings import LocalSettings

DAY = date(2026, 6, 17)
PLAIN = LocalSettings()
ON_WALL = PLAIN.model_copy(update={"runtime": PLAIN.runtime.model_copy(update={"clock": "wall"})})
SERVERS = Servers(KafkaAddress("127.0.0.1:1"), StoreAddress("127.0.0.1"))
IN_FORCE = Standing("paper", "paper", None)


class Told:
    """What a run reports; `at_day` is called at the end of a day."""

    def __init__(self, at_day: Callable[[], None] = lambda: None) -> None:
        self.lines: list[str] = []
        self._at_day = at_day

    @property
    def reports(self) -> Reports:
        return Reports(lambda *_: None, self._on_day, self.lines.append)

    def _on_day(self, day: date, _events: DayEvents, is_over: bool, _: Standing) -> None:
        self.lines.append(f"{day} {'is over' if is_over else 'so far'}")
        self._at_day()


@pytest.fixture(autouse=True)
def _without_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers that are there, and a fleet in which nothing runs."""

    @asynccontextmanager
    async def servers(*_: object) -> AsyncIterator[Servers]:
        yield SERVERS

    @asynccontextmanager
    async def fleet(settings: LocalSettings, *_: object) -> AsyncIterator[Fleet]:
        async with Fleet(settings, tmp_path / "logs", 18_000) as empty:
            yield empty

    async def in_force(*_: object) -> Standing:
        return IN_FORCE

    async def no_day(_: object) -> None:
        """Know of no day."""

    monkeypatch.setattr(processes, "_servers", servers)
    monkeypatch.setattr(processes, "_fleet", fleet)
    monkeypatch.setattr(processes, "_standing", in_force, raising=False)
    monkeypatch.setattr(processes, "_last_day", no_day)
    monkeypatch.setattr(processes, "SETTLE_SECONDS", 0)


def run(story: Any) -> None:
    asyncio.run(asyncio.wait_for(story, 10))


def follow(tmp_path: Path, told: Told) -> None:
    run(serve_kite_on_kafka(ON_WALL, tmp_path, DAY, told.reports, lambda _: None))


class BrokenMarket:
    async def play(self, *_: object) -> None:
        raise ConnectionError("the market broke off")


def test_an_error_of_the_market_ends_the_day_with_it(tmp_path: Path) -> None:
    async def story() -> None:
        playing = processes._Run(PLAIN, SERVERS, tmp_path, Told().reports, asyncio.Event())
        async with Fleet(PLAIN, tmp_path / "logs", 18_000) as fleet:
            market: Any = BrokenMarket()
            await playing._watch(fleet, market, asyncio.Event())

    with pytest.raises(ConnectionError, match="the market broke off"):
        run(story())


def test_the_end_of_the_calendar_ends_a_run_at_an_account_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def until_opening(*_: object) -> date:
        raise SettingsError("no further trading day is known")

    monkeypatch.setattr(processes, "until_opening", until_opening)
    with pytest.raises(SettingsError, match="no further trading day is known"):
        follow(tmp_path, Told())


def play_a_day_at_once(monkeypatch: pytest.MonkeyPatch, left: int, outages: int) -> None:
    """Let a day be over at once, with messages left, and Kafka away for so many questions."""
    away = [BusUnavailable("refused") for _ in range(outages)]

    async def at_once(*_: object) -> date:
        return DAY

    async def drained(*_: object) -> int:
        return left

    async def result(*_: object) -> Any:
        if away:
            raise away.pop()
        return processes._Result(DayEvents(), IN_FORCE)

    monkeypatch.setattr(processes, "until_opening", at_once)
    monkeypatch.setattr(processes, "until_closed", at_once)
    monkeypatch.setattr(processes, "drained", drained)
    monkeypatch.setattr(processes, "_result", result)
    monkeypatch.setattr("libs.runtime.outage.RETRY_SECONDS", 0)


class Enough(Exception):
    """A day was told."""


def told_day(tmp_path: Path) -> list[str]:
    def enough() -> None:
        raise Enough

    told = Told(enough)
    with pytest.raises(Enough):
        follow(tmp_path, told)
    return told.lines


def test_a_day_is_told_once_kafka_is_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play_a_day_at_once(monkeypatch, left=0, outages=3)
    assert told_day(tmp_path) == ["2026-06-17 is over"]


def test_figures_that_are_not_final_are_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play_a_day_at_once(monkeypatch, left=1200, outages=0)
    assert told_day(tmp_path) == [
        "1,200 messages are not handled yet: the figures of 2026-06-17 are not final",
        "2026-06-17 is over",
    ]
