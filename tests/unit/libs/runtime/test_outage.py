import asyncio
from collections.abc import Iterable

import pytest

from libs.events.errors import BusRefused, BusUnavailable
from libs.runtime.outage import PING_SECONDS, RETRY_SECONDS, Outage, until_answered, watch


class Told:
    """What is told of an outage, and the clock by which it is."""

    def __init__(self) -> None:
        self.at = 100.0
        self.lines: list[str] = []
        self.outage = Outage(
            lambda reason, seconds: self.lines.append(f"{seconds:.0f} {reason}"),
            lambda seconds: self.lines.append(f"{seconds:.0f} back"),
            lambda: self.at,
        )

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


class Answers:
    """A bus that answers as it is told to; then the test is over."""

    def __init__(self, answers: Iterable[Exception | None]) -> None:
        self._answers = list(answers)

    async def ping(self) -> None:
        if not self._answers:
            raise asyncio.CancelledError
        answer = self._answers.pop(0)
        if answer is not None:
            raise answer


def test_an_outage_is_told_at_once_then_every_ten_seconds_and_when_it_is_over() -> None:
    told, bus = Told(), Answers([BusUnavailable("refused")] * 25 + [None])
    asyncio.run(until_answered(bus.ping, told.outage, lambda: False, told.sleep))
    assert told.lines == ["0 refused", "10 refused", "20 refused", "25 back"]
    assert told.at == 100 + 25 * RETRY_SECONDS


def test_without_an_outage_nothing_is_told() -> None:
    told, bus = Told(), Answers([None])
    asyncio.run(until_answered(bus.ping, told.outage, lambda: False, told.sleep))
    assert told.lines == []


def test_waiting_that_is_given_up_ends_with_the_last_error() -> None:
    told, bus = Told(), Answers([BusUnavailable("refused")] * 9)
    with pytest.raises(BusUnavailable, match="refused"):
        asyncio.run(until_answered(bus.ping, told.outage, lambda: told.at >= 103, told.sleep))
    assert told.lines == ["0 refused"]


def test_a_refusal_is_not_waited_for() -> None:
    told, bus = Told(), Answers([BusRefused("no such user")])
    with pytest.raises(BusRefused):
        asyncio.run(until_answered(bus.ping, told.outage, lambda: False, told.sleep))


def test_a_watched_bus_is_told_of_each_time_that_it_goes_and_comes_back() -> None:
    away = BusUnavailable("no answer")
    told, bus = Told(), Answers([None, away, away, away, None, None, BusRefused("no user"), None])
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(watch(bus.ping, told.outage, told.sleep))
    assert PING_SECONDS == 5
    assert told.lines == ["0 no answer", "10 no answer", "15 back", "0 no user", "5 back"]
