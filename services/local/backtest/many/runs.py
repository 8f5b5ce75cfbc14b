"""Many backtests over the cores, each remembered on disk as soon as it is done."""

import hashlib
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from datetime import date
from decimal import Decimal
from inspect import getmodule, getsource
from pathlib import Path
from typing import Any

import numpy as np

from libs.events.event import utc_from_ms
from libs.market.calendar import IST
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.candles.period import within
from services.local.backtest.result import BacktestRequest
from services.local.backtest.run import TRADERS, signals_of_period
from services.local.backtest.trade import Trade
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
    workers: int | None = None,
) -> list[Done]:
    """Run backtests, and return what each came to, in the order in which they were asked for.

    Each is written to `out` when it is done; with `is_resumed` those that are there, for the same
    request and candles, are not run again. Raises what the first failing one raises.
    """
    base, known = _digest(request, histories), known_strategies(folder)
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
        for key, result in _over_the_cores(request, left, histories, folder, workers):
            done[key] = result
            file.write(json.dumps({"key": key, **asdict(result)}) + "\n")
            file.flush()
            on_done()
    return [done[key] for key in keys]


def run_one(
    request: BacktestRequest, histories: Sequence[CandleHistory], known: KnownStrategies
) -> Done:
    """Run one backtest, without its files: what a ranking needs."""
    strategy = make_strategy(request.strategy, request.parameters, known)
    signals, trades = 0, list[Trade]()
    for history in histories:
        made = signals_of_period(strategy, history, request)
        period = within(history, request.first_day, request.last_day)
        trades.extend(TRADERS[request.trades_in](period, made.signals, request).trades)
        signals += len(made.signals)
    return Done(
        strategy=request.strategy,
        parameters=request.parameters,
        signals=signals,
        trades=len(trades),
        won=sum(trade.net > 0 for trade in trades),
        net=str(sum((trade.net for trade in trades), Decimal(0))),
        charges=str(sum((trade.charges for trade in trades), Decimal(0))),
        daily=_daily(trades, trading_days(histories, request), request.capital),
    )


def trading_days(histories: Sequence[CandleHistory], request: BacktestRequest) -> list[date]:
    """Return the days of the candles within the period of a request."""
    period = (within(one, request.first_day, request.last_day) for one in histories)
    days = np.unique(np.concatenate([one.trading_day for one in period]))
    found: list[date] = days.astype("datetime64[D]").tolist()
    return found


def _daily(trades: Sequence[Trade], days: Sequence[date], capital: Decimal) -> tuple[float, ...]:
    net = dict.fromkeys(days, Decimal(0))
    for trade in trades:
        net[utc_from_ms(trade.exited_ms).astimezone(IST).date()] += trade.net
    return tuple(float(one / capital) for one in net.values())


def _over_the_cores(
    request: BacktestRequest,
    left: Mapping[str, Asked],
    histories: Sequence[CandleHistory],
    folder: Path | None,
    workers: int | None,
) -> Iterator[tuple[str, Done]]:
    """Yield the results as they come; the first error ends all."""
    count = min(workers or os.cpu_count() or 1, len(left))
    if count <= 1:
        known = known_strategies(folder)
        for key, one in left.items():
            yield key, run_one(_request(request, one), histories, known)
        return
    fresh = multiprocessing.get_context("spawn")  # a fork would copy locks of running threads
    state = request, tuple(histories), folder
    with ProcessPoolExecutor(count, fresh, _prepare, state) as pool:
        futures = {pool.submit(_in_worker, one): key for key, one in left.items()}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


@dataclass(slots=True)
class _Worker:
    """What a worker process keeps from one backtest to the next."""

    request: BacktestRequest
    histories: Sequence[CandleHistory]
    known: KnownStrategies


_workers: list[_Worker] = []


def _prepare(
    request: BacktestRequest, histories: Sequence[CandleHistory], folder: Path | None
) -> None:
    _workers.append(_Worker(request, histories, known_strategies(folder)))


def _in_worker(one: Asked) -> Done:
    worker = _workers[0]
    return run_one(_request(worker.request, one), worker.histories, worker.known)


def _request(request: BacktestRequest, one: Asked) -> BacktestRequest:
    return replace(request, strategy=one.strategy, parameters=one.parameters)


def _digest(request: BacktestRequest, histories: Sequence[CandleHistory]) -> str:
    """Return a digest of the candles and of all that is asked but strategy and parameters."""
    digest = hashlib.sha256()
    plain = replace(request, strategy="", parameters={})
    digest.update(json.dumps(asdict(plain), default=str, sort_keys=True).encode())
    for one in histories:
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
