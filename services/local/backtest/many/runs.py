"""Many backtests over the cores, each remembered on disk as soon as it is done."""

import hashlib
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from decimal import Decimal
from inspect import getmodule, getsource
from pathlib import Path
from typing import Any

import numpy as np

from libs.market.calendar import day_in_india
from libs.market.packaged import Table, own_tables, put_over
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.candles.period import within
from services.local.backtest.result import BacktestRequest
from services.local.backtest.run import signals_of_period
from services.local.backtest.trade import Trade
from services.local.backtest.trading import InUnderlying, Trader
from services.strategy.domain.registry import KnownStrategies, class_of, make_strategy
from services.strategy.finding import known_strategies

RUNS = "runs.jsonl"
"""The file of finished backtests, a line each."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A strategy with a set of parameters, to be run."""

    strategy: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Done:
    """What one backtest came to: counts, rupees after charges, and profit by day of exit.

    `daily` has a fraction of the capital for each trading day of the candles.
    """

    strategy: str
    parameters: Mapping[str, Any]
    signals: int
    trades: int
    won: int
    net: str
    charges: str
    daily: tuple[float, ...]


def run_many(
    request: BacktestRequest,
    asked: Sequence[Asked],
    histories: Sequence[CandleHistory],
    folder: Path | None,
    out: Path,
    *,
    is_resumed: bool = False,
    on_done: Callable[[], None] = lambda: None,
    trader: Trader | None = None,
    workers: int | None = None,
) -> list[Done]:
    """Run backtests, and return what each came to, in the order in which they were asked for.

    Each is written to `out` when it is done; with `is_resumed` those that are there, for the same
    request and candles, are not run again. Raises what the first failing one raises.
    """
    state = _Work(request, tuple(histories), folder, trader or InUnderlying())
    base, known = _digest(state), known_strategies(folder, {one.strategy for one in asked})
    keys = [_key(base, one, known) for one in asked]
    path = out / RUNS
    found = _read(path) if is_resumed else {}
    done = {key: found[key] for key in keys if key in found}
    for _ in done:
        on_done()
    left = {key: one for key, one in zip(keys, asked, strict=True) if key not in done}
    out.mkdir(parents=True, exist_ok=True)
    with path.open("a" if is_resumed else "w") as file:
        if found:
            file.write("\n")  # the last line may have been cut off
        for key, result in _over_the_cores(state, left, known, workers):
            done[key] = result
            file.write(json.dumps({"key": key, **asdict(result)}) + "\n")
            file.flush()
            on_done()
    return [done[key] for key in keys]


def run_one(
    request: BacktestRequest,
    histories: Sequence[CandleHistory],
    known: KnownStrategies,
    trader: Trader,
) -> Done:
    """Run one backtest, without its files: what a ranking needs."""
    strategy = make_strategy(request.strategy, request.parameters, known)
    made = [signals_of_period(strategy, one, request).signals for one in histories]
    period = [within(one, request.first_day, request.last_day) for one in histories]
    trades = trader(request, period, made).trades
    return Done(
        strategy=request.strategy,
        parameters=request.parameters,
        signals=sum(map(len, made)),
        trades=len(trades),
        won=sum(trade.net > 0 for trade in trades),
        net=str(sum((trade.net for trade in trades), Decimal(0))),
        charges=str(sum((trade.charges for trade in trades), Decimal(0))),
        daily=_daily(trades, days_of(period), request.capital),
    )


def days_of(histories: Sequence[CandleHistory]) -> list[date]:
    """Return the trading days of candles, each once."""
    days = np.unique(np.concatenate([one.trading_day for one in histories]))
    found: list[date] = days.astype("datetime64[D]").tolist()
    return found


def _daily(trades: Sequence[Trade], days: Sequence[date], capital: Decimal) -> tuple[float, ...]:
    net = dict.fromkeys(days, Decimal(0))
    for trade in trades:
        net[day_in_india(trade.exited_ms)] += trade.net
    return tuple(float(one / capital) for one in net.values())


@dataclass(frozen=True, slots=True)
class _Work:
    """What all backtests share, and what a worker process is given once."""

    request: BacktestRequest
    histories: Sequence[CandleHistory]
    folder: Path | None
    trader: Trader
    own_rules: Mapping[str, tuple[Table, ...]] = field(default_factory=own_tables)

    def of(self, one: Asked, known: KnownStrategies) -> Done:
        """Run one backtest."""
        request = replace(self.request, strategy=one.strategy, parameters=one.parameters)
        return run_one(request, self.histories, known, self.trader)


def _over_the_cores(
    work: _Work, left: Mapping[str, Asked], known: KnownStrategies, workers: int | None
) -> Iterator[tuple[str, Done]]:
    """Yield the results as they come; the first error ends all."""
    count = min(workers or os.cpu_count() or 1, len(left))
    if count <= 1:
        for key, one in left.items():
            yield key, work.of(one, known)
        return
    fresh = multiprocessing.get_context("spawn")  # a fork would copy locks of running threads
    with ProcessPoolExecutor(count, fresh, _prepare, (work,)) as pool:
        futures = {pool.submit(_in_worker, one): key for key, one in left.items()}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


_prepared: list[tuple[_Work, KnownStrategies]] = []
"""In a worker process: what it was given, and the strategies that it loaded."""


def _prepare(work: _Work) -> None:
    put_over(work.own_rules)
    _prepared.append((work, known_strategies(work.folder)))


def _in_worker(one: Asked) -> Done:
    work, known = _prepared[0]
    return work.of(one, known)


def _digest(work: _Work) -> str:
    """Return a digest of the candles and of all that is asked but strategy and parameters."""
    plain = replace(work.request, strategy="", parameters={})
    digest = hashlib.sha256(f"{plain!r} {work.trader!r}{work.own_rules or ''}".encode())
    for one in work.histories:
        digest.update(f"{one.key} {one.interval} {len(one)}".encode())
        for column in (one.opened_ms, one.open, one.high, one.low, one.close, one.volume):
            digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()


def _key(base: str, one: Asked, known: KnownStrategies) -> str:
    """Return a digest of all that a result depends on, the strategy's source included."""
    source = getsource(getmodule(class_of(one.strategy, known)) or class_of(one.strategy, known))
    parts = [base, one.strategy, source, sorted(one.parameters.items())]
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()


def _read(path: Path) -> dict[str, Done]:
    """Return finished backtests by key; a line that was cut off is left out."""
    if not path.exists():
        return {}
    found = {}
    for line in path.read_text().splitlines():
        try:
            values = json.loads(line)
        except json.JSONDecodeError:
            continue
        key = values.pop("key")
        found[key] = Done(**values | {"daily": tuple(values["daily"])})
    return found
