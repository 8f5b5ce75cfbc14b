"""What `alphastocks backtest` is asked for, from the words of its options."""

from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import get_args

from libs.events.candles import Interval
from libs.market.names import EXCHANGES, unknown
from libs.market.naming import tradingsymbol_of
from services.local.backtest.candles.files import Named
from services.local.backtest.candles.naming import SUFFIXES
from services.local.backtest.errors import BacktestError


def day_of(option: str, text: str | None) -> date | None:
    """Return the day of an option; raise BacktestError unless it is one."""
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise BacktestError(f"{option}: {text!r} is not a date such as 2024-04-26") from None


def period_of(first: str | None, last: str | None) -> tuple[date | None, date | None]:
    """Return the days of --from and --to; raise BacktestError where the first is the later one."""
    days = day_of("--from", first), day_of("--to", last)
    if days[0] is not None and days[1] is not None and days[0] > days[1]:
        raise BacktestError(f"--from: {days[0]} is after --to {days[1]}")
    return days


def named_of(interval: Interval | None, exchange: str | None, symbol: str | None) -> Named:
    """Return what --interval, --exchange and --symbol say of files; raise BacktestError."""
    if exchange is not None and exchange not in EXCHANGES:
        raise BacktestError(f"--exchange: {unknown(exchange, EXCHANGES, 'exchange')}")
    if symbol is not None and not symbol.strip():
        raise BacktestError("--symbol: no symbol is named")
    return Named(interval, exchange, None if symbol is None else tradingsymbol_of(symbol))


def interval_of(text: str | None) -> Interval | None:
    """Return the interval of --interval; raise BacktestError for one that there is not."""
    known: tuple[Interval, ...] = get_args(Interval)
    if text is None:
        return None
    for interval in known:
        if interval == text:
            return interval
    raise BacktestError(f"--interval: {unknown(text, known, 'interval')}")


def number_of(option: str, text: str, most: Decimal, least: Decimal = Decimal(0)) -> Decimal:
    """Return a number from `least` to `most`; raise BacktestError for another."""
    try:
        value = Decimal(text.replace("_", ""))
    except InvalidOperation:
        raise BacktestError(f"{option}: {text!r} is no number") from None
    if not (value.is_finite() and least <= value <= most):
        raise BacktestError(f"{option}: {text} is not from {least} to {most:f}")
    return value


def split(candles: str) -> tuple[list[Path], list[str]]:
    """Return the paths and the symbols of --candles; raise BacktestError where both are named.

    What exists, or looks like a path, is one.
    """
    words = [word.strip() for word in candles.split(",") if word.strip()]
    paths = [Path(word) for word in words if _is_path(word)]
    symbols = [word for word in words if not _is_path(word)]
    if paths and symbols:
        raise BacktestError(f"--candles: there is no file {symbols[0]}")
    if not words:
        raise BacktestError("--candles: no file, folder or symbol is named")
    return paths, symbols


def _is_path(word: str) -> bool:
    return "/" in word or word.endswith(SUFFIXES) or Path(word).exists()
