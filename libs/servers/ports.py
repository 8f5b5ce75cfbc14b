"""Ports of this machine that stay ours while a server is down."""

import secrets
import socket
from contextlib import ExitStack

HOST = "127.0.0.1"
_PORTS = range(20_000, 32_000)  # below those that the system hands to whoever connects


def free_ports(count: int) -> list[int]:
    """Return so many different ports that nobody uses."""
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
