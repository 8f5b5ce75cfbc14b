"""Whether a Kafka server answers: its API, not merely its port."""

import socket
import ssl
import struct
from contextlib import ExitStack
from pathlib import Path

from libs.servers.ports import HOST

_PATIENCE_SECONDS = 1.0
_API_VERSIONS = 18
_CORRELATION = 1
_HEADER = struct.Struct(">ihhih")  # size, API, its version, correlation, no name of a client
_ANSWER = struct.Struct(">iih")  # size, correlation, error


def answers(port: int, ca_file: Path | None = None) -> bool:
    """Tell whether the server says which API versions it has; it does so before any password.

    Kafka takes requests only once it is let into its cluster: who is answered can go on at once.
    """
    try:
        with ExitStack() as stack:
            return _asked(_connected(stack, port, ca_file))
    except OSError:  # ssl.SSLError is one
        return False


def _connected(stack: ExitStack, port: int, ca_file: Path | None) -> socket.socket:
    plain = stack.enter_context(socket.create_connection((HOST, port), _PATIENCE_SECONDS))
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
