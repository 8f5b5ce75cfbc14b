"""One service as a process of its own: what every `python -m services.<name>` does."""

import argparse
import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from libs.broker.errors import BrokerError
from libs.events.local import LocalBus
from libs.runtime.clock import make_clock
from libs.runtime.consumer import CheckpointPolicy
from libs.runtime.logs import configure_logs, logger_of
from libs.runtime.metrics import Metrics
from libs.runtime.runner import Surroundings, run_alone
from libs.runtime.service import Parts, Service
from libs.runtime.settings import (
    BusSettings,
    ProcessSettings,
    RuntimeSettings,
    SettingsError,
    StoreSettings,
    load_settings,
)
from libs.store.clickhouse import ClickHouseStore
from libs.store.store import StoreAddress


class ServiceProcess(ProcessSettings):
    """The sections that every service process reads; each service adds its own."""

    runtime: RuntimeSettings = RuntimeSettings()
    bus: BusSettings = BusSettings()
    store: StoreSettings = StoreSettings()


P = TypeVar("P", bound=ServiceProcess)


def make_bus(settings: BusSettings) -> LocalBus:
    """Return the bus that the settings name."""
    count = settings.market_partitions
    topics = ("ticks", "candles", "historical_candles")
    return LocalBus(partitions=dict.fromkeys(topics, count))


def store_address(settings: StoreSettings) -> StoreAddress:
    """Return the address in the settings."""
    return StoreAddress(
        host=settings.host,
        port=settings.port,
        user=settings.user,
        password=settings.password.get_secret_value(),
        database=settings.database or "default",
    )


def checkpoint_policy(settings: RuntimeSettings) -> CheckpointPolicy:
    """Return how often groups commit."""
    return CheckpointPolicy(
        records=settings.checkpoint_records,
        milliseconds=settings.checkpoint_ms,
        dead_letter_limit=settings.dead_letter_limit,
    )


def run_process(name: str, model: type[P], make_service: Callable[[P, Parts], Service]) -> None:
    """Read the settings and run the service until SIGTERM; exit status 2 for unusable settings."""
    parser = argparse.ArgumentParser(prog=f"python -m services.{name}")
    parser.add_argument("--config", type=Path, help="settings file, config/alphastocks.toml say")
    arguments = parser.parse_args()
    try:
        settings = load_settings(model, arguments.config)
        asyncio.run(_run(name, settings, make_service))
    except (SettingsError, BrokerError) as error:
        sys.stderr.write(f"{' '.join(str(error).split())}\n")
        sys.exit(2)


async def _run(name: str, settings: P, make_service: Callable[[P, Parts], Service]) -> None:
    runtime = settings.runtime
    configure_logs(runtime.log_level, runtime.log_format)
    store = ClickHouseStore(store_address(settings.store)) if settings.store.host else None
    bus, clock, metrics = make_bus(settings.bus), make_clock(runtime.clock), Metrics(name)
    around = Surroundings(bus, clock, checkpoint_policy(runtime))
    logger_of(name).warning("the local bus joins the services of one process only", bus="local")
    try:
        service = make_service(settings, Parts(bus, clock, metrics, store))
        await run_alone(service, metrics, around, runtime.host, runtime.port)
    finally:
        if store is not None:
            await store.close()
