"""Times as recordings write them → epoch ms: India's time unless there is an offset."""

import re
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from libs.market.calendar import IST_OFFSET_MS

Integers = NDArray[np.int64]
_SECONDS = "%Y-%m-%d %H:%M:%S"
_EPOCH = re.compile(r"\d{9,19}(\.\d+)?")
_DAY = re.compile(r"^(\d{4})(\d{2})(\d{2})(?!\d)")
_OFFSET = re.compile(r".{10}.*(Z|[+-]\d{2}:?\d{2})$")
_PER_MS = ((10**17, 10**6), (10**14, 10**3), (10**11, 1))
"""Epoch times of at least so much are nano-, micro- or milliseconds: so many a millisecond."""
_NONE = np.iinfo(np.int64).min
_MOST_MS = 253_402_300_800_000


def epoch_ms(values: "pd.Series[pd.Timestamp]") -> tuple[Integers, NDArray[np.bool_]]:
    """Return epoch ms, and which values are no time; fractions below a millisecond are cut off."""
    if pd.api.types.is_datetime64_any_dtype(values):
        return _of_datetimes(values)
    if pd.api.types.is_numeric_dtype(values):
        return _of_numbers(values.to_numpy())
    texts = values.astype("str").str.strip()
    first = next((one for one in texts.iloc[:100] if isinstance(one, str) and one), "")
    if _EPOCH.fullmatch(first):
        return _of_numbers(pd.to_numeric(texts, errors="coerce").to_numpy())
    return _of_datetimes(_parsed(texts, first))


def _of_datetimes(times: "pd.Series[pd.Timestamp]") -> tuple[Integers, NDArray[np.bool_]]:
    offset_ms = 0
    if times.dt.tz is None:
        offset_ms = IST_OFFSET_MS
    else:
        times = times.dt.tz_convert("UTC").dt.tz_localize(None)
    at_ms = times.to_numpy("datetime64[ms]").astype(np.int64)
    is_none = at_ms == _NONE
    return np.where(is_none, 0, at_ms - offset_ms), is_none


def _of_numbers(numbers: NDArray[Any]) -> tuple[Integers, NDArray[np.bool_]]:
    highest = np.nanmax(numbers, initial=0)
    per_ms = next((per_ms for least, per_ms in _PER_MS if highest >= least), None)
    at_ms = np.round(numbers * 1000) if per_ms is None else numbers // per_ms
    is_none = ~((at_ms >= 0) & (at_ms < _MOST_MS))
    return np.where(is_none, 0, at_ms).astype(np.int64), is_none


def _parsed(texts: "pd.Series[str]", first: str) -> "pd.Series[pd.Timestamp]":
    if _DAY.match(first):
        texts = texts.str.replace(_DAY.pattern, r"\1-\2-\3", regex=True)
    if _OFFSET.match(first):
        return pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=True)
    times = pd.to_datetime(texts, format=_SECONDS, errors="coerce")
    rest = times.isna()
    if rest.any():
        times = times.where(~rest, _iso(texts[rest]))
    return times


def _iso(texts: "pd.Series[str]") -> "pd.Series[pd.Timestamp]":
    """Return times without an offset; in a file of such times another one cannot be trusted."""
    has_offset = texts.str.match(_OFFSET.pattern).fillna(False).astype(bool)
    return pd.to_datetime(texts.where(~has_offset), format="ISO8601", errors="coerce")
