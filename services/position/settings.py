"""Settings of the position service, section [position]."""

from typing import Annotated

from pydantic import Field

from libs.market.units import Milliseconds
from libs.runtime.process import ServiceProcess
from libs.runtime.settings import Section
from services.position.domain.exit_rules.settings import ExitSettings


class PositionSettings(Section):
    """When positions are exited, and how often they are marked."""

    exits: ExitSettings = Field(default_factory=ExitSettings, description="when a position exits")
    mark_every_ms: Annotated[int, Milliseconds(1000, 3_600_000)] = Field(
        60_000, description="time between two marks of a position"
    )


class PositionProcess(ServiceProcess):
    """What `python -m services.position` reads."""

    position: PositionSettings = PositionSettings()
