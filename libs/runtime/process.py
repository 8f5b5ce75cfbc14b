"""Runs one service as a process: `python -m services.<name>`."""

import argparse
import asyncio
from pathlib import Path
from socket import gethostname
from typing import NoReturn, TypeVar

from libs.events.bus import Bus
from libs.events.embedded.bus import LocalBus
from libs.events.kafka.address import KafkaAddress
from libs.events.kafka.bus import KafkaBus
from libs.events.topics import MARKET_TOPICS
from libs.private_files import keep_private
from libs.runtime.clock import make_clock
from libs.runtime.error_line import errors_as_one_line
from libs.runtime.logs import configure_logs, logger_of
from libs.runtime.metrics import Metrics
from libs.runtime.runner import Surroundings, run_alone
from libs.runtime.service import Parts
from libs.runtime.settings import (
    BusSettings,
    ProcessSettings,
    RuntimeSettings,
    SettingsError,
    StoreSettings,
    load_settings,
)
from libs.runtime.spec import ServiceSpec
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
        compression=settings.compression,
    )


def make_bus(settings: BusSettings, fence: str | None = None) -> Bus:
    """Return the bus of the settings; with `fence` only one process of the service may run."""
    if settings.kind == "kafka":
        return KafkaBus(kafka_address(settings), fence)
    return LocalBus(partitions=dict.fromkeys(MARKET_TOPICS, settings.market_partitions))


def member_of(settings: BusSettings) -> str:
    """Return this process's own name among those of its service, "" where it is alone."""
    return (settings.instance or gethostname()) if settings.kind == "kafka" else ""


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


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are SettingsError, which becomes one line."""

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong with the words of the command line."""
        raise SettingsError(f"{message}; see `{self.prog} --help`")


def run_process(spec: ServiceSpec[P]) -> None:
    """Read the settings and run the service until SIGTERM.

    Exit status 2: the user has to fix something; 1: the service failed. A fenced service shuts out
    any other process of its kind.
    """
    parser = OneLineParser(prog=f"python -m services.{spec.name}")
    parser.add_argument("--config", type=Path, help="settings file, config/alphastocks.toml say")
    keep_private()
    with errors_as_one_line(spec.name):
        arguments = parser.parse_args()
        settings = load_settings(spec.settings, arguments.config)
        asyncio.run(_run(spec, settings))


async def _run(spec: ServiceSpec[P], settings: P) -> None:
    runtime, metrics = settings.runtime, Metrics(spec.name)
    configure_logs(runtime.log_level, runtime.log_format)
    store = ClickHouseStore(store_address(settings.store)) if settings.store.host else None
    bus, clock = make_bus(settings.bus, spec.fence), make_clock(runtime.clock, runtime.pace)
    policy, connect_seconds = checkpoint_policy(runtime), settings.bus.connect_seconds
    around = Surroundings(bus, clock, policy, connect_seconds=connect_seconds)
    if settings.bus.kind == "local":
        only_one = "the local bus connects the services of one process only"
        logger_of(spec.name).warning(only_one, bus="local")
    try:
        parts = Parts(bus, clock, metrics, store, member=member_of(settings.bus))
        service = spec.make(settings, parts)
        await run_alone(service, metrics, around, runtime.host, runtime.port, runtime.hosts)
    finally:
        if store is not None:
            await store.close()
