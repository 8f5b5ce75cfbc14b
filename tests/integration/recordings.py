"""Recorded ticks of our own, made by seed: the generator's prices in the recorded layout."""

import gzip
from collections.abc import Collection, Sequence
from datetime import date
from pathlib import Path

import pandas as pd

from libs.market.calendar import load_calendar
from libs.market.rulebook import load_rulebook
from services.simulator.domain.market.synthetic import SyntheticMarket
from services.simulator.domain.market.underlyings import DEFAULT_UNIVERSE

DAY = date(2026, 6, 17)
EARLIER = (date(2026, 6, 12), date(2026, 6, 15), date(2026, 6, 16))
SYMBOLS = ("NIFTY 50", "RELIANCE", "SBIN", "INFY")
SEED = 3


def write_recording(
    folder: Path,
    days: Sequence[date] = (*EARLIER, DAY),
    symbols: Collection[str] = SYMBOLS,
    every_seconds: int = 15,
) -> Path:
    """Write a row per symbol and so many seconds of each day's session; return the folder."""
    specs = [spec for spec in DEFAULT_UNIVERSE if spec.tradingsymbol in symbols]
    for day in days:
        market = SyntheticMarket(SEED, day, load_calendar(), load_rulebook(), specs)
        (folder / day.isoformat()).mkdir(parents=True, exist_ok=True)
        for symbol in symbols:
            path = market.path(symbol)
            at = pd.to_datetime(path.at_ms[::every_seconds] + 330 * 60_000, unit="ms")
            table = pd.DataFrame(
                {
                    "timestamp": at.strftime("%Y-%m-%d %H:%M:%S"),
                    "ltp": path.last_price[::every_seconds],
                    "volume": path.volume_traded[::every_seconds],
                }
            )
            text = table.to_csv(index=False).encode()
            (folder / day.isoformat() / f"{symbol}.csv.gz").write_bytes(gzip.compress(text))
    return folder
