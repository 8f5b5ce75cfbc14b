"""A ClickHouse server of our own: a child process on one folder, reachable from this machine only.

A `clickhouse` binary on the PATH is used where there is one; else the `chdb` wheel, whose library
holds the whole server. The folder is locked while either process lives. The child ends with its
parent, whatever ends the parent: on Linux the kernel sees to it. The kernel takes the thread that
started the child for the parent, so start it from the main thread.
"""

import asyncio
import ctypes
import fcntl
import hashlib
import http.client
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from xml.sax.saxutils import escape

from libs.store.errors import ServerFailed, ServerMissing, StoreFolderBusy
from libs.store.store import StoreAddress

HOST = "127.0.0.1"
USER = "alphastocks"
START_SECONDS = 30.0
STOP_SECONDS = 10.0
_POLL_SECONDS = 0.05
_PR_SET_PDEATHSIG = 1
_ENTRY = "_Z25mainEntryClickHouseServeriPPc"

_CONFIG = """<clickhouse>
  <logger><level>warning</level><log>{folder}/server.log</log><size>10M</size><count>2</count></logger>
  <listen_host>{host}</listen_host>
  <tcp_port>{tcp_port}</tcp_port>
  <http_port>{http_port}</http_port>
  <path>{folder}/data/</path>
  <tmp_path>{folder}/tmp/</tmp_path>
  <user_files_path>{folder}/user_files/</user_files_path>
  <timezone>UTC</timezone>
  <default_profile>default</default_profile>
  <user_directories><users_xml><path>{folder}/users.xml</path></users_xml></user_directories>
  <max_server_memory_usage>{memory_bytes}</max_server_memory_usage>
  <mark_cache_size>67108864</mark_cache_size>
  <shutdown_wait_unfinished>1</shutdown_wait_unfinished>
</clickhouse>
"""

_USERS = """<clickhouse>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <users><{user}>
    <password_sha256_hex>{digest}</password_sha256_hex>
    <networks><ip>{host}</ip></networks>
    <profile>default</profile>
    <quota>default</quota>
  </{user}></users>
</clickhouse>
"""


def render_config(folder: Path, tcp_port: int, http_port: int, memory_bytes: int) -> str:
    """Return config.xml: no listener beyond this machine, no log tables that pile up."""
    return _CONFIG.format(
        folder=escape(str(folder)),
        host=HOST,
        tcp_port=tcp_port,
        http_port=http_port,
        memory_bytes=memory_bytes,
    )


def render_users(password: str) -> str:
    """Return users.xml with one user; it holds the password's digest only."""
    digest = hashlib.sha256(password.encode()).hexdigest()
    return _USERS.format(user=USER, digest=digest, host=HOST)


def find_program() -> Path:
    """Return the binary on the PATH or the wheel's library; raise ServerMissing without both."""
    binary = shutil.which("clickhouse")
    if binary:
        return Path(binary)
    spec = importlib.util.find_spec("chdb")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        library = Path(place) / "_chdb.abi3.so"
        if library.exists():
            return library
    raise ServerMissing("no ClickHouse on this machine: run `make setup`, which installs its wheel")


class FolderLock:
    """At most one process on a folder; a child that inherits `descriptor` holds it too."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.descriptor = -1

    def take(self) -> None:
        """Lock the folder, or raise StoreFolderBusy naming the folder and the process."""
        path = self._folder / "lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            holder = path.read_text().strip() or "unknown"
            raise StoreFolderBusy(
                f"{self._folder} is in use by process {holder}: end it, or use another folder"
            ) from None
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self.descriptor = descriptor

    def release(self) -> None:
        """Unlock the folder; does nothing when it is not locked."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class LocalServer:
    """`with LocalServer(folder) as server:` (or `async with`) runs ClickHouse on `folder`.

    The data stays in the folder; the password is made anew at each start and is nowhere on disk.
    Raises StoreFolderBusy, ServerMissing, or ServerFailed naming the log.
    """

    def __init__(self, folder: Path, memory_bytes: int = 2_000_000_000) -> None:
        self._folder = folder.absolute()
        self._memory_bytes = memory_bytes
        self._lock = FolderLock(self._folder)
        self._child: subprocess.Popen[bytes] | None = None
        self._address = StoreAddress()
        self._http_port = 0

    @property
    def address(self) -> StoreAddress:
        """Where the running server is, with its password; the database is `default`."""
        self._running()
        return self._address

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._running().pid

    @property
    def log(self) -> Path:
        """What the server says of itself."""
        return self._folder / "server.log"

    def __enter__(self) -> Self:
        with self._launched():
            self._wait()
        return self

    async def __aenter__(self) -> Self:
        with self._launched():
            await asyncio.to_thread(self._wait)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)

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

    @contextmanager
    def _launched(self) -> Iterator[None]:
        program = find_program()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock.take()
        try:
            self._child = self._spawn(program, self._configure())
            yield
        except BaseException:
            self.stop()
            raise

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not _is_ready(self._http_port):
            status = self._running().poll()
            if status is not None:
                raise ServerFailed(f"ClickHouse ended with status {status}: {self._last_words()}")
            if time.monotonic() > deadline:
                raise ServerFailed(f"no answer in {START_SECONDS:.0f} s: {self._last_words()}")
            time.sleep(_POLL_SECONDS)

    def _configure(self) -> Path:
        port, self._http_port = _free_ports(2)
        password = secrets.token_urlsafe(24)
        self._address = StoreAddress(HOST, port, USER, password)
        config = render_config(self._folder, port, self._http_port, self._memory_bytes)
        _write_private(self._folder / "users.xml", render_users(password))
        _write_private(self._folder / "config.xml", config)
        return self._folder / "config.xml"

    def _spawn(self, program: Path, config: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "libs.servers.clickhouse.server"]
        with self.log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603  the words are ours
                [*command, str(os.getpid()), str(program), str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C ends us first, and we end the server
                env={**os.environ, "CLICKHOUSE_WATCHDOG_ENABLE": "0"},  # one process, not two
                pass_fds=(self._lock.descriptor,),
            )

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            raise ServerFailed(f"the server on {self._folder} is not running")
        return self._child

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()] or ["nothing was written"]
        exceptions = [line for line in said if "Exception:" in line]
        return f"{self.log}: {(exceptions or said)[-1]}"


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    try:
        return [place.getsockname()[1] for place in sockets]
    finally:
        for place in sockets:
            place.close()


def _is_ready(http_port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, http_port, timeout=1.0)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def become_server(parent: int, program: Path, config: Path) -> int:
    """Turn this process into the server; ends when the parent does, or did already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return 1
    option = f"--config-file={config}"
    if program.suffix != ".so":
        os.execv(program, [str(program), "server", option])  # noqa: S606  the words are ours
    library = ctypes.CDLL(str(program), mode=os.RTLD_NOW | getattr(os, "RTLD_DEEPBIND", 0))
    words = [b"clickhouse-server", os.fsencode(option)]
    return int(library[_ENTRY](len(words), (ctypes.c_char_p * 3)(*words, None)))


if __name__ == "__main__":
    sys.exit(become_server(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])))
