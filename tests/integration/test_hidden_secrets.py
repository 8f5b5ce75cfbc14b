"""Secrets with marks in them, a run of everything, and a search through all that it left."""

import json
import signal
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from libs.runtime.access import hash_of
from services.local.control_file import control_of
from tests.integration.houses import House
from tests.integration.processes import HOST

TOKEN, GUESS = "marked-control-token", "marked-wrong-token"
SECRETS = {
    "bus__password": "marked-bus-password",
    "kite__api_secret": "marked-kite-secret",
    "simulator__api_secret": "marked-simulator-secret",
    "simulator__access_token": "marked-access-token",
}
PAGES = ("/", "/docs", "/health/live", "/health/ready", "/metrics", "/info", "/openapi.json")


@pytest.fixture
def _secrets(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path_factory.mktemp("secrets")
    for name, text in SECRETS.items():
        (folder / name).write_text(text)
    token = {"name": "operator", "scope": "trade", "sha256": hash_of(TOKEN)}
    (folder / "executor__control").write_text(json.dumps({"tokens": [token]}))
    monkeypatch.setenv("ALPHASTOCKS_SECRETS", str(folder))
    monkeypatch.setenv("ALPHASTOCKS_RUNTIME__LOG_LEVEL", "debug")


def control(port: int, action: str, token: str) -> str:
    """Use the control endpoint and return the whole answer, a refusal too."""
    body = None if action == "state" else b'{"reason": "a search for secrets"}'
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://{HOST}:{port}/control/{action}", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return f"{reply.headers}{reply.read().decode()}"
    except urllib.error.HTTPError as error:
        with error:
            return f"{error.headers}{error.read().decode()}"


def page(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=10) as reply:
        return str(reply.read().decode())


def holds(file: Path, secret: str) -> bool:
    return secret.encode() in file.read_bytes()


@pytest.mark.usefixtures("_secrets")
def test_no_secret_is_in_logs_errors_events_metrics_or_pages(house: House) -> None:
    with house.up("--speed", 500) as running:
        house.wait_until_ready(running)
        first = house.first_minute()
        executor = house.ports["executor"]
        answers = [page(port, path) for port in house.ports.values() for path in PAGES]
        answers += [control(executor, action, TOKEN) for action in ("state", "halt", "resume")]
        answers += [control(executor, action, GUESS) for action in ("state", "halt", "exit")]
        house.wait_for_minute(running, first + 3 * 60_000)
        own = control_of(house.folder / "tmp")
        assert own is not None
        session_file = next(house.folder.rglob("*session*.json"))
        session = json.loads(session_file.read_text())["access_token"]
        assert running.end(signal.SIGTERM) == 0, running.last_words
    hidden = [*SECRETS.values(), TOKEN, GUESS, session, own.token]
    if house.address.password:
        hidden.append(house.address.password)
    assert any("halted" in one or '"halt"' in one for one in answers), "the token was taken"
    assert [one for one in hidden if any(one in answer for answer in answers)] == []
    left = [file for file in house.folder.rglob("*") if file.is_file()]
    theirs = {session_file, house.folder / "alphastocks.toml"}  # where two of them belong
    assert {running.err, running.out} < set(left)
    assert any("journal" in str(file) for file in left)
    shown = [
        (secret, file) for file in set(left) - theirs for secret in hidden if holds(file, secret)
    ]
    assert shown == []


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(f"... {TOKEN} ...")
    assert holds(tmp_path / "log", TOKEN)
    assert not holds(tmp_path / "log", GUESS)
