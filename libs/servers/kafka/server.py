"""A Kafka server of our own: a Java process on one folder, reachable from this machine only.

The folder is locked while either process lives. The child ends with its parent, whatever ends the
parent. Start it from the main thread: see `child`.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from libs.events.kafka.address import KafkaAddress
from libs.servers.kafka.config import (
    HOST,
    LOG_CONFIG_FILE,
    LOG_FILE,
    STORAGE_FOLDER,
    Security,
    log_properties,
    server_properties,
)
from libs.servers.kafka.errors import KafkaFailed, KafkaFolderBusy
from libs.servers.kafka.jars import kafka_jars
from libs.servers.kafka.java import find_java
from libs.servers.kafka.lock import FolderLock
from libs.servers.kafka.ports import free_ports
from libs.servers.kafka.probe import answers

START_SECONDS = 60.0
STOP_SECONDS = 15.0
MAX_BYTES = 8 * 1024 * 1024
_POLL_SECONDS = 0.05
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

    Kafka's jars are taken from `jars`, and fetched into it once. Data stays in the folder, and the
    ports stay the same for as long as this object is there, so that a server that was stopped or
    killed can be started again. A record may have `max_bytes`. Raises KafkaFolderBusy,
    KafkaMissing, or KafkaFailed naming the log.
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
        self._lock = FolderLock(self._folder)
        self._ports = free_ports()
        self._child: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def bootstrap(self) -> str:
        """Where the server listens, as host:port; the same before, between and after its runs."""
        return f"{HOST}:{self._ports.client}"

    @property
    def address(self) -> KafkaAddress:
        """The server as a client sees it, with the password that it asks for."""
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
        return self._running().pid

    @property
    def log(self) -> Path:
        """What the server says of itself."""
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
        """Return once the server answers; its data is that of the run before."""
        with self._held():
            self._spawn(self._prepare())
            self._wait()

    async def start_async(self) -> None:
        """Do the same while the loop goes on."""
        with self._held():
            self._spawn(await asyncio.to_thread(self._prepare))
            await asyncio.to_thread(self._wait)

    def stop(self) -> None:
        """End the server, by force if it does not end in time, and unlock the folder."""
        child, self._child = self._child, None
        if child is not None:
            child.terminate()
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._lock.release()

    def kill(self) -> None:
        """End the server at once, as a crash would, and unlock the folder."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
        self._lock.release()

    @property
    def _ca_file(self) -> Path | None:
        certificate = self._security.certificate
        return certificate.ca_file if certificate else None

    @contextmanager
    def _held(self) -> Iterator[None]:
        if self._child is not None and self._child.poll() is None:
            raise KafkaFolderBusy(f"the server on {self._folder} runs already")
        self.kill()  # what is left of one that ended by itself
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock.take()
        try:
            yield
        except BaseException:
            self.stop()
            raise

    def _prepare(self) -> list[str]:
        java = [str(find_java()), *_JAVA_OPTIONS, "-cp", f"{kafka_jars(self._jars)}/*"]
        properties = server_properties(self._ports, self._security, self._max_bytes)
        _write_private(self._folder / "server.properties", properties)
        _write_private(self._folder / LOG_CONFIG_FILE, log_properties())
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        if not (self._folder / STORAGE_FOLDER / "meta.properties").exists():
            self._format(java)
        return [*java, "kafka.Kafka", "server.properties"]

    def _format(self, java: list[str]) -> None:
        words = ["kafka.tools.StorageTool", "format", f"--cluster-id={_CLUSTER}"]
        with self.log.open("ab") as log:
            done = subprocess.run(  # noqa: S603  the words are ours
                [*java, *words, "--config=server.properties"],
                cwd=self._folder,
                stdout=log,
                stderr=log,
                check=False,
            )
        if done.returncode:
            raise KafkaFailed(f"Kafka's storage was not made: {self._last_words()}")

    def _spawn(self, command: list[str]) -> None:
        child = [sys.executable, "-m", "libs.servers.kafka.child", str(os.getpid())]
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(  # noqa: S603  the words are ours
                [*child, str(self._folder), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C ends us first, and we end the server
                pass_fds=(self._lock.descriptor,),
            )

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not answers(self._ports.client, self._ca_file):
            status = self._running().poll()
            if status is not None:
                raise KafkaFailed(f"Kafka ended with status {status}: {self._last_words()}")
            if time.monotonic() > deadline:
                raise KafkaFailed(f"no answer in {START_SECONDS:.0f} s: {self._last_words()}")
            time.sleep(_POLL_SECONDS)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            raise KafkaFailed(f"the server on {self._folder} is not running")
        return self._child

    def _last_words(self) -> str:
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode(errors="replace").splitlines()
        said = [line.strip() for line in lines if line.strip()] or ["nothing was written"]
        reasons = [line for line in said if "Exception: " in line or "Error: " in line]
        return f"{self.log}: {reasons[0] if reasons else said[-1]}"


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)
