"""The configuration of a local Kafka server: one node, this machine only, quick to start.

Paths are relative to the server's folder, which is its working directory.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from libs.events.kafka.address import SecurityProtocol
from libs.servers.ports import HOST

STORAGE_FOLDER = "storage"
LOG_FILE = "server.log"
LOG_CONFIG_FILE = "log4j2.properties"
_FOR_EVER = str(2**63 - 1)
_AROUND_A_RECORD = 64 * 1024  # bytes: key, headers and the batch's overhead


@dataclass(frozen=True, slots=True)
class Certificate:
    """A key with its certificate in a PKCS#12 file, and the CA file (PEM) that signed it."""

    keystore: Path
    password: str = field(repr=False)
    ca_file: Path


@dataclass(frozen=True, slots=True)
class Security:
    """The security of client connections: SASL asks for a password, SSL encrypts."""

    kind: SecurityProtocol = "PLAINTEXT"
    user: str = "alphastocks"
    password: str = field(default="", repr=False)
    certificate: Certificate | None = None


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports for clients, and for the controller in the same process."""

    client: int
    controller: int


def server_properties(ports: Ports, security: Security, max_bytes: int) -> str:
    """Return server.properties; a record may have up to `max_bytes`."""
    return _rendered(
        {
            **_listeners(ports, security),
            **_ALONE,
            **_QUICK,
            **_KEEPING,
            **_sasl(security),
            **_ssl(security),
            "message.max.bytes": str(max_bytes + _AROUND_A_RECORD),
        }
    )


def log_properties() -> str:
    """Return log4j2.properties: warnings and errors, into a file of limited size."""
    return _rendered(_LOG)


def _listeners(ports: Ports, security: Security) -> dict[str, str]:
    client = f"CLIENT://{HOST}:{ports.client}"
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "listeners": f"{client},CONTROLLER://{HOST}:{ports.controller}",
        "advertised.listeners": client,
        "inter.broker.listener.name": "CLIENT",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": f"1@{HOST}:{ports.controller}",
        "listener.security.protocol.map": f"CLIENT:{security.kind},CONTROLLER:PLAINTEXT",
        "log.dirs": STORAGE_FOLDER,
    }


_ALONE = {
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "auto.create.topics.enable": "false",
}

_QUICK = {
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    # a killed server may rejoin only after its last session has expired
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "250",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
}

# Timestamps are event times, which in a replay are years old. So the server deletes nothing by
# default; only a topic's own retention does.
_KEEPING = {
    "log.message.timestamp.after.max.ms": _FOR_EVER,
    "log.message.timestamp.before.max.ms": _FOR_EVER,
    "log.retention.ms": "-1",
    "offsets.retention.minutes": str(365 * 24 * 60),
}

_LOG = {
    "appender.file.type": "RollingFile",
    "appender.file.name": "file",
    "appender.file.fileName": LOG_FILE,
    "appender.file.filePattern": f"{LOG_FILE}.%i",
    "appender.file.layout.type": "PatternLayout",
    "appender.file.layout.pattern": "%d{yyyy-MM-dd HH:mm:ss,SSS} %p %c{1}: %m%n",
    "appender.file.policies.type": "Policies",
    "appender.file.policies.size.type": "SizeBasedTriggeringPolicy",
    "appender.file.policies.size.size": "10MB",
    "appender.file.strategy.type": "DefaultRolloverStrategy",
    "appender.file.strategy.max": "1",
    "rootLogger.level": "WARN",
    "rootLogger.appenderRef.file.ref": "file",
}


def _sasl(security: Security) -> dict[str, str]:
    if not security.kind.startswith("SASL"):
        return {}
    words = {
        "username": security.user,
        "password": security.password,
        f"user_{security.user}": security.password,
    }
    options = " ".join(f"{_quoted(name)}={_quoted(word)}" for name, word in words.items())
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    return {
        "sasl.enabled.mechanisms": "PLAIN",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "listener.name.client.plain.sasl.jaas.config": f"{module} required {options};",
    }


def _ssl(security: Security) -> dict[str, str]:
    if security.certificate is None:
        return {}
    return {
        "ssl.keystore.type": "PKCS12",
        "ssl.keystore.location": str(security.certificate.keystore),
        "ssl.keystore.password": security.certificate.password,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(security.certificate.ca_file),
    }


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _rendered(properties: Mapping[str, str]) -> str:
    # Java reads these files as Latin-1 with JSON's escapes
    return "".join(f"{name}={json.dumps(word)[1:-1]}\n" for name, word in properties.items())
