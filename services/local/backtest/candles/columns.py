"""The columns of a table of candles, checked row by row: the first wrong one is named."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from libs.market.calendar import IST
from services.local.backtest.candles.history import Floats, Integers
from services.local.backtest.errors import BacktestError

PRICES = ("open", "high", "low", "close")
_TIMES = ("timestamp", "datetime", "date")
_OFFSET = re.compile(r".{10}.*(Z|[+-]\d{2}:?\d{2})")
_DAY = re.compile(r"\d{8}(\D|$)")


@dataclass(frozen=True, slots=True)
class Table:
    """A frame with lower-case column names, and how a row of it is called in an error."""

    frame: pd.DataFrame
    where: Callable[[int], str]
    name: str

    def refuse(self, row: int, reason: str) -> BacktestError:
        """Return the error of a row."""
        return BacktestError(f"{self.where(row)}: {reason}")

    def column(self, *names: str) -> str | None:
        """Return the first of these columns that is there."""
        return next((name for name in names if name in self.frame.columns), None)

    def needed(self, name: str) -> str:
        """Return a column's name; raise BacktestError if it is not there."""
        if name not in self.frame.columns:
            there = ", ".join(map(str, self.frame.columns))
            raise BacktestError(f"{self.name}: there is no column {name}; there are {there}")
        return name


def opened_ms(table: Table) -> Integers:
    """Return when each candle opens, epoch ms: India's time unless there is an offset."""
    name = table.column(*_TIMES)
    if name is None:
        table.needed("timestamp")
    values = table.frame[name]
    if name == "date" and "time" in table.frame.columns:
        values = values.astype(str) + " " + table.frame["time"].astype(str)
    elif pd.api.types.is_numeric_dtype(values) and not _is_days(values):
        raise table.refuse(0, f"{name} {values.iloc[0]} is no time such as 2024-04-26 09:15:00")
    times = values if pd.api.types.is_datetime64_any_dtype(values) else _parsed(table, values)
    _refuse_first(table, times.isna().to_numpy(), lambda row: f"{name} is missing")
    aware = times.dt.tz_localize(IST) if times.dt.tz is None else times
    at = np.asarray(aware.dt.tz_convert("UTC").dt.as_unit("ms").astype("int64"))
    return at


def _is_days(values: "pd.Series[int]") -> bool:
    return bool(((values >= 19_000_101) & (values < 21_000_101)).all())


def _parsed(table: Table, values: "pd.Series[str]") -> "pd.Series[pd.Timestamp]":
    texts = values.astype(str).str.strip()
    has_offset = bool(_OFFSET.fullmatch(texts.iloc[0]))
    if _DAY.match(texts.iloc[0]):
        texts = texts.str.replace(r"^(\d{4})(\d{2})(\d{2})", r"\1-\2-\3", regex=True)
    is_other = texts.str.fullmatch(_OFFSET.pattern).to_numpy() != has_offset
    times = pd.to_datetime(
        texts.where(~is_other), format="ISO8601", errors="coerce", utc=has_offset
    )
    bad = np.asarray(times.isna())
    _refuse_first(table, bad, lambda row: f"cannot read the time {texts.iloc[row]!r}")
    return times


def price(table: Table, name: str) -> Floats:
    """Return a column of prices; raise BacktestError for one that is missing, or not above 0."""
    values = _numbers(table, table.needed(name))
    _refuse_first(table, ~(values > 0), lambda row: f"{name} is {values[row]:g}, not above 0")
    return values


def volume(table: Table) -> Integers:
    """Return the volume in units, 0 where there is no such column."""
    if "volume" not in table.frame.columns:
        return np.zeros(len(table.frame), np.int64)
    values = _numbers(table, "volume")
    _refuse_first(table, values < 0, lambda row: f"volume is {values[row]:g}, below 0")
    return np.rint(values).astype(np.int64)


def vwap(table: Table) -> Floats:
    """Return the average price by volume, nan where it is not known."""
    if "vwap" not in table.frame.columns:
        return np.full(len(table.frame), np.nan)
    return np.asarray(pd.to_numeric(table.frame["vwap"], errors="coerce"), np.float64)


def check_order(table: Table, opened: Integers) -> None:
    """Raise BacktestError for a candle that opens before, or with, the one above it."""
    steps = np.diff(opened, prepend=opened[:1] - 1)
    _refuse_first(
        table,
        steps <= 0,
        lambda row: (
            "it opens at the same time as the candle above it"
            if steps[row] == 0
            else "it opens before the candle above it; sort the candles by time"
        ),
    )


def check_prices(table: Table, high: Floats, low: Floats) -> None:
    """Raise BacktestError for a high below the low."""
    _refuse_first(table, high < low, lambda row: f"high {high[row]:g} is below low {low[row]:g}")


def _numbers(table: Table, name: str) -> Floats:
    column = table.frame[name]
    values = np.asarray(pd.to_numeric(column, errors="coerce"), np.float64)
    is_missing = column.isna().to_numpy()
    _refuse_first(table, is_missing, lambda row: f"{name} is missing")
    wrong = ~np.isfinite(values)
    _refuse_first(table, wrong, lambda row: f"{name} {column.iloc[row]!r} is no finite number")
    return values


def _refuse_first(table: Table, wrong: "np.ndarray", reason: Callable[[int], str]) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        raise table.refuse(row, reason(row))
