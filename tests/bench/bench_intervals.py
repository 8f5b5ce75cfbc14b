"""What 9,000 instruments cost the candle service: at 10:15, and in memory.

At 10:15 seven intervals close at once: the time from the batches of ticks whose clock closes them
until the bus has all candles on disk, eight partitions one after the other. Memory: the highest
resident set of a process with a trade of each instrument in every minute of a day.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from libs.events.codec import record_of
from libs.events.embedded.bus import LocalBus
from libs.events.embedded.journal import Journal
from libs.market.calendar import load_calendar
from services.candle.domain.aggregator import CandleAggregator
from services.candle.domain.session_candles import CandleRules
from tests.bench.candle_market import INSTRUMENTS, listed, trades_of

REPEATS, LAST_MINUTE, AFTER_GRACE = 3, 60, 3


def measure() -> dict[str, float]:
    """Return milliseconds of the close, the number of its candles, and megabytes."""
    made = [asyncio.run(_close()) for _ in range(REPEATS)]
    memory = json.loads(
        subprocess.run(
            [sys.executable, "-m", "tests.bench.candle_memory"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    )
    return {
        "interval_boundary_ms": min(ms for ms, _ in made),
        "interval_boundary_candles": made[0][1],
        "candle_memory_mb": memory["highest"],
        "candle_memory_before_mb": memory["before"],
    }


async def _close() -> tuple[float, int]:
    """Fold an hour, then time the close of its last minute."""
    made = CandleAggregator(load_calendar(), CandleRules(), ["NSE"])
    for number in range(INSTRUMENTS):
        made.list_instrument(listed(number))
    for minute in range(LAST_MINUTE):
        for batch in trades_of(minute, AFTER_GRACE):
            made.needs_instruments(batch)
            made.on_ticks(batch)
    closing = list(trades_of(LAST_MINUTE, AFTER_GRACE))
    with tempfile.TemporaryDirectory() as folder:
        bus = LocalBus(journal=Journal(Path(folder)))
        await bus.start()
        began, candles = time.perf_counter(), 0
        for batch in closing:
            for event in made.on_ticks(batch):
                await bus.publish(record_of(event))
                candles += len(event.columns)
        await bus.flush()
        taken_ms = (time.perf_counter() - began) * 1000
        await bus.stop()
    return taken_ms, candles
