"""The strike that is chosen at each snapshot, against a second implementation."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from libs.events.signals import ExecutionDecided
from services.local.settings import LocalSettings
from tests.unit.services.local.recorded_chains.chain_files import (
    EXPIRY,
    minutes,
    snapshots,
    write_chain,
    years_from,
)
from tests.unit.services.local.recorded_chains.plain_chain import (
    Choice,
    best_strike,
    plain_spot,
)
from tests.unit.services.local.recorded_chains.played import (
    RECORDED,
    day_of,
    played,
    scripted,
    signal,
    snapshots_in,
)

NEAREST, LOT, BUDGET = "02-Sep-2025", 75, timedelta(seconds=150)
Quote = Mapping[str, str]
ENTRY = {"last_entry": "15:29", "before_close_ms": 60_000}


def decided(file: Path, folder: Path) -> dict[tuple[datetime, str], ExecutionDecided]:
    """Return what the executor decides for a call and a put at each snapshot."""
    day = day_of(file)
    moments = list(snapshots_in(file, NEAREST))
    lines = [signal(at, action) for at in moments for action in ("BUY", "SELL")]
    asked = scripted(folder, lines, day)
    settings = LocalSettings.model_validate({"executor": {"mode": "logging_only", "entry": ENTRY}})
    events = played(day, asked, settings).outcome.events["decisions"]
    by_id = {one.signal_id: one for one in asked.signals}
    found = {}
    for event in events:
        assert isinstance(event, ExecutionDecided)
        of = by_id[event.signal_id]
        found[of.occurred_at, str(of.action)] = event
    return found


def plain(file: Path) -> dict[tuple[datetime, str], Choice | None]:
    chosen = {}
    last: dict[tuple[str, str], tuple[datetime, Quote]] = {}
    for at, rows in snapshots_in(file, NEAREST).items():
        known = [kept(row, at, last) for row in rows]
        spot, years = plain_spot(rows, years_from(at, EXPIRY)), years_from(at, EXPIRY)
        for action in ("BUY", "SELL"):
            chosen[at, action] = best_strike(known, spot, years, action == "BUY", LOT)
    return chosen


def kept(row: Quote, at: datetime, last: dict[tuple[str, str], tuple[datetime, Quote]]) -> Quote:
    """Return a row in which a side without a last price has its last quote, for 150 s."""
    made = dict(row)
    for side in ("CALLS", "PUTS"):
        key = (side, row["Strike_Price"])
        if float(row[f"{side}_LTP"]) > 0:
            last[key] = (at, row)
        elif key in last and at - last[key][0] <= BUDGET:
            before = last[key][1]
            made |= {name: value for name, value in before.items() if name.startswith(side)}
    return made


def agree(file: Path, folder: Path) -> int:
    ours, expected = decided(file, folder), plain(file)
    assert ours.keys() == expected.keys()
    for key, choice in expected.items():
        event = ours[key]
        chosen = [one for one in event.candidates if one["tradingsymbol"] == event.tradingsymbol]
        assert choice is not None
        assert [one["strike"] for one in chosen] == [choice.strike], key
        assert chosen[0]["score"] == pytest.approx(choice.score, abs=1e-6)
        assert sum(not one["refusal"] for one in event.candidates) == choice.eligible
    return len(expected)


def test_in_a_made_chain_the_chosen_strike_is_that_of_the_plain_rules(tmp_path: Path) -> None:
    spots = [24_510.0, 24_533.0, 24_487.5, 24_560.0]
    file = write_chain(tmp_path / "chain.csv", snapshots(minutes("10:00", spots)))
    assert agree(file, tmp_path) == 8


def test_at_each_recorded_snapshot_the_chosen_strike_is_that_of_the_plain_rules(
    recorded: Callable[[str], Path], tmp_path: Path
) -> None:
    assert agree(recorded(RECORDED), tmp_path) == 2 * 292
