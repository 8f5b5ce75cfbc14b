"""The stories in an outcome's folder, or in the journal of an `up` that does not run."""

import csv
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from libs.events.bus import started_bus
from libs.events.candles import CandleBatch
from libs.events.codec import decode
from libs.events.embedded.bus import LocalBus
from libs.events.embedded.journal import Journal
from libs.events.errors import PoisonMessage
from libs.events.event import Event
from libs.events.story.finding import find
from libs.events.story.story import TOPICS, Story, candle_of, stories_of
from libs.runtime.error_line import system_reason
from libs.runtime.logs import logger_of
from libs.runtime.past import past_events
from libs.runtime.settings import SettingsError
from services.local.explain.asked import Asked
from services.local.play.outcome import FILES

JOURNAL = "journal"
_FIGURES = ("open", "high", "low", "close", "volume", "ticks", "revision")


def story_in_folder(folder: Path, asked: Asked) -> Story:
    """Return a story of the outcome in a folder; SettingsError if there is no such outcome."""
    events = list(_events_in(folder))
    if not events:
        raise SettingsError(
            f"--out: {folder} holds no outcome with a signal: name the folder that "
            "`alphastocks replay --out` or `demo --out` wrote"
        )
    story = find(stories_of(events).values(), asked.word, asked.day)
    story.candle = _candle_in(folder / "candles.csv", story)
    return story


async def story_in_journal(var: Path, asked: Asked) -> Story:
    """Return a story of the state folder of an `up` that does not run."""
    async with started_bus(LocalBus(journal=Journal(var / JOURNAL))) as bus:
        log = logger_of("explain")
        events = [event async for event in past_events(bus, TOPICS, log)]
        story = find(stories_of(events).values(), asked.word, asked.day)
        candles = past_events(bus, ["candles"], log)
        story.candle = candle_of(
            story, [one async for one in candles if isinstance(one, CandleBatch)]
        )
        return story


def _events_in(folder: Path) -> Iterator[Event]:
    if not folder.is_dir():
        raise SettingsError(f"--out: {folder}: no such folder")
    for topic, name in FILES.items():
        file = folder / name
        if file.exists():
            yield from _events_of(topic, file)


def _events_of(topic: str, file: Path) -> Iterator[Event]:
    try:
        lines = file.read_bytes().splitlines()
        yield from (decode(topic, line) for line in lines)
    except OSError as error:
        raise SettingsError(f"--out: {system_reason(error)}") from None
    except PoisonMessage as error:
        raise SettingsError(f"--out: {file} cannot be read: {error}") from None


def _candle_in(file: Path, story: Story) -> Mapping[str, Any] | None:
    signal = story.signal
    if signal is None or not file.exists():
        return None
    with file.open(newline="") as lines:
        for row in csv.DictReader(lines):
            is_its = (row["tradingsymbol"], row["interval"]) == (
                signal.tradingsymbol,
                signal.interval,
            )
            if is_its and datetime.fromisoformat(row["opened_at"]) == signal.candle_opened_at:
                return {name: float(row[name]) for name in _FIGURES}
    return None
