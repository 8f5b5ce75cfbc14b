"""The servers of a running `up --kafka`: a file in its state folder says where they are.

It holds addresses, no secrets, and counts only while an `up` runs on the folder.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from services.local.control_file import is_running

FILE = "servers.json"
FOLDERS = (Path("var/up-kafka"), Path("var/kite-kafka"))
"""Where `up --kafka` keeps its state unless --var names another folder."""


class RunningServers(NamedTuple):
    """Kafka's brokers, host:port, and the database, host:port/name."""

    kafka: str
    clickhouse: str


@contextmanager
def announced(folder: Path, servers: RunningServers) -> Iterator[None]:
    """Say in the folder where the servers are, until the end of the block."""
    file = folder / FILE
    draft = file.with_suffix(".draft")
    draft.write_text(json.dumps(servers._asdict()), "utf-8")
    draft.replace(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def running_servers(folders: Sequence[Path] = FOLDERS) -> dict[Path, RunningServers]:
    """Return the servers of each `up --kafka` that runs on one of the folders."""
    found = {folder: _servers_in(folder) for folder in folders}
    return {folder: servers for folder, servers in found.items() if servers is not None}


def _servers_in(folder: Path) -> RunningServers | None:
    try:
        said = json.loads((folder / FILE).read_text("utf-8"))
        servers = RunningServers(str(said["kafka"]), str(said["clickhouse"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return servers if is_running(folder) else None
