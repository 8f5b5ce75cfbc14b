"""A real Prometheus, and its promtool: the machine's own, else unpacked from Debian's package."""

import json
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.integration.processes import HOST, Running, running, status_of

UNPACKED = Path("var/tools/prometheus")
INSTALL = "install Prometheus with its promtool (Debian and Ubuntu: apt-get install prometheus)"


def program(name: str) -> Path | None:
    """Return where `prometheus` or `promtool` is, None where it cannot be had."""
    found = shutil.which(name)
    if found:
        return Path(found)
    folder = _unpacked()
    return folder / "usr" / "bin" / name if folder else None


def why_none() -> str:
    """Return why there is no Prometheus, nothing if there is one."""
    if program("prometheus") and program("promtool"):
        return ""
    return f"no prometheus on the PATH, and no package of it from apt: {INSTALL}"


@cache
def _unpacked() -> Path | None:
    """Return Debian's package as unpacked here, which installs nothing and needs no root."""
    if (UNPACKED / "usr" / "bin" / "promtool").exists():
        return UNPACKED.absolute()
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        return None
    UNPACKED.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=UNPACKED.parent) as folder:
        if not _fetched(Path(folder)):
            return None
        try:
            (Path(folder) / "unpacked").rename(UNPACKED)
        except OSError:  # another process was first
            assert UNPACKED.is_dir()
    return UNPACKED.absolute()


def _fetched(folder: Path) -> bool:
    if not _succeeds(["apt-get", "download", "prometheus"], folder):
        return False
    package = next(folder.glob("prometheus_*.deb"))
    return _succeeds(["dpkg", "-x", package.name, "unpacked"], folder)


def _succeeds(command: list[str], folder: Path) -> bool:
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=300)
    return done.returncode == 0


def promtool(*words: object, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run promtool and return what it says."""
    path = program("promtool")
    assert path is not None
    command = [str(word) for word in (path, *words)]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


@dataclass(frozen=True)
class Prometheus:
    """Where it answers."""

    port: int

    def asked(self, path: str, **parameters: object) -> Any:
        """Return what its HTTP API answers; raise AssertionError with what it objects to."""
        words = urllib.parse.urlencode({name: str(one) for name, one in parameters.items()})
        url = f"http://{HOST}:{self.port}/api/v1/{path}?{words}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(json.load(error)["error"]) from None


@contextmanager
def running_prometheus(config: dict[str, Any], folder: Path, port: int) -> Iterator[Prometheus]:
    """Yield a Prometheus with a configuration; it ends with the block."""
    path = program("prometheus")
    file = folder / "prometheus.yml"
    file.write_text(json.dumps(config))  # JSON is YAML
    command = (
        path,
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={HOST}:{port}",
        "--log.level=warn",
    )
    with ExitStack() as stack:
        process: Running = stack.enter_context(running(command, folder))
        process.until(lambda: status_of(port, "/-/ready") == 200, "Prometheus is ready")
        yield Prometheus(port)
