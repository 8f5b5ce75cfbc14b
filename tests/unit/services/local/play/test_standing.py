"""The mode and the halt that are in force, as greeting and summary show them."""

import asyncio
from datetime import date
from typing import Any, TypeVar

import pytest

from libs.events.codec import record_of
from libs.events.control import ControlEvent, ModeChanged, TradingHalted, TradingResumed
from libs.events.embedded.bus import LocalBus
from libs.events.event import identity, utc_from_ms
from services.executor.settings import ExecutorSettings
from services.local.play.standing import Standing, standing

C = TypeVar("C", bound=ControlEvent)
PAPER = ExecutorSettings(mode="paper")


def said(kind: type[C], number: int, **more: Any) -> C:
    event_id = identity("test control", number)
    return kind(
        event_id=event_id,
        occurred_at=utc_from_ms(1_781_067_600_000 + number),
        trading_day=date(2026, 6, 10),
        correlation_id=event_id,
        **more,
    )


def after(*events: ControlEvent) -> Standing:
    async def read() -> Standing:
        bus = LocalBus()
        await bus.start()
        for event in events:
            await bus.publish(record_of(event))
        found = await standing(bus, PAPER)
        await bus.stop()
        return found

    return asyncio.run(read())


HALT = said(TradingHalted, 1, reason="halted by local: news")
LOGGING = said(ModeChanged, 2, mode="logging_only", settings_mode="paper")
OF_OTHER_SETTINGS = said(ModeChanged, 3, mode="disabled", settings_mode="logging_only")


@pytest.mark.parametrize(
    ("events", "line"),
    [
        ([], "mode paper"),
        ([LOGGING], "mode logging_only (settings: paper)"),
        ([OF_OTHER_SETTINGS], "mode paper"),
        ([HALT], "mode paper, halted (halted by local: news)"),
        ([HALT, said(TradingResumed, 4)], "mode paper"),
    ],
)
def test_what_was_changed_or_halted_is_in_force_until_it_is_undone(
    events: list[ControlEvent], line: str
) -> None:
    assert after(*events).line == line


def test_the_summary_shows_the_mode_in_force_and_the_halt() -> None:
    assert after().figures == {"mode": "paper"}
    expected = {"mode": "logging_only", "halted": "halted by local: news"}
    assert after(HALT, LOGGING).figures == expected
