import socket
from contextlib import ExitStack

from libs.servers.ports import HOST, free_ports


def test_ports_that_are_free_differ_and_can_be_taken() -> None:
    ports = free_ports(5)
    with ExitStack() as stack:
        for port in ports:
            stack.enter_context(socket.create_server((HOST, port)))
    assert len(set(ports)) == 5
