"""The outcome of a run: all its business events, as files and as one sha256."""

import csv
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from libs.events.bus import Bus
from libs.events.candles import MINUTES, Candle, CandleBatch
from libs.events.control import HistoryLoaded, StrategyStopped
from libs.events.dispatcher.dispatcher import Dispatcher
from libs.events.event import Event, utc_from_ms
from libs.events.topics import TOPIC_OF, TOPICS
from libs.market.calendar import IST
from services.local.play.day_events import DayEvents

FILES: Mapping[str, str] = {
    "strategy_signals": "strategy_signals.jsonl",
    "signal_generated": "signals.jsonl",
    "signal_updates": "signal_updates.jsonl",
    "decisions": "decisions.jsonl",
    "orders": "orders.jsonl",
    "positions": "positions.jsonl",
}
"""Topic → file of its events, one JSON object a line, in publish order."""

CANDLE_COLUMNS = (
    "tradingsymbol",
    "interval",
    "opened_at",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "ticks",
    "revision",
)
_INTERVALS = (*MINUTES, "day")


class Outcome:
    """Collects the events of a bus for as long as its `async with` lasts."""

    def __init__(self, bus: Bus) -> None:
        self.events: dict[str, list[Event]] = {topic: [] for topic in FILES}
        self.day = DayEvents()
        self.history: HistoryLoaded | None = None
        self._candles: dict[tuple[str, str, int], Candle] = {}
        self._bus = bus
        self._dispatcher = Dispatcher(remembered=0)
        kept = [event for topic in FILES for event in TOPICS[topic].events]
        self._dispatcher.subscribe(self._keep, *kept)
        self._dispatcher.subscribe(self._take_candles, CandleBatch)
        self._dispatcher.subscribe(self._take_history, HistoryLoaded)
        self._dispatcher.subscribe(self._take_stopped, StrategyStopped)

    async def __aenter__(self) -> Self:
        """Join the bus as a group of its own."""
        await self._dispatcher.start()
        await self._dispatcher.follow(self._bus, "outcome", (*FILES, "candles", "control"))
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        """Leave the bus; raise RuntimeError if an event could not be collected."""
        await self._dispatcher.stop()
        if kind is None and self._dispatcher.dead_letters:
            raise RuntimeError(f"incomplete outcome: {self._dispatcher.dead_letters[0].reason}")

    async def _keep(self, event: Event) -> None:
        self.events[TOPIC_OF[event.type]].append(event)
        self.day.take(event)

    async def _take_stopped(self, event: StrategyStopped) -> None:
        self.day.take(event)

    async def _take_history(self, event: HistoryLoaded) -> None:
        self.history = event

    async def _take_candles(self, batch: CandleBatch) -> None:
        for candle in batch.candles():
            self._candles[candle.tradingsymbol, candle.interval, candle.opened_ms] = candle

    def candles(self) -> list[Candle]:
        """Return the last revision of each candle, by symbol, interval and time."""
        order = {interval: at for at, interval in enumerate(_INTERVALS)}
        return sorted(
            self._candles.values(), key=lambda c: (c.tradingsymbol, order[c.interval], c.opened_ms)
        )

    def files(self) -> dict[str, str]:
        """Return file name → content of the whole outcome."""
        made = {
            name: "".join(f"{event.model_dump_json()}\n" for event in self.events[topic])
            for topic, name in FILES.items()
        }
        return {"candles.csv": candle_table(self.candles()), **made}

    def sha256(self) -> str:
        """Return one digest over the content of all files, by name."""
        return sha256_of(self.files())


def sha256_of(files: Mapping[str, str]) -> str:
    """Return one digest over the content of files, by name."""
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content.encode())
    return digest.hexdigest()


def candle_table(candles: Iterable[Candle]) -> str:
    """Return candles as CSV text, with times in India."""
    return csv_text(CANDLE_COLUMNS, map(_candle_row, candles))


def _candle_row(candle: Candle) -> Sequence[object]:
    opened_at = utc_from_ms(candle.opened_ms).astimezone(IST).isoformat()
    prices = [repr(getattr(candle, name)) for name in ("open", "high", "low", "close")]
    counts = [candle.volume, candle.ticks, candle.revision]
    return [candle.tradingsymbol, candle.interval, opened_at, *prices, *counts]


def csv_text(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """Return rows under the names of their columns as CSV text."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(columns)
    table.writerows(rows)
    return out.getvalue()


def write_files(folder: Path, contents: Mapping[str, str]) -> None:
    """Write all files, each whole or not at all; create the folder if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".writing-") as scratch:
        for name, content in contents.items():
            (Path(scratch) / name).write_bytes(content.encode())
        for name in contents:
            os.replace(Path(scratch) / name, folder / name)


def to_json(summary: Mapping[str, Any]) -> str:
    """Return a summary as indented JSON."""
    return json.dumps(summary, indent=2, default=_plain) + "\n"


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be written to a summary")
