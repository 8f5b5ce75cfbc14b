"""The address of a Kafka cluster, the credentials, and the prefix of names."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from libs.events.errors import BusRefused

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
Codec = Literal["none", "gzip", "snappy", "lz4", "zstd"]


@dataclass(frozen=True, slots=True)
class KafkaAddress:
    """A cluster as a client sees it; `repr` hides the password.

    `prefix` goes before the name of each topic, group and fence, so that several systems can
    share a cluster. `instance` is Kafka's static member id: after a restart the member gets its
    partitions back without a rebalance. `max_bytes` limits a record that is sent or fetched.
    `compression` is how market data is sent; it is read whatever its compression.
    """

    bootstrap: str
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: SaslMechanism = "PLAIN"
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None
    prefix: str = ""
    instance: str = ""
    session_timeout_ms: int = 10_000
    max_bytes: int = 8 * 1024 * 1024
    compression: Codec = "zstd"

    def named(self, name: str) -> str:
        """Return the name of a topic, a group or a fence with the prefix."""
        return f"{self.prefix}{name}"

    def unnamed(self, name: str) -> str:
        """Return a name without the prefix; names of other systems stay as they are."""
        return name.removeprefix(self.prefix)

    def options(self) -> dict[str, Any]:
        """Return the options of every aiokafka client; raise BusRefused for an unusable CA file."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "client_id": "alphastocks",
            "security_protocol": self.security_protocol,
        }
        if self.security_protocol.startswith("SASL"):
            options["sasl_mechanism"] = self.sasl_mechanism
            options["sasl_plain_username"] = self.user
            options["sasl_plain_password"] = self.password
        if self.security_protocol.endswith("SSL"):
            options["ssl_context"] = self._ssl_context()
        return options

    def _ssl_context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
        except OSError as error:  # ssl.SSLError is one
            raise BusRefused(f"{self.ca_file}: no usable CA file: {error}") from None
