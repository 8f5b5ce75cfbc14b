"""Signals for `replay --chain`: a JSON object a line, each checked by itself."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from libs.errors import AlphaStocksError
from libs.events.event import ms_from_utc
from libs.events.signals import SignalGenerated
from libs.market.calendar import IST, day_in_india
from libs.market.instruments import underlying_name
from libs.runtime.settings import SettingsError
from services.local.recorded_chains.market import ChainDay
from services.local.recorded_chains.valuation import ClosesMs

FIELDS = (
    *("occurred_at", "symbol", "action", "price", "stop_loss", "target"),
    *("confidence", "expected_move_pct"),
)
_PRICES = ("price", "stop_loss", "target")
_MINUTE = timedelta(minutes=1)
_STRATEGY = "scripted"


class Refused(NamedTuple):
    """A line that is no signal, and why."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Scripted:
    """The signals of a file by time, and the lines that were refused."""

    signals: tuple[SignalGenerated, ...]
    refused: tuple[Refused, ...]


class _Wrong(AlphaStocksError):
    """What is wrong with a line."""


def read_signals(path: Path, chains: ChainDay, closes_ms: ClosesMs) -> Scripted:
    """Read all lines; raise SettingsError for a file that cannot be read or has no signal."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"--signals: {path}: {_said(error)}") from None
    signals: dict[UUID, SignalGenerated] = {}
    refused = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            signal = _signal(line, chains, closes_ms)
            if signal.event_id in signals:
                raise _Wrong("the same signal stands in an earlier line")
        except _Wrong as wrong:
            refused.append(Refused(number, str(wrong)))
        else:
            signals[signal.event_id] = signal
    if not signals:
        why = f": {refused[0]}" if refused else ""
        raise SettingsError(f"--signals: {path}: no signal is left{why}")
    ordered = sorted(signals.values(), key=lambda one: one.occurred_at)
    return Scripted(tuple(ordered), tuple(refused))


def _said(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _signal(line: str, chains: ChainDay, closes_ms: ClosesMs) -> SignalGenerated:
    row = _row(line)
    _check_symbol(row, chains)
    occurred_at = _time(row)
    _check_time(occurred_at, chains, closes_ms)
    action = row["action"]
    if action not in ("BUY", "SELL"):
        raise _Wrong(f"action is {action!r}, not BUY or SELL")
    numbers = {name: _number(row, name) for name in FIELDS[3:]}
    _check_numbers(numbers, action)
    strategy = row.get("strategy", _STRATEGY)
    if not isinstance(strategy, str) or not strategy:
        raise _Wrong(f"strategy is {strategy!r}, not a name")
    return _made(occurred_at, action, numbers, strategy, chains)


def _row(line: str) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise _Wrong(f"no JSON: {error}") from None
    except RecursionError:
        raise _Wrong("no JSON: nested too deeply") from None
    if not isinstance(row, dict):
        raise _Wrong("not a JSON object")
    missing = [name for name in FIELDS if name not in row]
    if missing:
        raise _Wrong(f"{missing[0]} is missing")
    return row


def _check_symbol(row: Mapping[str, Any], chains: ChainDay) -> None:
    symbol, known = row["symbol"], chains.underlying.name
    if not isinstance(symbol, str) or underlying_name(symbol) != known:
        raise _Wrong(f"symbol {symbol!r} is not known: the chain is of {known}")


def _time(row: Mapping[str, Any]) -> datetime:
    """Return the time; without an offset it is India's."""
    try:
        at = datetime.fromisoformat(row["occurred_at"])
        return (at.replace(tzinfo=IST) if at.tzinfo is None else at).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        said = row["occurred_at"]
        raise _Wrong(f"occurred_at is {said!r}, not such as 2025-08-29T10:00:00+05:30") from None


def _check_time(at: datetime, chains: ChainDay, closes_ms: ClosesMs) -> None:
    at_ms, last = ms_from_utc(at), chains.expiries[-1]
    closes = closes_ms(last)
    if closes is not None and at_ms >= closes:
        raise _Wrong(f"occurred_at is past the expiry: the last one of the chain is {last}")
    if day_in_india(at_ms) != chains.day:
        raise _Wrong(f"occurred_at is not on {chains.day}, the day of the chain")
    if not chains.session.open_ms <= at_ms < chains.session.close_ms:
        raise _Wrong(f"occurred_at is outside the session: {at.astimezone(IST):%H:%M:%S}")


def _number(row: Mapping[str, Any], name: str) -> float:
    value = row[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _Wrong(f"{name} is {value!r}, not a number")
    try:
        number = float(value)
    except OverflowError:
        raise _Wrong(f"{name} is too large") from None
    if not isfinite(number):
        raise _Wrong(f"{name} is {number}, not a number")
    return number


def _check_numbers(numbers: Mapping[str, float], action: str) -> None:
    for name in _PRICES:
        if numbers[name] <= 0:
            raise _Wrong(f"{name} is {numbers[name]}, not above 0")
    if not 0 <= numbers["confidence"] <= 1:
        raise _Wrong(f"confidence is {numbers['confidence']}, not between 0 and 1")
    if numbers["expected_move_pct"] < 0:
        raise _Wrong(f"expected_move_pct is {numbers['expected_move_pct']}, below 0")
    stop, price, target = numbers["stop_loss"], numbers["price"], numbers["target"]
    is_fit = stop < price < target if action == "BUY" else target < price < stop
    if not is_fit:
        raise _Wrong(f"stop_loss {stop}, price {price} and target {target} contradict {action}")


def _made(
    at: datetime, action: str, numbers: Mapping[str, float], strategy: str, chains: ChainDay
) -> SignalGenerated:
    name = chains.underlying.name
    parts = (strategy, name, ms_from_utc(at), action)
    envelope = SignalGenerated.without_cause(*parts, occurred_at=at, trading_day=chains.day)
    return SignalGenerated(
        **envelope,
        strategy=strategy,
        strategy_version="1",
        parameters={},
        exchange=chains.underlying.exchange,
        tradingsymbol=chains.underlying.tradingsymbol,
        underlying=name,
        interval="1m",
        candle_opened_at=at - _MINUTE,
        candle_closed_at=at,
        action=action,
        price=numbers["price"],
        stop_loss=numbers["stop_loss"],
        target=numbers["target"],
        confidence=numbers["confidence"],
        expected_move=numbers["expected_move_pct"],
        indicators={},
    )
