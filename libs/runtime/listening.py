"""Sockets that listen; where a port is taken the error says by whom, as far as /proc shows it."""

import errno
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from libs.runtime.settings import PREFIX, SettingsError

_PROC = Path("/proc")
_TABLES = ("net/tcp", "net/tcp6")
_LISTENS = "0A"  # the kernel's TCP_LISTEN
_LONGEST_COMMAND = 80


def listening(host: str, port: int, key: str) -> socket.socket:
    """Return a listening socket; raise SettingsError, which names the key that sets the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = _taken(port, key) if error.errno == errno.EADDRINUSE else error.strerror or error
        raise SettingsError(f"{key}: no listening on {host}:{port}: {reason}") from None


def check_port(host: str, port: int, key: str) -> None:
    """Raise SettingsError if nothing could listen on a port now."""
    listening(host, port, key).close()


def holder_of(port: int, proc: Path = _PROC) -> str:
    """Return `process 7 (its command)` for who listens on a port; "" where it cannot be known."""
    sockets = {f"socket:[{inode}]" for inode in _inodes(port, proc)}
    for process in proc.glob("[0-9]*"):
        if sockets and sockets & set(_open_files(process)):
            return f"process {process.name} ({_command(process)})"
    return ""


def _taken(port: int, key: str) -> str:
    holder = holder_of(port) or "another program"
    variable = f"{PREFIX}{key.upper().replace('.', '__')}"
    return f"{holder} uses it; end that, or set {variable} to another port"


def _inodes(port: int, proc: Path) -> Iterator[str]:
    for table in _TABLES:
        for row in _lines(proc / table)[1:]:
            fields = row.split()
            if fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _lines(table: Path) -> list[str]:
    try:
        return table.read_text().splitlines()
    except OSError:  # not Linux, or without IPv6
        return []


def _open_files(process: Path) -> Iterator[str]:
    try:
        files = list((process / "fd").iterdir())
    except OSError:  # it belongs to someone else, or has just ended
        return
    for file in files:
        with suppress(OSError):  # closed in the meantime
            yield str(file.readlink())


def _command(process: Path) -> str:
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return "ended"
    text = " ".join(word.decode(errors="replace") for word in words if word)
    return text if len(text) <= _LONGEST_COMMAND else f"{text[:_LONGEST_COMMAND]}…"
