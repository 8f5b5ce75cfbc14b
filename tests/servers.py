"""The servers that tests run on: the environment's, else Docker's, else some of our own.

Each pytest worker has its own, started when the first test asks for it.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from libs.events.kafka.address import KafkaAddress
from libs.events.kafka_server.errors import KafkaServerError
from libs.events.kafka_server.jars import JARS_VARIABLE, kafka_version
from libs.events.kafka_server.java import find_java
from libs.events.kafka_server.server import MAX_BYTES, LocalKafka
from libs.store.errors import ServerMissing
from libs.store.local_server import LocalServer, find_program
from libs.store.store import StoreAddress

KAFKA_VARIABLE = "ALPHASTOCKS_TEST_KAFKA"  # host:port
CLICKHOUSE_VARIABLE = "ALPHASTOCKS_TEST_CLICKHOUSE"  # clickhouse://user:password@host:port
CLICKHOUSE_IMAGE = "clickhouse/clickhouse-server:25.8"
JARS = Path("var/kafka/jars")


@dataclass(frozen=True, slots=True)
class TestKafka:
    """Where it is, and the server itself where it is ours to kill."""

    __test__ = False

    address: KafkaAddress
    server: LocalKafka | None = None


def described() -> list[str]:
    """Return which servers the tests use, or why there is none."""
    return [f"kafka: {_which_kafka()}", f"clickhouse: {_which_clickhouse()}"]


def _which_kafka() -> str:
    named = os.environ.get(KAFKA_VARIABLE)
    if named or _has_docker():
        return named or "a container of Docker's"
    return why_none() or f"a server of our own, {kafka_version()}"


def _which_clickhouse() -> str:
    url = os.environ.get(CLICKHOUSE_VARIABLE)
    if url or _has_docker():
        return _netloc(url) if url else "a container of Docker's"
    try:
        return f"a server of our own from {find_program()}"
    except ServerMissing as error:
        return str(error)


def why_none() -> str:
    """Return why no Kafka can be had on this machine, nothing if one can."""
    if os.environ.get(KAFKA_VARIABLE) or _has_docker():
        return ""
    try:
        find_java()
    except KafkaServerError as error:
        return str(error)
    has_jars = os.environ.get(JARS_VARIABLE) or (JARS / f"kafka-{kafka_version()}").is_dir()
    return "" if has_jars or shutil.which("mvn") else "no `mvn` on this machine to fetch Kafka with"


@contextmanager
def running_kafka(folder: Path) -> Iterator[TestKafka]:
    """Yield a Kafka for tests, started if need be."""
    named = os.environ.get(KAFKA_VARIABLE)
    if named:
        yield TestKafka(KafkaAddress(named))
    elif _has_docker():
        with _container() as bootstrap:
            yield TestKafka(KafkaAddress(bootstrap))
    else:
        with LocalKafka(folder, JARS) as server:
            yield TestKafka(server.address, server)


@contextmanager
def running_clickhouse(folder: Path) -> Iterator[StoreAddress]:
    """Yield where a ClickHouse for tests is, started if need be."""
    url = os.environ.get(CLICKHOUSE_VARIABLE)
    if url:
        yield _address(url)
    elif _has_docker():
        with _clickhouse_container() as address:
            yield address
    else:
        with LocalServer(folder) as server:
            yield server.address


@cache
def _has_docker() -> bool:
    """Return whether an engine answers; the client alone is no engine."""
    import docker

    if not os.environ.get("DOCKER_HOST") and not Path("/var/run/docker.sock").exists():
        return False
    try:
        client = docker.from_env(timeout=5)
    except docker.errors.DockerException:
        return False
    client.close()
    return True


@contextmanager
def _container() -> Iterator[str]:
    from testcontainers.community.kafka import KafkaContainer

    container = KafkaContainer().with_kraft()
    container.with_env("KAFKA_MESSAGE_MAX_BYTES", str(MAX_BYTES + 65_536))
    container.with_env("KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS", "1000")
    with container:
        yield container.get_bootstrap_server()


@contextmanager
def _clickhouse_container() -> Iterator[StoreAddress]:
    from testcontainers.community.clickhouse import ClickHouseContainer

    with ClickHouseContainer(CLICKHOUSE_IMAGE, dbname="default") as container:
        yield _address(container.get_connection_url())


def _netloc(url: str) -> str:
    return f"{urlsplit(url).hostname}:{urlsplit(url).port or 9000}"


def _address(url: str) -> StoreAddress:
    parts = urlsplit(url)
    return StoreAddress(
        parts.hostname or "127.0.0.1",
        parts.port or 9000,
        unquote(parts.username or "default"),
        unquote(parts.password or ""),
    )
