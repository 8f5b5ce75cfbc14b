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
from typing import Any
from urllib.parse import unquote, urlsplit

from libs.events.kafka.address import KafkaAddress
from libs.servers.clickhouse.server import LocalServer, find_program
from libs.servers.kafka.errors import KafkaServerError
from libs.servers.kafka.jars import JARS_VARIABLE, kafka_version
from libs.servers.kafka.java import find_java
from libs.servers.kafka.server import MAX_BYTES, LocalKafka
from libs.servers.ports import HOST, free_ports
from libs.store.errors import ServerMissing
from libs.store.store import StoreAddress

KAFKA_VARIABLE = "ALPHASTOCKS_TEST_KAFKA"  # host:port
CLICKHOUSE_VARIABLE = "ALPHASTOCKS_TEST_CLICKHOUSE"  # clickhouse://user:password@host:port
CLICKHOUSE_IMAGE, KAFKA_IMAGE = "clickhouse/clickhouse-server:25.8", "apache/kafka:4.1.0"
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
    if named or _docker_has(KAFKA_IMAGE):
        return named or f"a container of {KAFKA_IMAGE}"
    return why_none() or f"a server of our own, {kafka_version()}"


def _which_clickhouse() -> str:
    url = os.environ.get(CLICKHOUSE_VARIABLE)
    if url or _docker_has(CLICKHOUSE_IMAGE):
        return _netloc(url) if url else f"a container of {CLICKHOUSE_IMAGE}"
    try:
        return f"a server of our own from {find_program()}"
    except ServerMissing as error:
        return str(error)


def why_none() -> str:
    """Return why no Kafka can be had on this machine, nothing if one can."""
    if os.environ.get(KAFKA_VARIABLE) or _docker_has(KAFKA_IMAGE):
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
    elif _docker_has(KAFKA_IMAGE):
        with _kafka_container() as bootstrap:
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
    elif _docker_has(CLICKHOUSE_IMAGE):
        with _clickhouse_container() as address:
            yield address
    else:
        with LocalServer(folder) as server:
            yield server.address


@cache
def _docker_has(image: str) -> bool:
    """Return whether an engine answers that has an image or can fetch it; a client is no engine."""
    import docker

    if not os.environ.get("DOCKER_HOST") and not Path("/var/run/docker.sock").exists():
        return False
    try:
        client = docker.from_env(timeout=60)
    except docker.errors.DockerException:
        return False
    try:
        client.images.get(image)
    except docker.errors.ImageNotFound:
        return _is_pulled(client, image)
    except docker.errors.DockerException:
        return False
    finally:
        client.close()
    return True


def _is_pulled(client: Any, image: str) -> bool:
    import docker

    try:
        client.images.pull(image)
    except docker.errors.DockerException:
        return False
    return True


@contextmanager
def _kafka_container() -> Iterator[str]:
    """Run a broker that is known by the port of this machine, as its clients see it."""
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy

    (port,) = free_ports(1)
    here: Any = (HOST, port)
    container = DockerContainer(KAFKA_IMAGE).with_bind_ports(port, here)
    for name, value in _kafka_environment(port).items():
        container.with_env(name, value)
    container.waiting_for(LogMessageWaitStrategy("Kafka Server started"))
    with container:
        yield f"{HOST}:{port}"


def _kafka_environment(port: int) -> dict[str, str]:
    return {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENERS": f"PLAINTEXT://:{port},CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{HOST}:{port}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
        "KAFKA_MESSAGE_MAX_BYTES": str(MAX_BYTES + 65_536),
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    }


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
