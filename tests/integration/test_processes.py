"""Each service as a process of its own: started, asked, ended by SIGTERM, refused."""

from asyncio import run
from datetime import date
from pathlib import Path

import pytest

from libs.runtime.process import run_process
from libs.store.clickhouse import ClickHouseStore
from libs.store.migrate import apply
from libs.store.store import StoreAddress
from services.local.catalogue import NAMES, entry_of
from services.local.play.database import migrations
from tests.integration.commands import settings_file
from tests.integration.processes import asked, free_ports, python, running, status_of
from tests.integration.recordings import DAY, write_recording

SUNDAY = date(2026, 6, 14)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recorded day of one symbol."""
    folder = tmp_path_factory.mktemp("recording")
    return write_recording(folder, days=[DAY], symbols=["SBIN"], every_seconds=60)


def settings(folder: Path, port: int, more: str = "") -> Path:
    file = folder / "alphastocks.toml"
    file.write_text(f"[runtime]\nport = {port}\n{more}")
    return file


def played(recording: Path, day: object = DAY) -> str:
    return f'[ingest]\nfolder = "{recording}"\nday = {day}\n'


@pytest.mark.parametrize("name", NAMES)
def test_a_service_is_ready_and_ends_at_sigterm_with_status_0(
    name: str, tmp_path: Path, recording: Path
) -> None:
    port = free_ports(1)
    config = settings(tmp_path, port, played(recording))
    with running(python("-m", f"services.{name}", "--config", config), tmp_path) as process:
        process.until(lambda: status_of(port) == 200, f"{name} is ready")
        assert status_of(port, "/health/live") == 200
        assert status_of(port, "/metrics") == 200
        assert asked(port, "/info")["service"] == name
        assert process.end() == 0, process.last_words
    assert not process.has_left_something
    assert "Traceback" not in process.said
    assert '"event": "service stopped"' in process.said


def test_a_service_with_a_store_ends_at_sigterm_even_when_the_store_is_away(
    tmp_path: Path, recording: Path
) -> None:
    port = free_ports(1)
    away = "[store]\nhost = '127.0.0.1'\nport = 1\npassword = 'hunter2'\n"
    config = settings(tmp_path, port, played(recording) + "speed = 1000\n" + away)
    with running(python("-m", "services.ingest", "--config", config), tmp_path) as process:
        process.until(lambda: status_of(port) == 200, "ingest is ready")
        component = "ingest.writer.market_data"
        process.until(lambda: "127.0.0.1:1" in asked_ready(port)[component], "the trouble is told")
        assert status_of(port) == 200
        assert process.end() == 0, process.last_words
    assert "hunter2" not in process.said
    assert not process.has_left_something


def asked_ready(port: int) -> dict[str, str]:
    components: dict[str, str] = asked(port, "/health/ready")["components"]
    return components


def test_ingest_alone_stores_the_day_that_it_plays(
    tmp_path: Path, recording: Path, database: StoreAddress
) -> None:
    async def migrated() -> None:
        store = ClickHouseStore(database)
        await apply(store, migrations())
        await store.close()

    async def stored() -> int:
        store = ClickHouseStore(database)
        rows = await store.query("SELECT uniq(exchange_timestamp) AS n FROM market_data FINAL")
        await store.close()
        return int(rows["n"][0])

    run(migrated())
    port = free_ports(1)
    more = f"[runtime]\nport = {port}\n{played(recording)}speed = 1000000\n"
    config = settings_file(tmp_path, database, more)
    with running(python("-m", "services.ingest", "--config", config), tmp_path) as process:
        process.until(lambda: run(stored()) == 375, "the whole day is stored")
        assert process.end() == 0, process.last_words


@pytest.mark.parametrize(
    ("name", "more", "culprit"),
    [
        ("candle", "[candle]\ngrace = 1\n", "candle.grace: unknown key"),
        ("signal", "[runtme]\n", "'runtme'"),
        ("position", "[position]\nmark_every_ms = 'x'\n", "position.mark_every_ms"),
        ("executor", "[executor]\nmode = 'live'\n", "live needs kite, or simulator"),
        ("strategy", "[[strategy.strategies]]\nname = 'magic'\n", "'magic'"),
        ("ingest", "", "ingest.folder and ingest.day"),
        ("ingest", "[ingest]\nfolder = 'nowhere'\nday = 2026-06-17\n", "ingest.folder: nowhere"),
        ("ingest", played(Path("config"), SUNDAY), "the market is closed (Sunday)"),
    ],
)
def test_settings_that_cannot_be_used_are_one_line_and_status_2(
    name: str,
    more: str,
    culprit: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = settings(tmp_path, free_ports(1), more)
    monkeypatch.setattr("sys.argv", [name, "--config", str(config)])
    with pytest.raises(SystemExit) as ended:  # in this process: the next test starts one for it
        run_process(entry_of(name).spec)
    assert ended.value.code == 2
    said = capsys.readouterr().err.splitlines()
    (line,) = [text for text in said if not text.startswith("{")]
    assert culprit in line


def test_a_port_that_is_taken_is_one_line_and_status_2(tmp_path: Path) -> None:
    port = free_ports(1)
    command = python("-m", "services.signal", "--config", settings(tmp_path, port))
    with running(command, tmp_path) as first:
        first.until(lambda: status_of(port) == 200, "the first is ready")
        with running(command, tmp_path) as second:
            assert second.wait() == 2
        assert f"runtime.port: no listening on 127.0.0.1:{port}" in second.said.splitlines()[-1]
        assert first.end() == 0
