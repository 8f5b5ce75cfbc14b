"""Play a recorded day by itself: `python -m services.ingest --config FILE`."""

import asyncio

from libs.market.calendar import load_calendar
from libs.runtime.process import run_process
from libs.runtime.service import Parts, Service
from libs.runtime.settings import SettingsError
from services.ingest.pace import paced
from services.ingest.recorded import RecordingError
from services.ingest.recorded_feed import RecordedFeed, read_day
from services.ingest.service import make_service
from services.ingest.settings import IngestProcess


def make_recorded(settings: IngestProcess, parts: Parts) -> Service:
    """Return the service that plays the recorded day of the settings."""
    own = settings.ingest
    if own.folder is None or own.day is None:
        raise SettingsError("ingest.folder and ingest.day: needed to play a recorded day")
    try:
        recording = read_day(own.folder, own.day, None, load_calendar())
    except RecordingError as error:
        raise SettingsError(f"ingest.folder: {error}") from None
    return make_service(RecordedFeed(recording), parts, paced(own.speed, asyncio.sleep))


if __name__ == "__main__":
    run_process("ingest", IngestProcess, make_recorded)
