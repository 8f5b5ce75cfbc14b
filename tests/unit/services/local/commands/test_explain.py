"""`alphastocks explain`: from an outcome's folder, from a journal, in words and as JSON."""

import asyncio
import json
from pathlib import Path

import pytest

from libs.events.bus import started_bus
from libs.events.codec import record_of
from libs.events.embedded.bus import LocalBus
from libs.events.embedded.journal import Journal
from libs.events.topics import TOPIC_OF
from libs.market.calendar import IST
from services.local.commands.executor_client import TOKEN, TOKEN_FILE
from services.local.play.outcome import CANDLE_COLUMNS, FILES
from tests.integration.commands import alphastocks
from tests.unit.libs.events.story.test_story import EVENTS, REFUSED, TRADED, batch_of
from tests.unit.services.executor.builders import NOW


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (TOKEN, TOKEN_FILE):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The files of an outcome, as replay and demo write them."""
    folder = tmp_path / "out"
    folder.mkdir()
    for topic, name in FILES.items():
        lines = [one.model_dump_json() for one in EVENTS if TOPIC_OF[one.type] == topic]
        (folder / name).write_text("".join(f"{line}\n" for line in lines))
    signal = TRADED.generated
    assert signal is not None
    opened = signal.candle_opened_at.astimezone(IST).isoformat()
    row = ("NIFTY 50", "15m", opened, 24_990.0, 25_010.0, 24_980.0, 25_000.0, 0, 900, 0)
    lines = [",".join(CANDLE_COLUMNS), ",".join(map(str, row))]
    (folder / "candles.csv").write_text("\n".join(lines) + "\n")
    return folder


def said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: int, *words: object
) -> str:
    assert alphastocks(monkeypatch, "explain", *words) == status
    captured = capsys.readouterr()
    return captured.out if status == 0 else captured.err


def test_a_trade_in_an_outcome_is_told_section_by_section(
    out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(monkeypatch, capsys, 0, TRADED.positions[0].position_id, "--out", out)
    titles = ("Signal", "Times per hop", "Decision", "Candidates", "Limits", "Orders and fills")
    places = [text.index(f"\n{title}\n") for title in (*titles, "Exits", "Result")]
    assert places == sorted(places)
    assert "open 24,990, high 25,010, low 24,980, close 25,000" in text


def test_a_refusal_says_what_to_change(
    out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(monkeypatch, capsys, 0, str(REFUSED.signal_id)[:8], "--out", out)
    assert "To have it traded: Lower executor.entry.min_confidence" in text


def test_as_json_it_holds_all_events(
    out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(monkeypatch, capsys, 0, TRADED.signal_id, "--out", out, "--json")
    found = json.loads(text)
    assert found["signal_id"] == str(TRADED.signal_id)
    kinds = {event["type"] for event in found["events"]}
    assert {"SignalGenerated", "ExecutionDecided", "OrderFilled", "PositionClosed"} <= kinds


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("SBIN", "ID: 'SBIN': nothing of 2026-06-10 has this id or symbol; symbols: NIFTY,"),
        ("NIFTY", "ID: 'NIFTY' may be 2 signals; name one: "),
        (" ", "ID: ' ' is empty"),
    ],
)
def test_what_is_not_clear_is_one_line_that_says_what_there_is(
    out: Path,
    word: str,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = said(monkeypatch, capsys, 2, word, "--out", out)
    assert text.startswith(f"alphastocks: {line}")
    assert len(text.splitlines()) == 1


def test_a_folder_that_holds_no_outcome_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"{tmp_path} holds no outcome" in said(monkeypatch, capsys, 2, "x", "--out", tmp_path)
    assert "no such folder" in said(monkeypatch, capsys, 2, "x", "--out", tmp_path / "none")


def test_without_an_up_that_runs_the_journal_of_the_last_one_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def publish() -> None:
        async with started_bus(LocalBus(journal=Journal(tmp_path / "var/up/journal"))) as bus:
            for event in (*EVENTS, batch_of(NOW - 900_000, 0)):
                await bus.publish(record_of(event))
            await bus.flush()

    assert "name an outcome's folder: --out" in said(monkeypatch, capsys, 2, TRADED.signal_id)
    asyncio.run(publish())
    text = said(monkeypatch, capsys, 0, TRADED.signal_id)
    assert "close 25,000" in text
    assert "stop loss" in text
