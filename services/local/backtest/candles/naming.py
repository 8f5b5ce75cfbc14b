"""Which instrument a file's candles are of."""

import re
from pathlib import Path

from libs.market.instruments import underlying_name
from libs.market.packaged import load_table
from libs.market.rulebook import load_rulebook

SUFFIXES = (".csv", ".csv.gz", ".parquet")
EXCHANGE = "NSE"
_NO_NAME = re.compile(r"\d{4}(-\d{2}){0,2}|\d{8}|\d+(m|min|minute)|day|daily", re.IGNORECASE)


def tradingsymbol_of(name: str) -> str:
    """Return Kite's tradingsymbol of a name as vendors write it: `NIFTYBANK` → `NIFTY BANK`."""
    underlying = underlying_name(name)
    if not is_index(underlying):
        return underlying
    aliases: dict[str, str] = load_table("aliases.toml")["aliases"]
    return next((alias for alias, meant in aliases.items() if meant == underlying), underlying)


def is_index(name: str) -> bool:
    """Return whether a name is an index, which cannot be traded itself."""
    return underlying_name(name) in load_rulebook().index_strike_steps


def instrument_in(path: Path) -> str:
    """Return the tradingsymbol that a file's name says: `RELIANCE_2024-04_2025-03.csv.gz`.

    Dates and intervals in the name are left out.
    """
    stem = path.name
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        stem = stem.removesuffix(suffix)
    parts = [part for part in stem.split("_") if not _NO_NAME.fullmatch(part)]
    return tradingsymbol_of("_".join(parts) or stem)
