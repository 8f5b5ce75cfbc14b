"""A local Kafka server: a Java process on one folder, reachable from this machine only.

See `libs.servers.child` for its start and end.
"""

import asyncio
import subprocess
from pathlib import Path
from typing import Self

from libs.events.kafka.address import KafkaAddress
from libs.private_files import write_private
from libs.servers.child import Child, Kind
from libs.servers.kafka.config import (
    LOG_CONFIG_FILE,
    LOG_FILE,
    STORAGE_FOLDER,
    Ports,
    Security,
    log_properties,
    server_properties,
)
from libs.servers.kafka.errors import KafkaFailed, KafkaFolderBusy
from libs.servers.kafka.jars import kafka_jars
from libs.servers.kafka.java import find_java
from libs.servers.kafka.probe import answers
from libs.servers.ports import HOST, free_ports

START_SECONDS = 60.0
STOP_SECONDS = 15.0
MAX_BYTES = 8 * 1024 * 1024
_CLUSTER = "alphastocksOnThisBox0g"  # 16 bytes in base64
_JAVA_OPTIONS = (
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Duser.timezone=UTC",
    f"-Dlog4j2.configurationFile={LOG_CONFIG_FILE}",
)


class LocalKafka:
    """`with LocalKafka(folder, jars) as server:` (or `async with`) runs Kafka on `folder`.

    Kafka's jars are fetched into `jars` once. Data stays in the folder, and an object keeps its
    ports, so that a stopped or killed server can be started again. `max_bytes` limits a record.
    Raises KafkaFolderBusy, KafkaMissing, or KafkaFailed, which names the log.
    """

    def __init__(
        self,
        folder: Path,
        jars: Path,
        security: Security | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._folder = folder.absolute()
        self._jars = jars
        self._security = security or Security()
        self._max_bytes = max_bytes
        kind = Kind("Kafka", KafkaFailed, KafkaFolderBusy, _first_reason, STOP_SECONDS)
        self._child = Child(kind, self._folder, self.log)
        self._ports = Ports(*free_ports(2))

    @property
    def bootstrap(self) -> str:
        """The server's host:port, also while it does not run."""
        return f"{HOST}:{self._ports.client}"

    @property
    def address(self) -> KafkaAddress:
        """The server's address for clients, with the password."""
        return KafkaAddress(
            self.bootstrap,
            self._security.kind,
            user=self._security.user,
            password=self._security.password,
            ca_file=self._ca_file,
            max_bytes=self._max_bytes,
        )

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._child.pid

    @property
    def log(self) -> Path:
        """The path of the server's log."""
        return self._folder / LOG_FILE

    def __enter__(self) -> Self:
        self.start()
        return self

    async def __aenter__(self) -> Self:
        await self.start_async()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)

    def start(self) -> None:
        """Start the server with the data of its last run; return when it answers."""
        with self._child.held():
            self._child.start(self._prepare())
            self._wait()

    async def start_async(self) -> None:
        """Do the same without blocking the loop."""
        with self._child.held():
            self._child.start(await asyncio.to_thread(self._prepare))
            await asyncio.to_thread(self._wait)

    def stop(self) -> None:
        """Terminate the server, kill it after the timeout, and unlock the folder."""
        self._child.stop()

    def kill(self) -> None:
        """Kill the server, and unlock the folder."""
        self._child.kill()

    @property
    def _ca_file(self) -> Path | None:
        certificate = self._security.certificate
        return certificate.ca_file if certificate else None

    def _prepare(self) -> list[str]:
        java = [str(find_java()), *_JAVA_OPTIONS, "-cp", f"{kafka_jars(self._jars)}/*"]
        properties = server_properties(self._ports, self._security, self._max_bytes)
        write_private(self._folder / "server.properties", properties)
        write_private(self._folder / LOG_CONFIG_FILE, log_properties())
        if not (self._folder / STORAGE_FOLDER / "meta.properties").exists():
            self._format(java)
        return [*java, "kafka.Kafka", "server.properties"]

    def _format(self, java: list[str]) -> None:
        words = ["kafka.tools.StorageTool", "format", f"--cluster-id={_CLUSTER}"]
        with self.log.open("ab") as log:
            done = subprocess.run(  # noqa: S603  no external input
                [*java, *words, "--config=server.properties"],
                cwd=self._folder,
                stdout=log,
                stderr=log,
                check=False,
            )
        if done.returncode:
            raise self._child.failure("Kafka's storage could not be formatted")

    def _wait(self) -> None:
        self._child.wait(lambda: answers(self._ports.client, self._ca_file), START_SECONDS)


def _first_reason(said: list[str]) -> str:
    reasons = [line for line in said if "Exception: " in line or "Error: " in line]
    return reasons[0] if reasons else said[-1]
