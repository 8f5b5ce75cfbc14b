"""Which instrument a file's candles are of."""

from pathlib import Path

from libs.market.naming import name_in, tradingsymbol_of

SUFFIXES = (".csv", ".csv.gz", ".parquet")
EXCHANGE = "NSE"


def instrument_in(path: Path) -> str:
    """Return the tradingsymbol that a file's name says: `RELIANCE_2024-04_2025-03.csv.gz`."""
    stem = path.name
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        stem = stem.removesuffix(suffix)
    return tradingsymbol_of(name_in(stem) or stem)
