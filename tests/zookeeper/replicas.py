"""Two ClickHouse servers that keep each other's tables, and the ZooKeeper between them."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from libs.servers.clickhouse.server import LocalServer, find_program
from libs.servers.kafka.errors import KafkaMissing
from libs.servers.kafka.java import find_java
from libs.servers.ports import HOST
from libs.store.errors import ServerMissing
from libs.store.store import StoreAddress
from tests.integration.processes import free_ports

CLUSTER = "alphastocks"
JARS = Path("var/zookeeper/jars")
POM = Path(__file__).with_name("pom.xml")
START_SECONDS, FETCH_SECONDS = 30.0, 300.0
_CONFIG = """<clickhouse>
  <tcp_port>{tcp_port}</tcp_port>
  <interserver_http_host>{host}</interserver_http_host>
  <interserver_http_port>{interserver_port}</interserver_http_port>
  <zookeeper><node><host>{host}</host><port>{zookeeper_port}</port></node></zookeeper>
  <macros><shard>0</shard><replica>{name}</replica></macros>
  <distributed_ddl><path>/clickhouse/task_queue/ddl</path></distributed_ddl>
  <remote_servers><{cluster}><shard>{replicas}</shard></{cluster}></remote_servers>
</clickhouse>
"""


class Replica(LocalServer):
    """A server on a port that its siblings know."""

    def __init__(
        self, folder: Path, number: int, tcp_ports: list[int], zookeeper_port: int
    ) -> None:
        super().__init__(folder, memory_bytes=1_000_000_000)
        self._tcp_port = tcp_ports[number]
        replicas = (f"<replica><host>{HOST}</host><port>{p}</port></replica>" for p in tcp_ports)
        self._cluster = _CONFIG.format(
            host=HOST,
            tcp_port=self._tcp_port,
            interserver_port=max(tcp_ports) + 1 + number,
            zookeeper_port=zookeeper_port,
            name=f"r{number}",
            cluster=CLUSTER,
            replicas="".join(replicas),
        )

    def _configure(self) -> Path:
        config = super()._configure()
        (config.parent / "config.d").mkdir(exist_ok=True)
        (config.parent / "config.d" / "cluster.xml").write_text(self._cluster)
        self._address = replace(self._address, port=self._tcp_port)
        return config


def why_not() -> str:
    """Return why there can be no cluster on this machine, nothing if there can."""
    try:
        find_java()
        find_program()
    except (KafkaMissing, ServerMissing) as error:
        return str(error)
    if not JARS.is_dir() and shutil.which("mvn") is None:
        return "no `mvn` on this machine to fetch ZooKeeper with"
    return ""


@contextmanager
def two_replicas(folder: Path) -> Iterator[list[StoreAddress]]:
    """Yield where the replicas are; skip where there can be none."""
    reason = why_not()
    if reason:
        pytest.skip(f"no replicas: {reason}")
    first = free_ports(5)
    with _zookeeper(folder, first):
        ports = [first + 1, first + 2]
        one = Replica(folder / "r0", 0, ports, first)
        other = Replica(folder / "r1", 1, ports, first)
        with one, other:
            yield [one.address, other.address]


@contextmanager
def _zookeeper(folder: Path, port: int) -> Iterator[None]:
    _fetch()
    data, log = folder / "zookeeper", folder / "zookeeper.log"
    main = "org.apache.zookeeper.server.ZooKeeperServerMain"
    options = ("-Xmx128m", "-Dzookeeper.admin.enableServer=false")
    command = (
        str(find_java()),
        *options,
        "-cp",
        f"{JARS.absolute()}/*",
        main,
        str(port),
        str(data),
    )
    with log.open("wb") as said:
        child = subprocess.Popen(command, stdout=said, stderr=said, cwd=folder)
    try:
        _until_it_answers(child, port, log)
        yield
    finally:
        child.terminate()
        child.wait(10)


def _until_it_answers(child: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        assert child.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            with socket.create_connection((HOST, port), 1) as asked:
                asked.send(b"srvr")
                if asked.recv(64):
                    return
        except OSError:
            time.sleep(0.1)


def _fetch() -> None:
    if JARS.is_dir():
        return
    part = JARS.with_name("jars.part")
    shutil.rmtree(part, ignore_errors=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    goal = ("dependency:copy-dependencies", f"-DoutputDirectory={part.absolute()}")
    command = ("mvn", "-q", "-B", "-C", "-f", str(POM), *goal)
    subprocess.run(command, check=True, timeout=FETCH_SECONDS, capture_output=True)
    part.rename(JARS)
