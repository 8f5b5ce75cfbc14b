"""The files of a run and their digest."""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from libs.events.codec import record_of
from libs.events.embedded.bus import LocalBus
from services.local.play.outcome import FILES, Outcome, to_json, write_files
from tests.unit.services.position.builders import NOW, fill, hear, make_positions

DIGEST = """
from tests.unit.services.local.play.test_outcome import collected
print(collected().sha256())
"""
ROOT = Path(__file__).parents[4]


def collected() -> Outcome:
    """The outcome of a run of one position, opened and closed."""

    async def collect() -> Outcome:
        bus = LocalBus(lockstep=True)
        await bus.start()
        async with Outcome(bus) as outcome:
            desk = make_positions()
            for event in hear(desk, fill(), fill("SELL", price="130.00", at_ms=NOW + 1000)):
                await bus.publish(record_of(event))
            await bus.idle()
        await bus.stop()
        return outcome

    return asyncio.run(collect())


def test_the_outcome_holds_the_events_of_each_file_in_order() -> None:
    outcome = collected()
    files = outcome.files()
    assert set(files) == {*FILES.values(), "candles.csv"}
    lines = [json.loads(line) for line in files["positions.jsonl"].splitlines()]
    assert [line["type"] for line in lines] == ["PositionOpened", "PositionClosed"]
    figures = outcome.day.figures()
    assert (figures["positions_opened"], figures["positions_closed"]) == (1, 1)
    assert figures["realised_pnl"] == 750
    assert figures["net_pnl"] == figures["realised_pnl"] - figures["charges"]


def test_the_digest_is_that_of_all_files_by_name() -> None:
    outcome = collected()
    expected = hashlib.sha256()
    for name, content in sorted(outcome.files().items()):
        expected.update(f"{name}\0{len(content)}\0{content}".encode())
    assert outcome.sha256() == expected.hexdigest()


@pytest.mark.parametrize(
    "surroundings",
    [
        {"TZ": "America/New_York", "LC_ALL": "C", "PYTHONHASHSEED": "1"},
        {"TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "2"},
    ],
)
def test_the_digest_does_not_depend_on_the_machine(surroundings: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DIGEST],
        env=os.environ | surroundings,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == collected().sha256()


def test_files_are_written_in_utf_8_and_replace_older_ones(tmp_path: Path) -> None:
    folder = tmp_path / "var" / "out"
    write_files(folder, {"a.txt": "old", "b.txt": "₹"})
    write_files(folder, {"a.txt": "new\n"})
    assert (folder / "a.txt").read_bytes() == b"new\n"
    assert (folder / "b.txt").read_bytes() == "₹".encode()
    assert sorted(path.name for path in folder.iterdir()) == ["a.txt", "b.txt"]


def test_when_one_file_cannot_be_written_none_is(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": "old"})
    with pytest.raises(FileNotFoundError):
        write_files(tmp_path, {"a.txt": "new", "no/such/folder.txt": "x"})
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_summary_is_json_with_money_as_numbers_and_days_as_text() -> None:
    text = to_json({"net_pnl": Decimal("12.50"), "day": date(2026, 6, 17), "n": 3})
    assert json.loads(text) == {"net_pnl": 12.5, "day": "2026-06-17", "n": 3}
    with pytest.raises(TypeError, match="set cannot be written to a summary"):
        to_json({"what": {1}})
