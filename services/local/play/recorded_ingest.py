"""Ingest of a recorded day as a process, as in `alphastocks replay`: with earlier days as history
and options quoted by a seeded chain.

`services.ingest` plays the files alone, because it must not import the simulator (the chain) or the
candle service (the history).
"""

import asyncio
from datetime import date
from pathlib import Path

from libs.runtime.process import run_process
from libs.runtime.service import Parts, Service
from libs.runtime.spec import ServiceSpec
from services.ingest.pace import paced
from services.ingest.recorded_feed import RecordedFeed, chosen_feed
from services.ingest.recordings.place import Recordings
from services.ingest.service import make_service
from services.local.play.feeds import recorded_feed
from services.local.settings import LocalSettings


def make_ingest(settings: LocalSettings, parts: Parts) -> Service:
    """Return the service for the recorded day of [ingest], with the seed of [simulator]."""
    own, seed = settings.ingest, settings.simulator.seed
    segments, expiries = settings.candle.segments, settings.executor.expiries_needed

    def read(folder: Path, day: date) -> RecordedFeed:
        return recorded_feed(Recordings(folder), day, None, seed, segments, expiries)

    return make_service(chosen_feed(own, read), parts, paced(own.speed, asyncio.sleep))


SPEC = ServiceSpec("ingest", LocalSettings, make_ingest)

if __name__ == "__main__":
    run_process(SPEC)
