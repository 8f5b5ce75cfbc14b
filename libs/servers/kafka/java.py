"""The Java of this machine."""

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from libs.servers.kafka.errors import KafkaMissing

OLDEST_JAVA = 17


def find_java() -> Path:
    """Return `java` of JAVA_HOME or the PATH; raise KafkaMissing if it is missing or too old."""
    found = find_tool("java")
    version = java_version(_said_of_itself(found))
    if version < OLDEST_JAVA:
        raise KafkaMissing(f"{found} is Java {version}: Kafka needs Java {OLDEST_JAVA} or newer")
    return found


def find_tool(name: str) -> Path:
    """Return a program of the Java installation; raise KafkaMissing without it."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which(name, path=f"{home}/bin") if home else None
    found = found or shutil.which(name)
    if found is None:
        raise KafkaMissing(f"no `{name}` on this machine: install Java {OLDEST_JAVA} or newer")
    return Path(found)


def java_version(said: str) -> int:
    """Return the major version in the output of `java -version`, 0 if there is none."""
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(found[1]) if found else 0


@cache
def _said_of_itself(java: Path) -> str:
    command = [str(java), "-version"]
    done = subprocess.run(  # noqa: S603  no external input
        command, capture_output=True, text=True, errors="replace", check=False
    )
    return done.stdout + done.stderr
