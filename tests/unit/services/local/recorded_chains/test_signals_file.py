"""Lines that are no signal: each is refused by itself, with its number and its reason."""

import json
from pathlib import Path
from typing import Any

import pytest

from libs.runtime.settings import SettingsError
from services.local.recorded_chains.market import ChainDay
from services.local.recorded_chains.signals_file import read_signals
from tests.unit.services.local.recorded_chains.chain_files import (
    at,
    minutes,
    snapshots,
    write_chain,
)
from tests.unit.services.local.recorded_chains.played import day_of, scripted, signal

GOOD = signal(at("10:00"), "BUY")


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> ChainDay:
    folder = tmp_path_factory.mktemp("chain")
    rows = snapshots(minutes("10:00", [24_510.0, 24_512.0]))
    return day_of(write_chain(folder / "chain.csv", rows))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "no JSON"),
        ("[]", "not a JSON object"),
        ("{}", "occurred_at is missing"),
        (GOOD | {"symbol": "BANKNIFTY"}, "symbol 'BANKNIFTY' is not known: the chain is of NIFTY"),
        (GOOD | {"symbol": None}, "symbol None is not known"),
        (GOOD | {"action": "HOLD"}, "action is 'HOLD', not BUY or SELL"),
        (GOOD | {"action": ["BUY"]}, "action is ['BUY']"),
        (GOOD | {"price": float("nan")}, "price is nan, not a number"),
        (GOOD | {"target": float("inf")}, "target is inf, not a number"),
        (GOOD | {"stop_loss": "24400"}, "stop_loss is '24400', not a number"),
        (GOOD | {"price": 10**400}, "price is too large"),
        ("[" * 100_000, "no JSON: nested too deeply"),
        (GOOD | {"occurred_at": "0001-01-01T00:00:00+05:30"}, "occurred_at is '0001-01-01"),
        (GOOD | {"occurred_at": "9999-12-31T23:59:59-05:30"}, "occurred_at is '9999-12-31"),
        (GOOD | {"price": -24_500}, "price is -24500.0, not above 0"),
        (GOOD | {"confidence": 1.2}, "confidence is 1.2, not between 0 and 1"),
        (GOOD | {"expected_move_pct": -1}, "expected_move_pct is -1.0, below 0"),
        (GOOD | {"stop_loss": 24_600}, "contradict BUY"),
        (GOOD | {"strategy": 7}, "strategy is 7, not a name"),
        (GOOD | {"occurred_at": "ten o'clock"}, 'occurred_at is "ten o\'clock"'),
        (GOOD | {"occurred_at": 7}, "occurred_at is 7"),
        (GOOD | {"occurred_at": "2025-09-09T15:30:00+05:30"}, "occurred_at is past the expiry"),
        (GOOD | {"occurred_at": "2025-09-01T10:00:00+05:30"}, "occurred_at is not on 2025-08-29"),
        (GOOD | {"occurred_at": "2025-08-29T09:14:59+05:30"}, "outside the session: 09:14:59"),
        (GOOD | {"occurred_at": "2025-08-29T15:30:00+05:30"}, "outside the session: 15:30:00"),
        (GOOD, "the same signal stands in an earlier line"),
    ],
)
def test_a_wrong_line_is_refused_and_the_others_count(
    line: dict[str, Any] | str, reason: str, day: ChainDay, tmp_path: Path
) -> None:
    other = signal(at("10:01"), "SELL", symbol="NSE:NIFTY 50")
    found = scripted(tmp_path, [GOOD, "", line, other], day)
    assert [one.action for one in found.signals] == ["BUY", "SELL"]
    (refused,) = found.refused
    assert refused.line == 3
    assert reason in refused.reason


def test_a_time_without_an_offset_is_indias_and_the_signals_come_by_time(
    day: ChainDay, tmp_path: Path
) -> None:
    late = signal(at("10:01"), "SELL", strategy="mine")
    found = scripted(tmp_path, [late, GOOD | {"occurred_at": "2025-08-29T10:00:00"}], day)
    assert [one.occurred_at for one in found.signals] == [at("10:00"), at("10:01")]
    assert [one.strategy for one in found.signals] == ["scripted", "mine"]


@pytest.mark.parametrize("lines", [[], ["", "  "], ["{", "[]"]])
def test_a_file_without_a_signal_is_refused(
    lines: list[str], day: ChainDay, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=r"--signals: .*signals.jsonl: no signal is left"):
        scripted(tmp_path, lines, day)


def test_the_mark_that_spreadsheets_put_first_is_no_part_of_the_first_line(
    day: ChainDay, tmp_path: Path
) -> None:
    file = tmp_path / "signals.jsonl"
    file.write_text(json.dumps(GOOD), encoding="utf-8-sig")
    assert read_signals(file, day, lambda _: None).refused == ()
