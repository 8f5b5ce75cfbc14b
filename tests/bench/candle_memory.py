"""A process that holds a day of the candles of 9,000 instruments; says its megabytes.

They are the highest resident set, and what it was before the first tick: the service's imports.
"""

import json
import sys
from importlib import import_module
from pathlib import Path

from libs.market.calendar import load_calendar
from services.candle.domain.aggregator import CandleAggregator
from services.candle.domain.session_candles import CandleRules
from tests.bench.candle_market import INSTRUMENTS, MINUTES, listed, trades_of

STATUS = Path("/proc/self/status")


def highest_mb() -> float:
    """Return the highest resident set since this program began; `getrusage` knows its parent's."""
    (line,) = (one for one in STATUS.read_text().splitlines() if one.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def main() -> None:
    """Fold a trade of each instrument in each minute of a day."""
    import_module("services.candle.service")  # what the service imports is part of it
    made = CandleAggregator(load_calendar(), CandleRules(), ["NSE"])
    before = highest_mb()
    for number in range(INSTRUMENTS):
        made.list_instrument(listed(number))
    for minute in range(MINUTES):
        for batch in trades_of(minute):
            made.needs_instruments(batch)
            made.on_ticks(batch)
    sys.stdout.write(json.dumps({"before": before, "highest": highest_mb()}) + "\n")


if __name__ == "__main__":
    main()
