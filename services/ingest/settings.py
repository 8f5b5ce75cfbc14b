"""Settings of ingest, section [ingest]."""

from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import Field

from libs.market.names import OneOf
from libs.market.units import Count, Times
from libs.runtime.brokers.registry import CONNECTORS
from libs.runtime.process import ServiceProcess
from libs.runtime.settings import KiteSettings, Section
from services.ingest.domain.history import HistoryRules
from services.ingest.domain.universe_rules import UniverseRules


class IngestSettings(Section):
    """Where ticks come from, and which instruments."""

    source: Annotated[str, OneOf(lambda: ("recorded", *CONNECTORS))] = Field(
        "recorded", description="recorded files, or the broker: kite"
    )
    folder: Path | None = Field(None, description="recorded ticks, <date>/<SYMBOL>.csv.gz")
    day: date | None = Field(None, description="the recorded day that is played")
    speed: Annotated[float, Times(0, 1_000_000_000, above=True)] = Field(
        1.0, description="speed relative to the recording"
    )
    universe: UniverseRules = Field(
        default_factory=UniverseRules, description="instruments followed at kite"
    )
    connections: Annotated[int, Count(1, 3, of="connections")] = Field(
        2,
        description="websockets that ticks may come over at kite, which allows three in all: "
        "an executor that sends orders to the account has one of them",
    )
    instruments_a_connection: Annotated[int, Count(1, 3000, of="instruments")] = Field(
        3000, description="instruments of one of them"
    )
    history: HistoryRules = Field(
        default_factory=HistoryRules, description="history fetched from kite before the open"
    )


class IngestProcess(ServiceProcess):
    """What `python -m services.ingest` reads."""

    ingest: IngestSettings = IngestSettings()
    kite: KiteSettings = KiteSettings()
