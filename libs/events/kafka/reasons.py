"""Why a connection to the cluster fails, in one line that says what to fix.

aiokafka logs the errors of each broker and raises a vague one. So one connection is made by hand
and its error reported.
"""

import asyncio
import socket
import ssl

from aiokafka.conn import create_conn
from aiokafka.errors import (
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from libs.events.errors import BusRefused, BusUnavailable, EventError
from libs.events.kafka.address import KafkaAddress

_TIMEOUT_SECONDS = 5.0
_CLOSED = (
    "it closed the connection, maybe because it does not use {address.security_protocol}: "
    "see bus.security_protocol"
)
_REASONS: tuple[tuple[type[BaseException], type[EventError], str], ...] = (
    (socket.gaierror, BusUnavailable, "no such host: see bus.bootstrap"),
    (ConnectionRefusedError, BusUnavailable, "connection refused: start it, or see bus.bootstrap"),
    (ssl.SSLCertVerificationError, BusRefused, "its certificate is not trusted: see bus.ca_file"),
    (ssl.SSLError, BusRefused, "TLS failed: see bus.security_protocol"),
    (
        SaslAuthenticationFailed,
        BusRefused,
        "it refuses the user {address.user!r} or the password: see bus.user and bus.password",
    ),
    (
        UnsupportedSaslMechanismError,
        BusRefused,
        "it does not offer {address.sasl_mechanism}: see bus.sasl_mechanism",
    ),
    (ConnectionError, BusRefused, _CLOSED),
    (KafkaError, BusRefused, _CLOSED),
)
"""Python's error → the bus's error, and what to fix; the first match counts."""


async def why_not(address: KafkaAddress) -> EventError:
    """Return the error of the first broker, a refusal before an outage."""
    reasons = [await _why_not_at(address, server) for server in address.bootstrap.split(",")]
    refusals = [reason for reason in reasons if isinstance(reason, BusRefused)]
    return (refusals or reasons)[0]


async def _why_not_at(address: KafkaAddress, server: str) -> EventError:
    host, _, port = server.strip().rpartition(":")
    if not host or not port.isdigit():
        return BusRefused(f"bus.bootstrap: {server!r} is not host:port")
    try:
        await asyncio.wait_for(_connect(address, host, int(port)), _TIMEOUT_SECONDS)
    except (OSError, KafkaError, TimeoutError) as error:
        return _reason(address, server.strip(), error)
    return BusUnavailable(f"Kafka at {server} answers, but the cluster is not ready yet")


async def _connect(address: KafkaAddress, host: str, port: int) -> None:
    options = address.options()
    del options["bootstrap_servers"]
    connection = await create_conn(host, port, request_timeout_ms=4000, **options)
    try:
        await connection.send(MetadataRequest([]).prepare({}))
    except (KeyError, AttributeError, TypeError):
        return  # connected and logged in: other requests are not tested here
    finally:
        connection.close()


def _reason(address: KafkaAddress, server: str, error: BaseException) -> EventError:
    for kinds, made, text in _REASONS:
        if isinstance(error, kinds):
            return made(f"Kafka at {server}: " + text.format(address=address))
    return BusUnavailable(f"Kafka at {server} does not answer: {type(error).__name__} {error}")
