"""Settings of the simulated exchange, section [simulator]."""

from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr

from libs.market.time_of_day import TimeOfDay
from libs.market.units import Count, Milliseconds, Number, Rupees, Seconds, Times
from libs.runtime.settings import ProcessSettings, RuntimeSettings, Section


class SimulatorSettings(Section):
    """Which market is played, at what pace, for whom, and where."""

    host: str = Field("127.0.0.1", description="address of the exchange")
    port: Annotated[int, Number(0, 65_535)] = Field(
        8200, description="its port; 0: any that is free"
    )
    seed: Annotated[int, Number(0, 2**63 - 1)] = Field(7, description="seed of the market")
    day: date = Field(date(2026, 6, 17), description="trading day that is played")
    sensex: bool = Field(False, description="list BSE's SENSEX with its options of BFO, too")
    goes_on: bool = Field(False, description="play the next trading day after each one")
    start: Annotated[time, TimeOfDay("NSE")] | None = Field(
        None, description="time in India to begin at; none: the open"
    )
    speed: Annotated[float, Times(0, 10_000, above=True)] = Field(
        1.0, description="times as fast as the market"
    )
    option_seconds: Annotated[int, Seconds(1, 3600)] = Field(
        5, description="seconds between packets of an option"
    )
    api_key: str = Field("simulator", min_length=1, description="key of the app")
    api_secret: SecretStr = Field(
        SecretStr("simulator-secret"), description="its secret; the default is public"
    )
    access_token: SecretStr = Field(
        SecretStr(""), description="a token that never expires, beside those of logins; empty: none"
    )
    user_id: str = Field("SIM001", min_length=1, description="user of the account")
    redirect_url: str = Field("", description="address after a login; empty: show the token")
    funds: Annotated[Decimal, Rupees(0, 10**12)] = Field(
        Decimal(1_000_000), description="rupees at the beginning"
    )
    latency_ms: Annotated[int, Milliseconds(0, 60_000)] = Field(
        500, description="from an order to the exchange's book"
    )
    limits: bool = Field(True, description="apply Kite's limits; false is for measurements")
    heartbeat_seconds: Annotated[float, Seconds(0, 60, above=True)] = Field(
        1.0, description="between heartbeats of a websocket"
    )
    request_token_seconds: Annotated[int, Seconds(1, 86_400)] = Field(
        300, description="life of a request token"
    )
    unsent_messages: Annotated[int, Count(1, 100_000, of="messages")] = Field(
        100, description="messages that may wait for a slow reader before ticks are dropped"
    )
    faults: Path | None = Field(None, description="TOML file of faults")
    state: Path | None = Field(None, description="file that keeps the account over restarts")


class SimulatorProcess(ProcessSettings):
    """What `python -m services.simulator` reads."""

    runtime: RuntimeSettings = RuntimeSettings()
    simulator: SimulatorSettings = SimulatorSettings()
