"""Recorded ticks: one gzip CSV per symbol and day, `<date>/<SYMBOL>.csv.gz`.

Columns: timestamp (wall clock in India, no offset), ltp, volume (cumulative for the day).
A file that cannot be read raises an error of one line that names file and line.
"""

import gzip
import io
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from libs.errors import AlphaStocksError
from libs.events.event import ms_from_utc
from libs.events.ticks import TickColumns
from libs.market.calendar import IST_OFFSET_MS, Session
from services.ingest.feed import Frame

COLUMNS = ("timestamp", "ltp", "volume")
SUFFIX = ".csv.gz"
MAX_FRAME_ROWS = 3000


class RecordingError(AlphaStocksError):
    """Recorded ticks that are missing or cannot be read; one line that names the file."""


@dataclass(frozen=True, slots=True)
class RecordedTicks:
    """The rows of one file, in file order. `at_ms` is epoch ms, `volume` cumulative units."""

    symbol: str
    at_ms: NDArray[np.int64]
    last_price: NDArray[np.float64]
    volume: NDArray[np.int64]


def recorded_days(folder: Path) -> list[date]:
    """Return the days that a folder holds, ascending; raise RecordingError without any."""
    if not folder.is_dir():
        raise RecordingError(f"{folder}: no such folder")
    days = [day for path in folder.iterdir() if path.is_dir() and (day := _day_of(path.name))]
    if not days:
        raise RecordingError(f"{folder}: holds no folder named by a date, such as 2021-06-09")
    return sorted(days)


def recorded_symbols(folder: Path, day: date) -> list[str]:
    """Return the symbols recorded on a day, sorted; raise RecordingError without the day."""
    day_folder = folder / day.isoformat()
    if not day_folder.is_dir():
        known = ", ".join(known_day.isoformat() for known_day in recorded_days(folder))
        raise RecordingError(f"{folder}: no ticks of {day}; there are: {known}")
    return sorted(path.name.removesuffix(SUFFIX) for path in day_folder.glob(f"*{SUFFIX}"))


def chosen_symbols(folder: Path, day: date, wanted: Collection[str] | None) -> list[str]:
    """Return the wanted symbols of a day, sorted, or all; raise RecordingError for unknown ones."""
    known = recorded_symbols(folder, day)
    if wanted is None:
        if not known:
            raise RecordingError(f"{folder / day.isoformat()}: holds no {SUFFIX} file")
        return known
    for symbol in sorted(wanted):
        if symbol not in known:
            raise RecordingError(
                f"{symbol}: no ticks in {folder / day.isoformat()}; there are: {', '.join(known)}"
            )
    return sorted(set(wanted))


def read_ticks(folder: Path, day: date, symbol: str) -> RecordedTicks:
    """Read one file; raise RecordingError naming file, line and column."""
    path = folder / day.isoformat() / f"{symbol}{SUFFIX}"
    table = _read_table(path)
    stamps = pd.to_datetime(table["timestamp"], format="%Y-%m-%d %H:%M:%S", errors="coerce")
    _refuse(path, table["timestamp"], stamps.isna(), "timestamp", "not a time")
    price = pd.to_numeric(table["ltp"], errors="coerce")
    _refuse(path, table["ltp"], price.isna() | np.isinf(price), "ltp", "not a number")
    volume = pd.to_numeric(table["volume"], errors="coerce")
    is_whole = volume.notna() & (volume.abs() < 2**40) & (volume % 1 == 0)
    _refuse(path, table["volume"], ~is_whole, "volume", "not a whole number of units")
    at_ms = stamps.to_numpy("datetime64[ms]").astype(np.int64) - IST_OFFSET_MS
    return RecordedTicks(
        symbol, at_ms, price.to_numpy(np.float64), volume.to_numpy(np.float64).astype(np.int64)
    )


def _read_table(path: Path) -> pd.DataFrame:
    try:
        content = gzip.decompress(path.read_bytes())
    except FileNotFoundError:
        raise RecordingError(f"{path}: no such file") from None
    except (OSError, EOFError, zlib.error) as error:
        raise RecordingError(f"{path}: damaged or cut off: {error}") from None
    try:
        table = pd.read_csv(
            io.BytesIO(content), dtype=str, keep_default_na=False, skip_blank_lines=False
        )
    except (ValueError, UnicodeDecodeError) as error:
        raise RecordingError(f"{path}: {' '.join(str(error).split())}") from None
    if not isinstance(table.index, pd.RangeIndex):
        raise RecordingError(f"{path}: line 2: more fields than the header names")
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise RecordingError(f"{path}: line 1: no column {missing[0]!r} in {list(table.columns)}")
    table = table[~table.isin(["", np.nan]).all(axis="columns")]  # blank lines keep their number
    if table.empty:
        raise RecordingError(f"{path}: line 2: no tick follows the header")
    return table


def _refuse(
    path: Path, text: "pd.Series[str]", is_bad: "pd.Series[bool]", column: str, why: str
) -> None:
    if is_bad.any():
        at = int(is_bad.to_numpy().argmax())
        line = int(text.index[at]) + 2
        raise RecordingError(f"{path}: line {line}: {column} is {why}: {text.iloc[at]!r}")


def _day_of(name: str) -> date | None:
    try:
        day = date.fromisoformat(name)
    except ValueError:
        return None
    return day if day.isoformat() == name else None


def frames_of(
    ticks: Sequence[RecordedTicks],
    tokens: dict[str, int],
    session: Session,
    step_ms: int = 1000,
) -> Iterator[Frame]:
    """Merge files into frames of `step_ms`, as they would have arrived together.

    The files hold no arrival times: arrival is the highest time of the day in the file so far,
    so that a row delivered late arrives late. Rows of one arrival are ordered by symbol, then as in
    the file; frames of more than 3,000 rows are divided. The last frame is a heartbeat after
    the session, so that every candle closes even where the recording ends early.
    """
    ordered = sorted(ticks, key=lambda one: one.symbol)
    arrival = np.concatenate([_arrival(one.at_ms, session) for one in ordered])
    step = arrival // step_ms
    order = np.argsort(step, kind="stable")
    columns = TickColumns(
        instrument_token=np.concatenate(
            [np.full(len(one.at_ms), tokens[one.symbol], np.uint32) for one in ordered]
        ),
        exchange_timestamp=np.concatenate([one.at_ms for one in ordered]),
        last_price=np.concatenate([one.last_price for one in ordered]),
        volume_traded=np.concatenate([one.volume for one in ordered]),
    ).take(order)
    last_ms = session.close_ms
    for start, stop in _cuts(step[order]):
        received_ms = int(arrival[order[start:stop]].max())
        last_ms = max(last_ms, received_ms)
        yield Frame(received_ms, columns.take(slice(start, stop)))
    yield Frame(last_ms + 60_000, TickColumns.empty())


def _arrival(at_ms: NDArray[np.int64], session: Session) -> NDArray[np.int64]:
    """Return the running maximum of the day's times, at least the open (epoch ms)."""
    start = ms_from_utc(session.opens_at) - 12 * 3600_000
    is_of_day = (at_ms >= start) & (at_ms < start + 24 * 3600_000)
    known: NDArray[np.int64] = np.where(is_of_day, at_ms, 0)
    return np.maximum(np.maximum.accumulate(known), session.open_ms)


def _cuts(step: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(step)) + 1
    for start, stop in zip([0, *edges.tolist()], [*edges.tolist(), len(step)], strict=True):
        for first in range(start, stop, MAX_FRAME_ROWS):
            yield first, min(first + MAX_FRAME_ROWS, stop)
