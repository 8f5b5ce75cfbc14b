"""Ingest of a recorded day as a process, with what `alphastocks replay` gives it: earlier days as
history, and options quoted by a seeded chain.

Ingest by itself plays the files alone: the chain is the simulator's, the folding the candle
service's, and services do not know each other.
"""

import asyncio

from libs.runtime.process import run_process
from libs.runtime.service import Parts, Service
from libs.runtime.settings import SettingsError
from services.ingest.pace import paced
from services.ingest.recorded import RecordingError
from services.ingest.service import make_service
from services.local.play.feeds import recorded_feed
from services.local.settings import LocalSettings


def make_ingest(settings: LocalSettings, parts: Parts) -> Service:
    """Return the service around the recorded day of [ingest], seeded as [simulator] says."""
    own = settings.ingest
    if own.folder is None or own.day is None:
        raise SettingsError("ingest.folder and ingest.day: needed to play a recorded day")
    segments, expiries = settings.candle.segments, settings.executor.expiries_needed
    seed = settings.simulator.seed
    try:
        feed = recorded_feed(own.folder, own.day, None, seed, segments, expiries)
    except RecordingError as error:
        raise SettingsError(f"ingest.folder: {error}") from None
    return make_service(feed, parts, paced(own.speed, asyncio.sleep))


if __name__ == "__main__":
    run_process("ingest", LocalSettings, make_ingest)
