"""Settings of the position service, section [position]."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from libs.market.bounds import STRICT
from libs.market.units import Milliseconds
from libs.runtime.process import ServiceProcess
from libs.runtime.reading import ReadingSettings
from libs.runtime.settings import Section
from services.position.domain.exit_rules.settings import ExitSettings


@dataclass(frozen=True, slots=True, config=STRICT)
class PriceSettings:
    """The price that stops and targets see. A last trade older than `traded_within_ms` gives way
    to the bid; an update of a contract older than `updated_within_ms` is no price.
    """

    traded_within_ms: Annotated[int, Milliseconds(1000, 600_000)] = 10_000
    updated_within_ms: Annotated[int, Milliseconds(1000, 600_000)] = 60_000


def _is_open_to_all(reading: ReadingSettings) -> bool:
    """Whether the setting is left out of the settings' text, which names databases."""
    return reading == ReadingSettings()


class PositionSettings(Section):
    """When positions are exited, which prices they see, and how often they are marked."""

    exits: ExitSettings = Field(default_factory=ExitSettings, description="when a position exits")
    prices: PriceSettings = Field(
        default_factory=PriceSettings, description="which prices stops and targets see"
    )
    mark_every_ms: Annotated[int, Milliseconds(1000, 3_600_000)] = Field(
        60_000, description="time between two marks of a position"
    )
    reading: ReadingSettings = Field(
        ReadingSettings(),
        description="who may read positions",
        exclude_if=_is_open_to_all,
    )


class PositionProcess(ServiceProcess):
    """What `python -m services.position` reads."""

    position: PositionSettings = PositionSettings()
