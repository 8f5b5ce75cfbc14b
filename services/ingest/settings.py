"""Settings of ingest, section [ingest]."""

from datetime import date
from pathlib import Path

from pydantic import Field

from libs.runtime.process import ServiceProcess
from libs.runtime.settings import Section


class IngestSettings(Section):
    """Which recorded day a process of its own plays, and at what pace."""

    folder: Path | None = Field(None, description="recorded ticks, <date>/<SYMBOL>.csv.gz")
    day: date | None = Field(None, description="the recorded day that is played")
    speed: float = Field(1.0, gt=0, description="times as fast as the recording")


class IngestProcess(ServiceProcess):
    """What `python -m services.ingest` reads."""

    ingest: IngestSettings = IngestSettings()
