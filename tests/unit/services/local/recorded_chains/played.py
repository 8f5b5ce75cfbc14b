"""Plays chains through the real services, for tests."""

import asyncio
import csv
import gzip
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from libs.market.calendar import IST, load_calendar
from libs.market.rulebook import load_rulebook
from services.local.play.replaying import Played
from services.local.recorded_chains.market import ChainDay, chain_day
from services.local.recorded_chains.playing import for_snapshots, play_chains
from services.local.recorded_chains.reading import read_chain_rows
from services.local.recorded_chains.signals_file import Scripted, read_signals
from services.local.recorded_chains.valuation import closes_by
from services.local.settings import LocalSettings
from tests.unit.services.local.recorded_chains.chain_files import RATE

RECORDED = "option_chain/NIFTY_2025-08-29_1min_snapshots.csv.gz"


def day_of(file: Path) -> ChainDay:
    """Return the day of a file."""
    return chain_day(read_chain_rows(file, None), None, RATE, load_rulebook(), load_calendar())


def signal(at: datetime, action: str, **changes: Any) -> dict[str, Any]:
    """Return a line of a file of signals."""
    sign = 1 if action == "BUY" else -1
    return {
        "occurred_at": at.isoformat(),
        "symbol": "NIFTY",
        "action": action,
        "price": 24_500,
        "stop_loss": 24_500 - 100 * sign,
        "target": 24_500 + 200 * sign,
        "confidence": 0.8,
        "expected_move_pct": 1.5,
    } | changes


def scripted(folder: Path, lines: Iterable[Mapping[str, Any] | str], day: ChainDay) -> Scripted:
    """Return the signals of these lines."""
    file = folder / "signals.jsonl"
    texts = (one if isinstance(one, str) else json.dumps(one) for one in lines)
    file.write_text("".join(f"{text}\n" for text in texts))
    return read_signals(file, day, closes_by(load_calendar(), day.day))


def played(day: ChainDay, signals: Scripted, settings: LocalSettings) -> Played:
    """Play a day without tables."""
    fitted = for_snapshots(settings.in_paper(), day.spacing_ms)
    return asyncio.run(play_chains(fitted, day, signals.signals, None, lambda _: None))


def snapshots_in(file: Path, expiry: str) -> dict[datetime, list[dict[str, str]]]:
    """Return the rows of one expiry by the exchange's time, read with the csv module alone."""
    opened = gzip.open if file.name.endswith(".gz") else open
    found: dict[datetime, dict[str, dict[str, str]]] = {}
    polls: dict[str, str] = {}
    with opened(file, "rt") as lines:
        for row in csv.DictReader(lines):
            poll = polls.setdefault(row["Fetch_Time"], row["collection_timestamp"])
            if row["Expiry_Date"] == expiry and row["collection_timestamp"] == poll:
                at = datetime.strptime(row["Fetch_Time"], "%d-%b-%Y %H:%M:%S").replace(tzinfo=IST)
                found.setdefault(at, {})[row["Strike_Price"]] = row
    return {at: list(of.values()) for at, of in sorted(found.items())}
