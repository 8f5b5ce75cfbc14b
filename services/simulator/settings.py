"""Settings of the simulated exchange, section [simulator]."""

from datetime import date, time
from decimal import Decimal
from pathlib import Path

from pydantic import Field, SecretStr

from libs.runtime.settings import ProcessSettings, RuntimeSettings, Section


class SimulatorSettings(Section):
    """Which market is played, at what pace, for whom, and where."""

    host: str = Field("127.0.0.1", description="address of the exchange")
    port: int = Field(8200, ge=0, le=65535, description="its port; 0: any that is free")
    seed: int = Field(7, description="seed of the market")
    day: date = Field(date(2026, 6, 17), description="trading day that is played")
    goes_on: bool = Field(False, description="play the next trading day after each one")
    start: time | None = Field(None, description="time in India to begin at; none: the open")
    speed: float = Field(1.0, gt=0, le=10_000, description="times as fast as the market")
    option_seconds: int = Field(5, ge=1, description="seconds between packets of an option")
    api_key: str = Field("simulator", min_length=1, description="key of the app")
    api_secret: SecretStr = Field(
        SecretStr("simulator-secret"), description="its secret; the default is public"
    )
    access_token: SecretStr = Field(
        SecretStr(""), description="a token that never expires, beside those of logins; empty: none"
    )
    user_id: str = Field("SIM001", min_length=1, description="user of the account")
    redirect_url: str = Field("", description="address after a login; empty: show the token")
    funds: Decimal = Field(Decimal(1_000_000), ge=0, description="rupees at the beginning")
    latency_ms: int = Field(500, ge=0, description="from an order to the exchange's book")
    limits: bool = Field(True, description="apply Kite's limits; false is for measurements")
    heartbeat_seconds: float = Field(1.0, gt=0, description="of a websocket without ticks")
    request_token_seconds: int = Field(300, ge=1, description="life of a request token")
    unsent_messages: int = Field(
        100, ge=1, description="messages that may wait for a slow reader before ticks are dropped"
    )
    faults: Path | None = Field(None, description="TOML file of faults")
    state: Path | None = Field(None, description="file that keeps the account over restarts")


class SimulatorProcess(ProcessSettings):
    """What `python -m services.simulator` reads."""

    runtime: RuntimeSettings = RuntimeSettings()
    simulator: SimulatorSettings = SimulatorSettings()
