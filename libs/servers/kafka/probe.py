"""Checks whether a Kafka server answers requests."""

import socket
import ssl
import struct
from contextlib import ExitStack
from pathlib import Path

from libs.servers.ports import HOST

_TIMEOUT_SECONDS = 1.0
_API_VERSIONS = 18
_CORRELATION = 1
_HEADER = struct.Struct(">ihhih")  # size, API, its version, correlation, no client id
_ANSWER = struct.Struct(">iih")  # size, correlation, error


def answers(port: int, ca_file: Path | None = None) -> bool:
    """Return whether the server answers an ApiVersions request, which needs no password.

    Kafka answers requests only after it has joined its cluster, so clients can start at once.
    """
    try:
        with ExitStack() as stack:
            return _asked(_connected(stack, port, ca_file))
    except OSError:  # ssl.SSLError is one
        return False


def _connected(stack: ExitStack, port: int, ca_file: Path | None) -> socket.socket:
    plain = stack.enter_context(socket.create_connection((HOST, port), _TIMEOUT_SECONDS))
    if ca_file is None:
        return plain
    context = ssl.create_default_context(cafile=str(ca_file))
    return stack.enter_context(context.wrap_socket(plain, server_hostname=HOST))


def _asked(connection: socket.socket) -> bool:
    size = _HEADER.size - 4
    connection.sendall(_HEADER.pack(size, _API_VERSIONS, 0, _CORRELATION, -1))
    with connection.makefile("rb") as stream:
        answer = stream.read(_ANSWER.size)
    return len(answer) == _ANSWER.size and _ANSWER.unpack(answer)[1:] == (_CORRELATION, 0)
