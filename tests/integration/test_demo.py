"""The demo, as a newcomer runs it: with a server of its own, in an empty folder.

Here it plays a day of one hour; `make prove` plays the whole day that `make demo` plays.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from libs.store.store import StoreAddress
from tests.integration.commands import alphastocks, events_of, settings_file, summary_of
from tests.recomputed import differences, read

MUHURAT = "2025-10-21"
NEAR_EXPIRY = {
    f"ALPHASTOCKS_{section}__BEFORE_SETTLEMENT_DAYS": "0"
    for section in ("EXECUTOR__ENTRY", "POSITION__EXITS")
}
"""Options on shares trade too, although they are settled in shares a week later."""
FIGURES = (
    "ticks",
    "ticks_rejected",
    "candles",
    "strategy_signals",
    "signals",
    "orders",
    "positions_opened",
    "positions_closed",
    "realised_pnl",
    "charges",
    "net_pnl",
    "dead_letters",
    "seconds_by_stage",
    "elapsed_seconds",
    "sha256",
)


@pytest.fixture(scope="module")
def played(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Run `alphastocks demo` in a folder of its own and return the folder and what it said."""
    folder = tmp_path_factory.mktemp("demo")
    command = [str(Path(sys.executable).with_name("alphastocks")), "demo", "--date", MUHURAT]
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | NEAR_EXPIRY,
        capture_output=True,
        text=True,
        check=False,
    )
    return folder, done


def test_the_demo_opens_and_closes_positions_and_shows_every_figure(
    played: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = played
    assert done.returncode == 0, done.stderr
    summary = summary_of(folder / "var" / "demo")
    assert all(figure in summary for figure in FIGURES)
    assert summary["positions_opened"] == summary["positions_closed"] >= 5
    assert summary["dead_letters"] == 0
    assert all(summary["ticks_rejected"].values())
    for figure in ("positions closed", "net pnl", "dead letters", "seconds by stage"):
        assert figure in done.stdout


def test_every_decision_of_the_demo_follows_from_its_record_alone(
    played: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    records = read((played[0] / "var" / "demo" / "decisions.jsonl").read_text())
    assert {record["outcome"] for record in records} == {"executed", "refused"}
    assert [one for record in records for one in differences(record)] == []


def test_the_brokers_books_say_the_same_as_ours(
    played: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    out = played[0] / "var" / "demo"
    summary = summary_of(out)
    assert summary["broker_differences"] == []
    assert summary["broker_orders"] == summary["orders"] >= 10
    assert summary["broker_trades"] == summary["fills"]
    kinds = [event["type"] for event in events_of(out, "orders.jsonl")]
    assert "OrderUnresolved" not in kinds
    assert "OrderRejected" not in kinds


def test_the_demo_shows_no_progress_bar_where_nobody_watches(
    played: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    assert played[1].stderr == ""


def test_the_money_of_the_demo_adds_up(
    played: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    out = played[0] / "var" / "demo"
    closed = [e for e in events_of(out, "positions.jsonl") if e["type"] == "PositionClosed"]
    value = sum(float(e["sell_value"]) - float(e["buy_value"]) for e in closed)
    charges = sum(float(e["charges"]) for e in closed)
    summary = summary_of(out)
    assert summary["realised_pnl"] == pytest.approx(value, abs=0.01 * len(closed))
    assert summary["net_pnl"] == pytest.approx(value - charges, abs=0.01 * len(closed))


def test_the_demo_leaves_nothing_running(
    played: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder = str(played[0])
    running = [entry for entry in os.listdir("/proc") if entry.isdigit()]
    assert not [pid for pid in running if folder in command_line(pid)]


def command_line(pid: str) -> str:
    """Return the command line of a process, empty for one that has just ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


@pytest.mark.proof("two minutes; in small: two replays, the feed over a socket")
def test_two_demos_of_a_short_day_have_the_same_digest_though_they_go_over_sockets(
    monkeypatch: pytest.MonkeyPatch, database: StoreAddress, tmp_path: Path
) -> None:
    config, digests = settings_file(tmp_path, database), []
    for number in (1, 2):
        out, var = tmp_path / f"out{number}", tmp_path / f"var{number}"
        options = ("--date", MUHURAT, "--config", config, "--out", out, "--var", var)
        assert alphastocks(monkeypatch, "demo", *options) == 0
        summary = summary_of(out)
        assert summary["orders"] > 0
        assert summary["broker_differences"] == []
        digests.append(summary["sha256"])
    assert digests[0] == digests[1]


@pytest.mark.proof("minutes; in small: the demo of a day of one hour")
def test_the_whole_day_of_the_demo_is_traded_and_the_brokers_books_say_the_same(
    tmp_path: Path,
) -> None:
    command = [str(Path(sys.executable).with_name("alphastocks")), "demo"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    summary = summary_of(tmp_path / "var" / "demo")
    assert summary["positions_opened"] == summary["positions_closed"] >= 5
    assert summary["broker_differences"] == []
    assert summary["dead_letters"] == 0
