"""Compares the signals of two runs: replays, backtests, or what the services wrote."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from pydantic import ValidationError

from libs.errors import AlphaStocksError
from libs.events.signals import SignalFields, StrategySignal

SIGNALS = "strategy_signals.jsonl"
TOLERANCE = 0.005
"""Half a paisa: prices that are nearer than this are the same."""
Key: TypeAlias = tuple[str, str, str, str, str, str]


class NotComparable(AlphaStocksError, ValueError):
    """A run without signals that can be read; the text names the file and the line."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A signal that only one run has, or that the runs have with other values."""

    candle_closed_at: str
    instrument: str
    strategy: str
    action: str
    what: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many signals two runs share, and what differs, by time."""

    same: int
    differences: tuple[Difference, ...]


def compare_runs(one: Path, two: Path) -> Comparison:
    """Compare the signals in two folders; raise NotComparable naming what cannot be read.

    A signal is the same if strategy, version, parameters, instrument, candle and action are; then
    price, stop loss, target and confidence are compared. Ids are not: they depend on whether the
    candle was live or stored.
    """
    first, second = _signals(one), _signals(two)
    found = [_only(signal, one) for key, signal in first.items() if key not in second]
    found += [_only(signal, two) for key, signal in second.items() if key not in first]
    both = [(signal, second[key]) for key, signal in first.items() if key in second]
    changed = [_changed(*pair) for pair in both]
    found += [difference for difference in changed if difference is not None]
    found.sort(key=lambda one: (one.candle_closed_at, one.instrument, one.strategy, one.what))
    return Comparison(len(both) - sum(one is not None for one in changed), tuple(found))


def _signals(folder: Path) -> Mapping[Key, SignalFields]:
    """Return the signals of a run by what makes them the same; a repeat counts once."""
    path = folder / SIGNALS if folder.is_dir() else folder
    signals: dict[Key, SignalFields] = {}
    for signal in _read(path):
        signals.setdefault(_key(signal), signal)
    return signals


def _read(path: Path) -> Iterator[StrategySignal]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise NotComparable(f"{path}: {reason}; a run's folder has {SIGNALS}") from error
    for number, line in enumerate(lines, 1):
        try:
            yield StrategySignal.model_validate_json(line)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            said = f"{where}: {first['msg']}" if where else first["msg"]
            raise NotComparable(f"{path}, line {number}: {said}") from None


def _key(signal: SignalFields) -> Key:
    return (
        f"{signal.strategy} {signal.strategy_version}",
        str(sorted(signal.parameters.items())),
        _instrument(signal),
        signal.interval,
        signal.candle_opened_at.isoformat(),
        signal.action,
    )


def _instrument(signal: SignalFields) -> str:
    return f"{signal.exchange}:{signal.tradingsymbol}"


def _only(signal: SignalFields, run: Path) -> Difference:
    return _difference(signal, f"only in {run}, at {signal.price:g}")


def _changed(one: SignalFields, two: SignalFields) -> Difference | None:
    names = ("price", "stop_loss", "target", "confidence")
    pairs = {name: (getattr(one, name), getattr(two, name)) for name in names}
    parts = [f"{n} {a:g} and {b:g}" for n, (a, b) in pairs.items() if abs(a - b) > TOLERANCE]
    return _difference(one, ", ".join(parts)) if parts else None


def _difference(signal: SignalFields, what: str) -> Difference:
    closed = signal.candle_closed_at.isoformat()
    return Difference(closed, _instrument(signal), signal.strategy, signal.action, what)
