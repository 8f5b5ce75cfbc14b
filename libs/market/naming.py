"""Which instrument is meant by a name as vendors write it, in a table or in a file's name."""

import re

from libs.market.instruments import underlying_name
from libs.market.packaged import load_table
from libs.market.rulebook import load_rulebook

_NO_NAME = re.compile(
    r"\d{4}(-\d{2}){0,2}|\d{8}|\d+(s|sec|m|min|minute)|day|daily|full|quote|ltp|ticks",
    re.IGNORECASE,
)


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


def has_options(name: str) -> bool:
    """Return whether a name is an underlying whose options are listed."""
    names: dict[str, list[str]] = load_table("underlyings.toml")["names"]
    return any(underlying_name(name) in listed for listed in names.values())


def name_in(stem: str) -> str:
    """Return the name in a file's name without its suffix, "" if it has none.

    Dates, intervals and Kite's modes are left out: `RELIANCE_2024-04_2025-03` → `RELIANCE`.
    """
    return "_".join(part for part in stem.split("_") if not _NO_NAME.fullmatch(part))
