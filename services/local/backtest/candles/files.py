"""Candles from files: CSV, .csv.gz and Parquet, or a folder of them."""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fastparquet import ParquetFile

from libs.events.candles import MINUTES, Interval, length_ms
from libs.market.naming import tradingsymbol_of
from libs.runtime.error_line import system_reason
from services.local.backtest.candles import columns
from services.local.backtest.candles.columns import Table
from services.local.backtest.candles.days import day_rows, sessions_of
from services.local.backtest.candles.history import CandleHistory, Days, Integers
from services.local.backtest.candles.naming import (
    EXCHANGE,
    SUFFIXES,
    instrument_in,
)
from services.local.backtest.candles.spans import closes_of, trading_days
from services.local.backtest.errors import BacktestError

_MINUTE_MS = 60_000
_NAMES = {minutes * _MINUTE_MS: interval for interval, minutes in MINUTES.items()}


@dataclass(frozen=True, slots=True)
class Named:
    """What the command says of the candles: None where the files say it."""

    interval: Interval | None = None
    exchange: str | None = None
    tradingsymbol: str | None = None


def read_candles(paths: Iterable[Path], named: Named = Named()) -> tuple[CandleHistory, ...]:
    """Read files, or all files of folders, into a history per instrument, by its key.

    Raises BacktestError, which names file and row, for what cannot be used.
    """
    parts: dict[str, list[tuple[Path, CandleHistory]]] = {}
    for path in _files(paths):
        for history in _read(path, named):
            parts.setdefault(history.key, []).append((path, history))
    return tuple(_joined(parts[key]) for key in sorted(parts))


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = sorted(one for one in path.iterdir() if one.name.endswith(SUFFIXES))
        if not found:
            raise BacktestError(f"{path}: there is no file {', '.join('*' + s for s in SUFFIXES)}")
        yield from found


def _read(path: Path, named: Named) -> Iterator[CandleHistory]:
    table = _table(path)
    if table.frame.empty:
        raise BacktestError(f"{path}: it has no candles")
    for (exchange, symbol), rows in _instruments(path, table, named).items():
        part = Table(table.frame.iloc[rows], _of_rows(table, rows), table.name)
        yield _history(part, exchange, symbol, named.interval)


def _of_rows(table: Table, rows: Integers) -> "_Where":
    return _Where(table, rows)


@dataclass(frozen=True, slots=True)
class _Where:
    """Names a row of a part of a table by its place in the file."""

    table: Table
    rows: Integers

    def __call__(self, row: int) -> str:
        return self.table.where(int(self.rows[row]))


def _table(path: Path) -> Table:
    is_parquet = path.name.endswith(".parquet")
    frame = _parquet(path) if is_parquet else _csv(path)
    frame.columns = [str(name).strip().lower() for name in frame.columns]
    if len(set(frame.columns)) < len(frame.columns):
        raise BacktestError(f"{path}: two columns have the same name")
    where, first = ("row", 1) if is_parquet else ("line", 2)
    return Table(frame, lambda row: f"{path}, {where} {row + first}", str(path))


def _csv(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, skip_blank_lines=False)
    except OSError as error:
        raise BacktestError(f"{path}: {_reason(error)}") from None
    except (ValueError, EOFError, zlib.error) as error:
        reason = str(error).strip().splitlines() or ["it is empty"]
        raise BacktestError(f"{path}: {reason[0]}") from None


def _parquet(path: Path) -> pd.DataFrame:
    try:
        frame: pd.DataFrame = ParquetFile(BytesIO(path.read_bytes())).to_pandas()
    except OSError as error:
        raise BacktestError(f"{path}: {_reason(error)}") from None
    except Exception as error:  # noqa: BLE001  its reader raises whatever the bytes lead to
        raise BacktestError(f"{path}: it is no Parquet file that can be read: {error}") from None
    return frame.reset_index() if frame.index.name is not None else frame


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or system_reason(error)


def _instruments(path: Path, table: Table, named: Named) -> dict[tuple[str, str], Integers]:
    """Return the rows of each instrument of a file."""
    frame = table.frame
    symbols, exchanges = table.column("tradingsymbol", "symbol"), table.column("exchange")
    by_rows: list[pd.Series[str]] = []
    if named.tradingsymbol is None and symbols is not None:
        by_rows.append(frame[symbols].astype(str))
    if named.exchange is None and exchanges is not None:
        by_rows.append(frame[exchanges].astype(str))
    everywhere = {"exchange": named.exchange or EXCHANGE}
    everywhere["symbol"] = named.tradingsymbol or instrument_in(path)
    if not by_rows:
        return {(everywhere["exchange"], everywhere["symbol"]): np.arange(len(frame))}
    exchange = frame[exchanges] if exchanges and named.exchange is None else everywhere["exchange"]
    symbol = frame[symbols] if symbols and named.tradingsymbol is None else everywhere["symbol"]
    keys = pd.DataFrame({"exchange": exchange, "symbol": symbol}, index=frame.index).astype(str)
    rows_of: Any = keys.groupby(["exchange", "symbol"], sort=True).indices
    return {(one[0], tradingsymbol_of(one[1])): rows for one, rows in rows_of.items()}


def _history(table: Table, exchange: str, symbol: str, interval: Interval | None) -> CandleHistory:
    opened = columns.opened_ms(table)
    prices = {name: columns.price(table, name) for name in columns.PRICES}
    columns.check_prices(table, prices["high"], prices["low"])
    columns.check_order(table, opened)
    days = trading_days(opened)
    known = _interval(table, opened, days, interval)
    if known == "day":
        opened = _session_opens(exchange, opened, days)
    return CandleHistory(
        exchange=exchange,
        tradingsymbol=symbol,
        interval=known,
        opened_ms=opened,
        closes_ms=closes_of(exchange, opened, days, length_ms(known)),
        **prices,
        volume=columns.volume(table),
        vwap=columns.vwap(table),
        trading_day=days,
    )


def _interval(table: Table, opened: Integers, days: Days, wanted: Interval | None) -> Interval:
    """Return the interval, which is the commonest distance of candles of a day.

    Raises BacktestError where it is not the wanted one, or none that a candle has.
    """
    steps = np.diff(opened)
    within = days[1:] == days[:-1]
    if not within.any():
        return wanted or "day"
    lengths, counts = np.unique(steps[within], return_counts=True)
    commonest = int(lengths[np.argmax(counts)])
    found = _NAMES.get(commonest)
    if found is not None and wanted in (None, found):
        return found
    row = int(np.argmax(within & (steps == commonest))) + 1
    said = f"it opens {commonest / _MINUTE_MS:g} min after the candle above it, as most do"
    expected = f"--interval is {wanted}" if wanted else f"intervals are {', '.join(MINUTES)}, day"
    raise table.refuse(row, f"{said}; {expected}")


def _session_opens(exchange: str, opened: Integers, days: Days) -> Integers:
    """Return when the sessions open of days that are given as dates."""
    found = opened.copy()
    for day, start, stop in day_rows(days):
        if sessions := sessions_of(exchange, day):
            found[start:stop] = sessions[0].open_ms
    return found


def _joined(parts: Sequence[tuple[Path, CandleHistory]]) -> CandleHistory:
    """Return an instrument's candles of several files as one history."""
    if len(parts) == 1:
        return parts[0][1]
    ordered = sorted(parts, key=lambda part: int(part[1].opened_ms[0]))
    for (path, before), (other, after) in pairwise(ordered):
        if before.interval != after.interval:
            said = f"{before.key} has candles of {before.interval} in {path}"
            raise BacktestError(f"{said}, and of {after.interval} in {other}")
        if before.opened_ms[-1] >= after.opened_ms[0]:
            raise BacktestError(f"{before.key}: the candles of {path} and {other} overlap")
    return concatenated([history for _, history in ordered])


def concatenated(parts: Sequence[CandleHistory]) -> CandleHistory:
    """Return candles that follow each other as one history."""
    first = parts[0]
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in CandleHistory.__slots__
        if isinstance(getattr(first, name), np.ndarray)
    }
    return CandleHistory(first.exchange, first.tradingsymbol, first.interval, **joined)
