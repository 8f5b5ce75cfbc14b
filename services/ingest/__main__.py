"""The ingest service by itself: `python -m services.ingest --config FILE`."""

import asyncio
from datetime import date
from pathlib import Path

from libs.market.calendar import load_calendar
from libs.runtime.brokers.registry import BrokerSections
from libs.runtime.clock import ClockKind, WallClock
from libs.runtime.process import run_process
from libs.runtime.service import Parts, Service
from libs.runtime.spec import ServiceSpec
from services.ingest.days import NextDay, exchange_days, wall_days
from services.ingest.live_feed import LiveFeed, make_live_feed
from services.ingest.pace import paced, unpaced
from services.ingest.recorded_feed import RecordedFeed, chosen_feed, read_day
from services.ingest.recordings.place import Recordings
from services.ingest.service import make_service
from services.ingest.settings import IngestProcess


def make_ingest(settings: IngestProcess, parts: Parts) -> Service:
    """Return the service around the feed that the settings name."""
    own, kind = settings.ingest, settings.runtime.clock
    if own.source == "recorded":
        return make_service(chosen_feed(own, _read), parts, paced(own.speed, asyncio.sleep))
    sections = BrokerSections(kite=settings.kite)
    feed = make_live_feed(own.source, own, sections, kind, parts.metrics, parts.waiting)
    return make_service(feed, parts, unpaced, _days(feed, kind))


def _days(feed: LiveFeed, kind: ClockKind) -> NextDay:
    if kind == "wall":
        return wall_days(feed.hours, WallClock().now_ms, asyncio.sleep)
    return exchange_days(feed, asyncio.sleep)


def _read(folder: Path, day: date) -> RecordedFeed:
    return RecordedFeed(read_day(Recordings(folder), day, None, load_calendar()))


SPEC = ServiceSpec("ingest", IngestProcess, make_ingest)

if __name__ == "__main__":
    run_process(SPEC)
