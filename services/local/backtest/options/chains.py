"""Recorded option chains: snapshots as NSE shows them, calls and puts of a strike side by side."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from libs.market.arrays import BoolArray, FloatArray, IntArray
from libs.market.instruments import underlying_name
from services.local.backtest.candles.history import Days
from services.local.backtest.errors import BacktestError

_SIDES = {"CE": "CALLS", "PE": "PUTS"}
_QUOTED = {
    "last_price": "LTP",
    "bid_price": "Bid_Price",
    "bid_quantity": "Bid_Qty",
    "ask_price": "Ask_Price",
    "ask_quantity": "Ask_Qty",
    "volume": "Volume",
    "oi": "OI",
}
_NAMED = ("Fetch_Time", "Symbol", "Expiry_Date", "Strike_Price")
_SUFFIXES = (".csv", ".csv.gz")


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """All snapshots of one underlying: a row for each contract and time, oldest first.

    `at_ms` is the exchange's own stamp (epoch ms). Prices in rupees, 0 where there is none; bid and
    ask quantities in units, `volume` and `oi` in lots.
    """

    at_ms: IntArray
    expiry: Days
    strike: FloatArray
    is_call: BoolArray
    columns: Mapping[str, FloatArray]

    def rows_at(self, at_ms: int, within_ms: int) -> slice:
        """Return the rows of the last snapshot up to a time; none if it is older than allowed."""
        end = int(np.searchsorted(self.at_ms, at_ms, side="right"))
        if not end or at_ms - self.at_ms[end - 1] > within_ms:
            return slice(0, 0)
        return slice(int(np.searchsorted(self.at_ms, self.at_ms[end - 1])), end)

    def bids(
        self, expiry: date, strike: float, is_call: bool, after_ms: int, until_ms: int
    ) -> tuple[IntArray, FloatArray]:
        """Return times and bids (rupees) of a contract after a time and up to another one.

        Snapshots in which nobody bids are left out.
        """
        first, last = np.searchsorted(self.at_ms, (after_ms, until_ms), side="right")
        part = slice(int(first), int(last))
        is_mine = (
            (self.expiry[part] == np.datetime64(expiry))
            & (self.strike[part] == strike)
            & (self.is_call[part] == is_call)
            & (self.columns["bid_price"][part] > 0)
        )
        return self.at_ms[part][is_mine], self.columns["bid_price"][part][is_mine]


@dataclass(frozen=True, slots=True, eq=False)
class RecordedChains:
    """Recordings by the name of the options: NIFTY, RELIANCE."""

    of: Mapping[str, Recording]


def read_chains(path: Path) -> RecordedChains:
    """Read a file of snapshots (.csv, .csv.gz), or all of a folder; times are India's.

    Raises BacktestError for one that cannot be read.
    """
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    chosen = [file for file in files if file.name.endswith(_SUFFIXES)]
    if not chosen:
        raise BacktestError(f"{path}: no option chain there; a .csv or .csv.gz file is wanted")
    table = pd.concat([_read(file) for file in chosen], ignore_index=True)
    return RecordedChains({str(name): _recording(rows) for name, rows in table.groupby("name")})


def _read(file: Path) -> pd.DataFrame:
    wanted = [*_NAMED, *(f"{side}_{what}" for side in _SIDES.values() for what in _QUOTED.values())]
    try:
        table = pd.read_csv(file)
    except (OSError, ValueError) as error:
        raise BacktestError(f"{file}: {error}") from error
    if missing := [name for name in wanted if name not in table.columns]:
        raise BacktestError(f"{file}: column {missing[0]} is missing")
    table["at_ms"] = _times(file, table, "Fetch_Time", "%d-%b-%Y %H:%M:%S", "Asia/Kolkata")
    table["expiry"] = _times(file, table, "Expiry_Date", "%d-%b-%Y", "UTC")
    table["name"] = table["Symbol"].map(underlying_name)
    _refuse_numbers(file, table, wanted[3:])
    return table


def _times(file: Path, table: pd.DataFrame, column: str, form: str, zone: str) -> IntArray:
    """Return times as epoch ms; raise BacktestError naming the first that cannot be read."""
    read = pd.to_datetime(table[column], format=form, errors="coerce")
    if read.isna().any():
        row = int(read.isna().to_numpy().argmax())
        raise BacktestError(f"{file}, row {row + 1}: {column} is {table[column].iloc[row]}")
    return read.dt.tz_localize(zone).dt.as_unit("ms").to_numpy("datetime64[ms]").astype(np.int64)


def _refuse_numbers(file: Path, table: pd.DataFrame, columns: Iterable[str]) -> None:
    for column in columns:
        values = pd.to_numeric(table[column], errors="coerce").to_numpy(np.float64)
        wrong = ~(values >= 0) | ~np.isfinite(values)
        if wrong.any():
            row = int(wrong.argmax())
            raise BacktestError(f"{file}, row {row + 1}: {column} is {table[column].iloc[row]}")


def _recording(rows: pd.DataFrame) -> Recording:
    """Put calls and puts below each other; of equal times the row that comes last counts."""
    last = rows.drop_duplicates(["at_ms", "expiry", "Strike_Price"], keep="last")
    ordered = last.sort_values(["at_ms", "expiry", "Strike_Price"], kind="stable")

    def both(call: str, put: str) -> FloatArray:
        return ordered[[call, put]].to_numpy(np.float64).reshape(-1)

    expiry = ordered["expiry"].to_numpy().astype("datetime64[ms]").astype("datetime64[D]")
    return Recording(
        at_ms=np.repeat(ordered["at_ms"].to_numpy(np.int64), 2),
        expiry=np.repeat(expiry, 2),
        strike=both("Strike_Price", "Strike_Price"),
        is_call=np.tile([True, False], len(ordered)),
        columns={name: both(f"CALLS_{of}", f"PUTS_{of}") for name, of in _QUOTED.items()},
    )
