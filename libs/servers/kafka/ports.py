"""Ports of this machine that stay ours while a server is down."""

import secrets
import socket
from contextlib import ExitStack

from libs.servers.kafka.config import HOST, Ports

_PORTS = range(20_000, 32_000)  # below those that the system hands to whoever connects


def free_ports() -> Ports:
    """Return two ports that nobody uses."""
    with ExitStack() as stack:
        return Ports(_free_port(stack), _free_port(stack))


def _free_port(stack: ExitStack) -> int:
    while True:
        port = secrets.choice(_PORTS)
        try:
            stack.enter_context(socket.create_server((HOST, port)))
        except OSError:
            continue
        return port
