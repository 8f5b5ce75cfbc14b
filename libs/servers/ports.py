"""Free ports of this machine that other programs do not get while a server restarts."""

import secrets
import socket
from contextlib import ExitStack

HOST = "127.0.0.1"
_PORTS = range(20_000, 32_000)  # below the ephemeral ports


def free_ports(count: int) -> list[int]:
    """Return `count` different free ports."""
    with ExitStack() as stack:
        return [_free_port(stack) for _ in range(count)]


def _free_port(stack: ExitStack) -> int:
    while True:
        port = secrets.choice(_PORTS)
        try:
            stack.enter_context(socket.create_server((HOST, port)))
        except OSError:
            continue
        return port
