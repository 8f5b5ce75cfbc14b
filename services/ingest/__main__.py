"""Follow a feed by itself: `python -m services.ingest --config FILE`."""

import asyncio

from libs.market.calendar import load_calendar
from libs.runtime.brokers.registry import BrokerSections
from libs.runtime.clock import ClockKind, WallClock
from libs.runtime.process import run_process
from libs.runtime.service import Parts, Service
from libs.runtime.settings import SettingsError
from services.ingest.days import NextDay, exchange_days, wall_days
from services.ingest.live_feed import LiveFeed, make_live_feed
from services.ingest.pace import paced, unpaced
from services.ingest.recorded import RecordingError
from services.ingest.recorded_feed import RecordedFeed, read_day
from services.ingest.service import make_service
from services.ingest.settings import IngestProcess, IngestSettings


def make_ingest(settings: IngestProcess, parts: Parts) -> Service:
    """Return the service around the feed that the settings name."""
    own, kind = settings.ingest, settings.runtime.clock
    if own.source == "recorded":
        return make_service(_recorded(own), parts, paced(own.speed, asyncio.sleep))
    sections = BrokerSections(kite=settings.kite)
    feed = make_live_feed(own.source, own, sections, kind, parts.metrics)
    return make_service(feed, parts, unpaced, _days(feed, kind))


def _days(feed: LiveFeed, kind: ClockKind) -> NextDay:
    if kind == "wall":
        return wall_days(load_calendar(), WallClock().now_ms, asyncio.sleep)
    return exchange_days(feed, asyncio.sleep)


def _recorded(own: IngestSettings) -> RecordedFeed:
    if own.folder is None or own.day is None:
        raise SettingsError("ingest.folder and ingest.day: needed to play a recorded day")
    try:
        return RecordedFeed(read_day(own.folder, own.day, None, load_calendar()))
    except RecordingError as error:
        raise SettingsError(f"ingest.folder: {error}") from None


if __name__ == "__main__":
    run_process("ingest", IngestProcess, make_ingest)
