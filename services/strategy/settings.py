"""Settings of the strategy service, section [strategy]."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from libs.market.units import Count, Seconds
from libs.runtime.process import ServiceProcess
from libs.runtime.settings import Section


class StrategyChoice(Section):
    """A strategy by its name, and its parameters."""

    name: str = Field(description="ma_crossover, or one of an installed package")
    parameters: dict[str, Any] = Field(default_factory=dict, description="its parameters")


class StrategySettings(Section):
    """Which strategies run, and how much history they see."""

    strategies: tuple[StrategyChoice, ...] = Field(
        (StrategyChoice(name="ma_crossover"),), description="strategies, each on all instruments"
    )
    periods: Annotated[int, Count(50, 100_000, of="candles")] = Field(
        1000, description="candles of history per instrument at most"
    )
    history_wait_seconds: Annotated[float, Seconds(0, 3600)] = Field(
        30.0, description="how long to wait at the start until the backfill is stored"
    )
    missing_candles: Annotated[int, Count(0, 1000, of="candles")] = Field(
        0,
        description="how many candles of an instrument may be missing within the sessions before "
        "a strategy begins without history",
    )
    time_limit_seconds: Annotated[float, Seconds("0.1", 60)] = Field(
        2.0,
        description="how long a strategy may take for one candle before it is stopped; a replay "
        "fails instead",
    )
    folder: Path | None = Field(
        None,
        description="a folder of strategies, one or more to a file, beside installed ones; "
        "none: strategies in the current folder, where it exists",
    )


class StrategyProcess(ServiceProcess):
    """What `python -m services.strategy` reads."""

    strategy: StrategySettings = StrategySettings()
