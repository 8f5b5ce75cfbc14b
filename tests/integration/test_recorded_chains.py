"""`alphastocks chain` and `replay --chain` as a user runs them."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pandas as pd
import pytest

from libs.store.store import StoreAddress
from tests.integration.commands import alphastocks, settings_file, summary_of
from tests.unit.services.local.recorded_chains.chain_files import (
    at,
    minutes,
    snapshots,
    strikes_around,
    write_chain,
)
from tests.unit.services.local.recorded_chains.played import signal

SPOTS = [24_500.0, 24_505.0, 24_498.0, 24_380.0, 24_375.0, 24_370.0]


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    rows = list(snapshots(minutes("10:00", SPOTS), strikes=strikes_around(24_500)))
    rows[5]["CALLS_Bid_Price"] = "-3"
    return write_chain(tmp_path / "chain.csv", rows)


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    lines = [signal(at("10:00:20"), "BUY"), signal(at("10:01"), "SELL", symbol="NOPE")]
    file = tmp_path / "signals.jsonl"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return file


def test_a_chain_is_traded_and_stored_and_a_second_run_is_the_same(
    chain: Path,
    asked: Path,
    tmp_path: Path,
    clickhouse_server: StoreAddress,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    database = replace(clickhouse_server, database=f"test_chain_{uuid4().hex[:8]}")
    config = settings_file(tmp_path, database, "")
    words = ("replay", "--chain", chain, "--signals", asked, "--config", config)
    for name in ("one", "two"):
        where = ("--out", tmp_path / name, "--var", tmp_path / "var")
        assert alphastocks(monkeypatch, *words, *where) == 0
    first, second = summary_of(tmp_path / "one"), summary_of(tmp_path / "two")
    assert first["sha256"] == second["sha256"]
    assert (first["positions_closed"], first["decisions"], first["dead_letters"]) == (1, 1, 0)
    assert first["rows_left_out"] == {"CALLS_Bid_Price is negative or no number": 1}
    assert first["signals_refused"] == ["line 2: symbol 'NOPE' is not known: the chain is of NIFTY"]
    said = capsys.readouterr().out
    assert "The file has no spot: that of NIFTY is derived by put-call parity" in said
    assert f"{chain}, line 7: CALLS_Bid_Price is negative or no number (1 row left out)" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--chain", "chain.csv"), "--signals: is missing beside --chain"),
        (("--signals", "signals.jsonl"), "--chain: is missing beside --signals"),
        ((), "DIR: is missing"),
        (("ticks",), "--date: name the day"),
        (("ticks", "--chain", "chain.csv", "--signals", "signals.jsonl"), "--chain: "),
        (("--chain", "none.csv", "--signals", "signals.jsonl"), "none.csv: No such file"),
        (("--chain", "chain.csv", "--signals", "none"), "--signals: none: No such file"),
        (
            ("--chain", "chain.csv", "--signals", "signals.jsonl", "--date", "2025-08-28"),
            "no fresh snapshot of 2025-08-28; there are: 2025-08-29",
        ),
        (
            ("--chain", "chain.csv", "--signals", "signals.jsonl", "--symbols", "A,B"),
            "--symbols: 'A,B': a chain is of one underlying",
        ),
    ],
)
def test_what_does_not_belong_together_is_one_line_and_no_run(
    words: tuple[str, ...],
    said: str,
    chain: Path,
    asked: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(chain.parent)
    assert alphastocks(monkeypatch, "replay", *words, "--out", "out") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not Path("out").exists()


def test_a_stale_file_is_refused_with_its_ages(
    recorded: Callable[[str], Path],
    asked: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = recorded("option_chain/NIFTY_2025-08-27_holiday_stale.csv.gz")
    words = ("--chain", file, "--signals", asked, "--out", asked.parent / "out")
    assert alphastocks(monkeypatch, "replay", *words) == 2
    assert "stale: collected 18 h 15 min to 18 h 21 min after" in capsys.readouterr().err


def test_the_values_of_a_chain_are_written_and_a_bad_row_is_a_counted_line(
    chain: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "deep" / "values.csv"
    words = ("chain", chain, "--underlying", "NSE:NIFTY 50", "--out", out)
    assert alphastocks(monkeypatch, *words) == 0
    table = pd.read_csv(out)
    assert len(table) == 2 * 13 * len(SPOTS) - 1
    assert table["forward"].notna().all()
    assert f"{chain}, line 7: CALLS_Bid_Price is negative" in capsys.readouterr().out


def test_the_other_strikes_come_to_the_same_by_the_file_and_by_what_was_stored(
    chain: Path,
    asked: Path,
    tmp_path: Path,
    clickhouse_server: StoreAddress,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    database = replace(clickhouse_server, database=f"test_chain_{uuid4().hex[:8]}")
    config = settings_file(tmp_path, database, "")
    outcome, var = tmp_path / "outcome", ("--config", config, "--var", tmp_path / "var")
    words = ("replay", "--chain", chain, "--signals", asked, "--out", outcome)
    assert alphastocks(monkeypatch, *words, *var) == 0
    sources: dict[str, tuple[object, ...]] = {
        "file": (outcome, "--chain", chain),
        "stored": (outcome,),
        "all stored": ("--from", "2025-08-29", "--to", "2025-08-30"),
        "decisions stored": ("--chain", chain),
    }
    for name, of in sources.items():
        assert alphastocks(monkeypatch, "regret", *of, "--out", tmp_path / name, *var) == 0
    first, *others = (pd.read_csv(tmp_path / name / "candidates.csv") for name in sources)
    for other in others:
        pd.testing.assert_frame_equal(
            first.drop(columns="strategy"), other.drop(columns="strategy")
        )
    assert len(first) == 6  # a row of the seventh strike was left out
    assert first["chosen"].sum() == 1
    assert set(first["exit_reason"]) == {"stop_loss"}
    assert len(pd.read_csv(tmp_path / "file" / "weights.csv")) == 15
    said = capsys.readouterr().out
    assert "No recommendation: at most 1 cases of 1 days differ; 30 cases of 5 days" in said


def test_a_decision_that_cannot_be_read_is_one_line_that_names_it(
    chain: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    outcome = tmp_path / "outcome"
    outcome.mkdir()
    case = {"type": "ExecutionDecided"}
    (outcome / "decisions.jsonl").write_text(json.dumps(case).replace(" ", "") + "\n")
    for name in ("orders", "signals"):
        (outcome / f"{name}.jsonl").write_text("")
    assert (
        alphastocks(monkeypatch, "regret", outcome, "--chain", chain, "--out", tmp_path / "o") == 2
    )
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{outcome}/decisions.jsonl, line 1: Field required" in line


def test_an_outcome_without_a_database_needs_a_file_of_quotes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "decisions.jsonl").write_text("")
    (tmp_path / "var").mkdir()
    monkeypatch.chdir(tmp_path)
    assert alphastocks(monkeypatch, "regret", ".", "--out", "out") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "summary.json names no database: name it by --database" in line
