"""Runs one service as a process: `python -m services.<name>`."""

import argparse
import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from libs.events.bus import Bus
from libs.events.embedded.bus import LocalBus
from libs.events.kafka.address import KafkaAddress
from libs.events.kafka.bus import KafkaBus
from libs.runtime.clock import make_clock
from libs.runtime.error_line import errors_as_one_line
from libs.runtime.logs import configure_logs, logger_of
from libs.runtime.metrics import Metrics
from libs.runtime.runner import Surroundings, run_alone
from libs.runtime.service import Parts, Service
from libs.runtime.settings import (
    BusSettings,
    ProcessSettings,
    RuntimeSettings,
    StoreSettings,
    load_settings,
)
from libs.runtime.subscription import CheckpointPolicy
from libs.store.clickhouse import ClickHouseStore
from libs.store.store import StoreAddress


class ServiceProcess(ProcessSettings):
    """The sections that every service process reads; each service adds its own."""

    runtime: RuntimeSettings = RuntimeSettings()
    bus: BusSettings = BusSettings()
    store: StoreSettings = StoreSettings()


P = TypeVar("P", bound=ServiceProcess)


def kafka_address(settings: BusSettings) -> KafkaAddress:
    """Return the cluster in the settings."""
    return KafkaAddress(
        bootstrap=settings.bootstrap,
        security_protocol=settings.security_protocol,
        sasl_mechanism=settings.sasl_mechanism,
        user=settings.user,
        password=settings.password.get_secret_value(),
        ca_file=settings.ca_file,
        prefix=settings.prefix,
        instance=settings.instance,
        session_timeout_ms=settings.session_timeout_ms,
        max_bytes=settings.max_bytes,
    )


def make_bus(settings: BusSettings, fence: str | None = None) -> Bus:
    """Return the bus of the settings; with `fence` only one process of the service may run."""
    if settings.kind == "kafka":
        return KafkaBus(kafka_address(settings), fence)
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


def run_process(
    name: str,
    model: type[P],
    make_service: Callable[[P, Parts], Service],
    *,
    is_single: bool = False,
) -> None:
    """Read the settings and run the service until SIGTERM.

    Exit status 2: the user has to fix something; 1: the service failed. `is_single` fences off
    any other process of the same service.
    """
    parser = argparse.ArgumentParser(prog=f"python -m services.{name}")
    parser.add_argument("--config", type=Path, help="settings file, config/alphastocks.toml say")
    arguments = parser.parse_args()
    with errors_as_one_line(name):
        settings = load_settings(model, arguments.config)
        asyncio.run(_run(name, settings, make_service, name if is_single else None))


async def _run(
    name: str, settings: P, make_service: Callable[[P, Parts], Service], fence: str | None
) -> None:
    runtime = settings.runtime
    configure_logs(runtime.log_level, runtime.log_format)
    store = ClickHouseStore(store_address(settings.store)) if settings.store.host else None
    bus, clock, metrics = make_bus(settings.bus, fence), make_clock(runtime.clock), Metrics(name)
    policy, seconds = checkpoint_policy(runtime), settings.bus.connect_seconds
    around = Surroundings(bus, clock, policy, connect_seconds=seconds)
    if settings.bus.kind == "local":
        logger_of(name).warning(
            "the local bus connects the services of one process only", bus="local"
        )
    try:
        service = make_service(settings, Parts(bus, clock, metrics, store))
        await run_alone(service, metrics, around, runtime.host, runtime.port)
    finally:
        if store is not None:
            await store.close()
