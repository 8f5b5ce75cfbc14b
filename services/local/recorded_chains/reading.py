"""Reads files of NSE's option chain: a row for each snapshot, expiry and strike.

Calls and puts of a strike are side by side. A row that cannot be used is left out and counted.
"""

import csv
import gzip
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from libs.market.arrays import BoolArray, FloatArray, IntArray
from libs.market.calendar import IST_OFFSET_MS
from libs.market.instruments import underlying_name
from services.ingest.recordings.errors import RecordingError
from services.ingest.recordings.ticks import LeftOut

SIDES: Mapping[str, str] = {"CE": "CALLS", "PE": "PUTS"}
QUOTED: Mapping[str, str] = {
    "last_price": "LTP",
    "bid_price": "Bid_Price",
    "bid_quantity": "Bid_Qty",
    "ask_price": "Ask_Price",
    "ask_quantity": "Ask_Qty",
    "volume": "Volume",
    "oi": "OI",
}
"""Our name of a column → the file's, after CALLS_ or PUTS_."""
STAMP, EXPIRY, STRIKE, COLLECTED = (
    "Fetch_Time",
    "Expiry_Date",
    "Strike_Price",
    "collection_timestamp",
)
_NUMBERS = (STRIKE, *(f"{side}_{what}" for side in SIDES.values() for what in QUOTED.values()))
_NEEDED = (STAMP, "Symbol", EXPIRY, *_NUMBERS, COLLECTED)
_STAMP_FORM, _EXPIRY_FORM, _COLLECTED_FORM = "%d-%b-%Y %H:%M:%S", "%d-%b-%Y", "%Y%m%d_%H%M%S"
_MOST = 1e10
"""No price, quantity or count of a chain is as large."""
_GREEKS_FORM = ("timestamp", "option_type", "spot")


@dataclass(frozen=True, slots=True, eq=False)
class ChainRows:
    """The usable rows of one underlying, in the order of the file.

    `at_ms` is the exchange's own stamp, `collected_ms` when it was asked (epoch ms). `columns` have
    the file's numbers by their names there: prices in rupees, 0 where there is none; bid and ask
    quantities in units, volume and open interest in lots. `text` is the file as it was written.
    """

    path: Path
    underlying: str
    header: tuple[str, ...]
    text: Sequence[Sequence[str]]
    line: IntArray
    at_ms: IntArray
    collected_ms: IntArray
    expiry: NDArray[np.datetime64]
    columns: Mapping[str, FloatArray]
    left_out: LeftOut

    def __len__(self) -> int:
        return len(self.at_ms)

    @property
    def strike(self) -> FloatArray:
        """Strikes in rupees or points."""
        return self.columns[STRIKE]

    def quoted(self, kind: str, what: str) -> FloatArray:
        """Return a column of the calls (CE) or puts (PE) by our name of it."""
        return self.columns[f"{SIDES[kind]}_{QUOTED[what]}"]


def read_chain_rows(path: Path, underlying: str | None) -> ChainRows:
    """Read the rows of an underlying; raise RecordingError, which names the file.

    `underlying` is a name such as NIFTY or NSE:NIFTY 50; None: the only one that the file has.
    """
    try:
        with _opened(path) as file:
            return _rows(path, csv.reader(file), underlying)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise RecordingError(f"{path}: {_said(error)}") from None


def _said(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _opened(path: Path) -> IO[str]:
    if path.name.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _rows(path: Path, reader: Any, asked: str | None) -> ChainRows:
    header = tuple(next(reader, ()))
    _check_header(path, header)
    left_out = LeftOut()
    lines, text = _whole(path, reader, len(header), left_out)
    columns = dict(zip(header, zip(*text, strict=True), strict=True)) if text else {}
    underlying = _only_one(path, columns) if asked is None else underlying_name(asked)
    made = _Columns(path, columns, np.array(lines, np.int64), left_out)
    if text:
        made.check(underlying)
    chosen = np.flatnonzero(made.is_good) if text else np.empty(0, np.int64)
    if not len(chosen):
        raise RecordingError(f"{path}: no row of {underlying} can be used{_why(left_out)}")
    return ChainRows(
        path=path,
        underlying=underlying,
        header=header,
        text=[text[at] for at in chosen.tolist()],
        line=made.line[chosen],
        at_ms=made.at_ms[chosen],
        collected_ms=made.collected_ms[chosen],
        expiry=made.expiry[chosen],
        columns={name: values[chosen] for name, values in made.numbers.items()},
        left_out=left_out,
    )


def _only_one(path: Path, columns: Mapping[str, Sequence[str]]) -> str:
    names = sorted({underlying_name(one) for one in set(columns.get("Symbol", ()))})
    if len(names) > 1:
        raise RecordingError(f"{path}: options of {', '.join(names)}: choose one by --symbols")
    return names[0] if names else "any underlying"


def _why(left_out: LeftOut) -> str:
    return f": {left_out.lines[0]}" if left_out.lines else ": it has no rows"


def _check_header(path: Path, header: Sequence[str]) -> None:
    missing = [name for name in _NEEDED if name not in header]
    if not missing:
        return
    if all(name in header for name in _GREEKS_FORM):
        raise RecordingError(
            f"{path}: a file of computed greeks, without bid and ask, cannot be valued or played; "
            "a file of NSE's option chain is wanted"
        )
    raise RecordingError(f"{path}: no option chain of NSE: column {missing[0]} is missing")


def _whole(
    path: Path, reader: Any, width: int, left_out: LeftOut
) -> tuple[list[int], list[list[str]]]:
    """Return the rows that have all columns, with their lines."""
    lines: list[int] = []
    text: list[list[str]] = []
    short: list[int] = []
    for row in reader:
        if len(row) == width:
            lines.append(reader.line_num)
            text.append(row)
        elif row:
            short.append(reader.line_num)
    _leave_out(left_out, path, "not as many columns as the header has", short)
    return lines, text


def _leave_out(left_out: LeftOut, path: Path, reason: str, lines: Sequence[int]) -> None:
    if lines:
        left_out.add(reason, len(lines), f"{path}, line {lines[0]}: {reason}")


@dataclass(slots=True)
class _Columns:
    """The columns of a file as values, and which rows can be used so far."""

    path: Path
    text: Mapping[str, Sequence[str]]
    line: IntArray
    left_out: LeftOut
    is_good: BoolArray = field(init=False)
    at_ms: IntArray = field(init=False)
    collected_ms: IntArray = field(init=False)
    expiry: NDArray[np.datetime64] = field(init=False)
    numbers: dict[str, FloatArray] = field(default_factory=dict)

    def check(self, underlying: str) -> None:
        """Read all columns, and take rows out that cannot be used, each for its first reason."""
        self.is_good = np.ones(len(self.line), np.bool_)
        named = pd.Series(self.text["Symbol"]).map(underlying_name).to_numpy(str)
        self._refuse(named != underlying, f"of another underlying than {underlying}")
        self.at_ms = self._times(STAMP, _STAMP_FORM, "Asia/Kolkata")
        self.collected_ms = self._times(COLLECTED, _COLLECTED_FORM, "Asia/Kolkata")
        expiry_ms = self._times(EXPIRY, _EXPIRY_FORM, "UTC")
        self.expiry = expiry_ms.astype("datetime64[ms]").astype("datetime64[D]")
        for name in _NUMBERS:
            self.numbers[name] = self._number(name)
        self._refuse(self.numbers[STRIKE] <= 0, f"{STRIKE} is not above 0")
        day = (self.at_ms + IST_OFFSET_MS).astype("datetime64[ms]").astype("datetime64[D]")
        self._refuse(self.expiry < day, f"{EXPIRY} is before {STAMP}")
        self._refuse(self._is_repeated(), "a strike twice in one snapshot")

    def _refuse(self, is_wrong: BoolArray, reason: str) -> None:
        wrong = self.is_good & is_wrong
        _leave_out(self.left_out, self.path, reason, self.line[wrong].tolist())
        self.is_good &= ~is_wrong

    def _times(self, name: str, form: str, zone: str) -> IntArray:
        """Return times as epoch ms; each text is read once, since snapshots repeat them."""
        codes, texts = pd.factorize(np.array(self.text[name], dtype=object))
        read = pd.Series(pd.to_datetime(texts, format=form, errors="coerce"))
        is_wrong = read.isna().to_numpy()
        local = read.fillna(pd.Timestamp(0)).dt.tz_localize(zone).dt.as_unit("ms")
        stamps = local.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[ms]")
        self._refuse(is_wrong[codes], f"{name} is no time")
        return np.asarray(stamps.astype(np.int64)[codes], np.int64)

    def _number(self, name: str) -> FloatArray:
        values = pd.to_numeric(pd.Series(self.text[name]), errors="coerce").to_numpy(np.float64)
        is_wrong = ~((values >= 0) & (values < _MOST))
        self._refuse(is_wrong, f"{name} is negative or no number")
        return np.where(is_wrong, 0.0, values)

    def _is_repeated(self) -> BoolArray:
        """Return which rows a later one of the same poll, expiry and strike replaces."""
        table = pd.DataFrame(
            {"at": self.collected_ms, "expiry": self.expiry, "strike": self.numbers[STRIKE]}
        )[self.is_good]
        repeated = np.zeros(len(self.line), np.bool_)
        repeated[self.is_good] = table.duplicated(keep="last").to_numpy()
        return repeated


def snapshots_of(rows: ChainRows) -> Iterator[IntArray]:
    """Yield the rows of each poll and time of the exchange, in the order of the file."""
    polls = np.stack((rows.collected_ms, rows.at_ms))
    _, first, inverse = np.unique(polls, axis=1, return_index=True, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(inverse))[:-1])
    for place in np.argsort(first, kind="stable").tolist():
        yield parts[place]
