import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.kafka.address import SecurityProtocol
from libs.servers.kafka.config import (
    Certificate,
    Ports,
    Security,
    log_properties,
    server_properties,
)

PORTS = Ports(20_001, 20_002)
JAAS = "listener.name.client.plain.sasl.jaas.config"


def read(text: str) -> dict[str, str]:
    pairs = (line.split("=", 1) for line in text.splitlines())
    return {name: json.loads(f'"{word}"') for name, word in pairs}


def properties(security: Security | None = None, max_bytes: int = 1000) -> dict[str, str]:
    return read(server_properties(PORTS, security or Security(), max_bytes))


def test_the_server_listens_on_this_machine_only() -> None:
    told = properties()
    hosts = re.findall(r"//([^:]+):(\d+)", told["listeners"])
    assert hosts == [("127.0.0.1", "20001"), ("127.0.0.1", "20002")]
    assert told["advertised.listeners"] == "CLIENT://127.0.0.1:20001"
    assert told["controller.quorum.voters"] == "1@127.0.0.1:20002"


def test_what_is_kept_in_copies_elsewhere_is_kept_once() -> None:
    told = properties()
    copies = [word for name, word in told.items() if re.search(r"replication|min\.i", name)]
    assert len(copies) == 7
    assert set(copies) == {"1"}


def test_an_event_of_any_year_is_taken_and_kept() -> None:
    told = properties()
    assert told["log.message.timestamp.before.max.ms"] == str(2**63 - 1)
    assert told["log.message.timestamp.after.max.ms"] == str(2**63 - 1)
    assert told["log.retention.ms"] == "-1"


def test_a_topic_that_nobody_made_is_not_made_by_asking_for_it() -> None:
    assert properties()["auto.create.topics.enable"] == "false"


def test_a_record_of_the_largest_size_has_room_in_its_batch() -> None:
    assert int(properties(max_bytes=5_000_000)["message.max.bytes"]) > 5_000_000


@pytest.mark.parametrize("kind", ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"])
def test_clients_are_spoken_to_as_asked_and_the_controller_in_plain(kind: SecurityProtocol) -> None:
    told = properties(Security(kind, "someone", "secret"))
    assert told["listener.security.protocol.map"] == f"CLIENT:{kind},CONTROLLER:PLAINTEXT"
    assert (JAAS in told) == kind.startswith("SASL")


@given(user=st.text(min_size=1), password=st.text())
def test_any_user_and_password_are_read_back_as_they_are(user: str, password: str) -> None:
    entry = properties(Security("SASL_PLAINTEXT", user, password))[JAAS]
    quoted = re.findall(r'"((?:[^"\\]|\\.)*)"', entry, re.DOTALL)
    words = [re.sub(r"\\(.)", r"\1", word, flags=re.DOTALL) for word in quoted]
    assert words == ["username", user, "password", password, f"user_{user}", password]


def test_a_password_is_not_shown() -> None:
    certificate = Certificate(Path("/k.p12"), "open sesame", Path("/ca.pem"))
    assert "secret" not in repr(Security("SASL_SSL", "someone", "secret", certificate))
    assert "sesame" not in repr(certificate)


def test_the_certificate_is_named_with_its_password() -> None:
    told = properties(Security("SSL", certificate=Certificate(Path("/k"), "p", Path("/ca"))))
    assert told["ssl.keystore.location"] == "/k"
    assert told["ssl.keystore.password"] == "p"
    assert told["ssl.truststore.location"] == "/ca"


def test_the_log_holds_warnings_in_two_files_at_most() -> None:
    told = read(log_properties())
    assert told["rootLogger.level"] == "WARN"
    assert told["appender.file.fileName"] == "server.log"
    assert told["appender.file.strategy.max"] == "1"
