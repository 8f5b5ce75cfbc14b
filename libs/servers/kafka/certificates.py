"""A certificate for a server on this machine."""

import os
import secrets
import subprocess
from pathlib import Path

from libs.servers.kafka.config import Certificate
from libs.servers.kafka.errors import KafkaFailed
from libs.servers.kafka.java import find_tool
from libs.servers.ports import HOST

_PASSWORD = "ALPHASTOCKS_KEYSTORE_PASSWORD"  # noqa: S105  a variable's name
_MAKE = (
    *("-genkeypair", "-keyalg", "EC", "-groupname", "secp256r1", "-validity", "3650"),
    *("-dname", "CN=alphastocks on this machine", "-ext", f"san=ip:{HOST},dns:localhost"),
    *("-ext", "bc:c=ca:true", "-ext", "ku:c=digitalSignature,keyCertSign"),
)


def self_signed(folder: Path) -> Certificate:
    """Make a key and a self-signed certificate; raise KafkaMissing or KafkaFailed."""
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    made = Certificate(folder / "server.p12", secrets.token_urlsafe(24), folder / "ca.pem")
    made.keystore.unlink(missing_ok=True)
    _keytool(made, *_MAKE)
    _keytool(made, "-exportcert", "-rfc", "-file", str(made.ca_file))
    return made


def _keytool(certificate: Certificate, *words: str) -> None:
    store = ["-keystore", str(certificate.keystore), "-storetype", "PKCS12", "-alias", "server"]
    done = subprocess.run(  # noqa: S603  no external input
        [str(find_tool("keytool")), *words, *store, "-storepass:env", _PASSWORD],
        env={**os.environ, _PASSWORD: certificate.password},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        umask=0o077,
    )
    if done.returncode:
        raise KafkaFailed(f"keytool made no certificate: {done.stdout.strip()}")
