"""Settings of the candle service, section [candle]."""

from typing import Annotated

from pydantic import Field

from libs.market.names import SEGMENTS, OneOf
from libs.runtime.process import ServiceProcess
from libs.runtime.settings import Section
from services.candle.domain.session_candles import CandleRules


class CandleSettings(Section):
    """When candles close, and of which instruments."""

    rules: CandleRules = Field(default_factory=CandleRules, description="grace and revisions")
    segments: tuple[Annotated[str, OneOf(lambda: SEGMENTS)], ...] = Field(
        ("INDICES", "NSE", "BSE", "NFO-FUT", "BFO-FUT", "MCX-FUT"),
        description="Kite's segments that make candles",
    )


class CandleProcess(ServiceProcess):
    """What `python -m services.candle` reads."""

    candle: CandleSettings = CandleSettings()
