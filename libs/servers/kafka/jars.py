"""Kafka's jars: fetched once by Maven, kept in a folder."""

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from libs.servers.kafka.errors import KafkaFailed, KafkaMissing
from libs.servers.kafka.java import find_java

JARS_VARIABLE = "ALPHASTOCKS_KAFKA_JARS"
FETCH_SECONDS = 600.0
_POM = Path(__file__).with_name("pom.xml")
_STYLE = re.compile(r"\x1b\[[0-9;]*m")


def kafka_version() -> str:
    """Return the version of Kafka that pom.xml names."""
    found = re.search(r"<kafka\.version>(.+?)</kafka\.version>", _POM.read_text())
    assert found is not None
    return found[1]


def kafka_jars(folder: Path) -> Path:
    """Return the folder of Kafka's jars under `folder`; Maven fills it once.

    ALPHASTOCKS_KAFKA_JARS names an existing folder instead. Raises KafkaMissing without Java or
    Maven, KafkaFailed with Maven's error.
    """
    named = os.environ.get(JARS_VARIABLE)
    if named:
        return _checked(Path(named).absolute())
    filled = folder.absolute() / f"kafka-{kafka_version()}"
    if not filled.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        with _alone_in(folder):
            _fetch_into(filled)
    return filled


def reason_of(said: str) -> str:
    """Return the reason in Maven's output: its first error, else its last line."""
    lines = [line.strip() for line in _STYLE.sub("", said).splitlines() if line.strip()]
    errors = [line.removeprefix("[ERROR]").strip() for line in lines if line.startswith("[ERROR]")]
    return next(filter(None, errors), lines[-1] if lines else "no output")


def _checked(named: Path) -> Path:
    if not any(named.glob("kafka_*.jar")):
        raise KafkaMissing(f"{JARS_VARIABLE} names {named}, which has no kafka_*.jar")
    return named


def _fetch_into(filled: Path) -> None:
    if filled.is_dir():  # another process filled it while this one waited
        return
    part = filled.with_name(f"{filled.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    _run_maven(part)
    part.rename(filled)


def _run_maven(target: Path) -> None:
    find_java()
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaMissing(
            f"no `mvn` on this machine: install Maven, or let {JARS_VARIABLE} name Kafka's jars"
        )
    # -C: a jar that differs from its published checksum is an error, not a warning
    command = [maven, "-q", "-B", "-C", "-Dstyle.color=never", "-f", str(_POM)]
    command += ["dependency:copy-dependencies", f"-DoutputDirectory={target}"]
    try:
        done = subprocess.run(  # noqa: S603  no external input
            command,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=FETCH_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise KafkaFailed(f"Maven did not fetch Kafka's jars in {FETCH_SECONDS:.0f} s") from None
    if done.returncode:
        raise KafkaFailed(f"Maven could not fetch Kafka's jars: {reason_of(done.stdout)}")


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
