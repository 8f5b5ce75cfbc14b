"""A local ClickHouse server: a child process on one folder, reachable from this machine only.

It runs a `clickhouse` binary on the PATH, or else the `chdb` wheel, whose library contains the
whole server. See `libs.servers.child` for its start and end.
"""

import asyncio
import hashlib
import http.client
import importlib.util
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from xml.sax.saxutils import escape

from libs.private_files import write_private
from libs.servers.child import Child, Kind
from libs.servers.clickhouse import wheel
from libs.servers.ports import HOST, free_ports
from libs.store.errors import ServerFailed, ServerMissing, StoreFolderBusy
from libs.store.store import StoreAddress

USER = "alphastocks"
WHEEL = "chdb==3.7.2"
"""What pip installs; requirements-clickhouse.in says why this version."""
START_SECONDS = 30.0
STOP_SECONDS = 10.0
_ENVIRONMENT = {"CLICKHOUSE_WATCHDOG_ENABLE": "0"}  # one process, not two

_GRANTS = (
    *("SHOW", "SELECT", "INSERT", "ALTER", "CREATE", "DROP", "UNDROP TABLE", "TRUNCATE"),
    *("OPTIMIZE", "KILL QUERY", "SYSTEM", "CLUSTER", "INTROSPECTION"),
)
"""Everything but what makes users, and what reads or writes outside of the server's own tables."""

_CONFIG = """<clickhouse>
  <logger><level>warning</level><log>{folder}/server.log</log><size>10M</size><count>2</count></logger>
  <listen_host>{host}</listen_host>
  <tcp_port>{tcp_port}</tcp_port>
  <http_port>{http_port}</http_port>
  <path>{folder}/data/</path>
  <tmp_path>{folder}/tmp/</tmp_path>
  <user_files_path>{folder}/user_files/</user_files_path>
  <remote_url_allow_hosts/>
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
    <grants><query>GRANT {grants} ON *.*</query></grants>
  </{user}></users>
</clickhouse>
"""


def render_config(folder: Path, tcp_port: int, http_port: int, memory_bytes: int) -> str:
    """Return config.xml: it listens on this machine only and has no system log tables."""
    return _CONFIG.format(
        folder=escape(str(folder)),
        host=HOST,
        tcp_port=tcp_port,
        http_port=http_port,
        memory_bytes=memory_bytes,
    )


def render_users(password: str) -> str:
    """Return users.xml with one user and the digest of the password."""
    digest = hashlib.sha256(password.encode()).hexdigest()
    return _USERS.format(user=USER, digest=digest, host=HOST, grants=", ".join(_GRANTS))


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
    raise ServerMissing(
        "no ClickHouse on this machine: run `make setup`, which installs its wheel, "
        f"or `pip install --no-deps {WHEEL}`"
    )


class LocalServer:
    """`with LocalServer(folder) as server:` (or `async with`) runs ClickHouse on `folder`.

    The data stays in the folder. Each start makes a new password, which is not written to disk.
    Raises StoreFolderBusy, ServerMissing, or ServerFailed, which names the log.
    """

    def __init__(self, folder: Path, memory_bytes: int = 2_000_000_000) -> None:
        self._folder = folder.absolute()
        self._memory_bytes = memory_bytes
        kind = Kind("ClickHouse", ServerFailed, StoreFolderBusy, _last_exception, STOP_SECONDS)
        self._child = Child(kind, self._folder, self.log)
        self._address = StoreAddress()
        self._http_port = 0

    @property
    def address(self) -> StoreAddress:
        """The address of the running server, with its password; the database is `default`."""
        _ = self.pid
        return self._address

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._child.pid

    @property
    def log(self) -> Path:
        """The path of the server's log."""
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
        """Terminate the server, kill it after the timeout, and unlock the folder."""
        self._child.stop()

    @contextmanager
    def _launched(self) -> Iterator[None]:
        program = find_program()
        with self._child.held():
            self._child.start(_command(program, self._configure()), _ENVIRONMENT)
            yield

    def _wait(self) -> None:
        self._child.wait(lambda: _is_ready(self._http_port), START_SECONDS)

    def _configure(self) -> Path:
        port, self._http_port = free_ports(2)
        password = secrets.token_urlsafe(24)
        self._address = StoreAddress(HOST, port, USER, password)
        config = render_config(self._folder, port, self._http_port, self._memory_bytes)
        write_private(self._folder / "users.xml", render_users(password))
        write_private(self._folder / "config.xml", config)
        return self._folder / "config.xml"


def _command(program: Path, config: Path) -> list[str]:
    if program.suffix == ".so":
        return [sys.executable, wheel.__file__, str(program), str(config)]
    return [str(program), "server", f"--config-file={config}"]


def _last_exception(said: list[str]) -> str:
    return ([line for line in said if "Exception:" in line] or said)[-1]


def _is_ready(http_port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, http_port, timeout=1.0)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
