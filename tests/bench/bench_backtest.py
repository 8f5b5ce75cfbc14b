"""How many candles a second a backtest and the strategy service take, on one core.

The backtest runs ma_crossover on a year of five shares: signals, trades after charges, equity and
measures. Beside it stands a plain loop over the same prices that knows this rule alone: averages,
entries at the next open, stop, target and square-off in floats, without ids, events or charges.

The strategy service goes from the bytes of CandleBatches to events; beside it a plain loop reads
the same bytes as JSON and computes the two averages.
"""

import json
import time
from collections.abc import Callable, Sequence

from libs.events.candles import CandleBatch, CandleColumns
from libs.events.codec import decode, encode
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.result import BacktestRequest
from services.local.backtest.run import run_backtest
from services.strategy.domain.host import StrategyHost
from services.strategy.domain.strategies.ma_crossover import MaCrossover
from services.strategy.finding import known_strategies
from tests.bench.years import year

REPEATS, BATCH_ROWS, CLOSES = 7, 375, 120
SQUARE_OFF_MS, DAY_MS, INDIA_MS = (15 * 60 + 15) * 60_000, 86_400_000, 330 * 60_000


def measure() -> dict[str, float]:
    """Return candles a second of both, and of their plain loops; the best of a few."""
    histories = year()
    candles, request, known = sum(map(len, histories)), BacktestRequest("ma_crossover"), None
    known = known_strategies()
    backtest = candles / _best(lambda: run_backtest(request, histories, known))
    plain = candles / _best(lambda: [plain_trades(one) for one in histories])
    batches = candle_batches(histories[0])
    rows = BATCH_ROWS * (CLOSES - 1)
    strategy = rows / min(_strategy_seconds(batches) for _ in range(REPEATS))
    averages = rows / min(_plain_seconds(batches) for _ in range(REPEATS))
    return {
        "backtest_candles_per_s": backtest,
        "backtest_loop_candles_per_s": plain,
        "backtest_vs_loop": backtest / plain,
        "strategy_candles_per_s": strategy,
        "strategy_loop_candles_per_s": averages,
        "strategy_vs_loop": strategy / averages,
    }


def _best(run: Callable[[], object]) -> float:
    """Return the seconds of this core of the fastest of some runs."""
    seconds = []
    for _ in range(REPEATS):
        started = time.process_time()
        run()
        seconds.append(time.process_time() - started)
    return min(seconds)


def plain_trades(history: CandleHistory) -> list[float]:
    """Return the profit a unit of each trade of the crossing of 9 and 21, stop 1 %, target 2 %."""
    rows = zip(
        ((history.opened_ms + INDIA_MS) % DAY_MS).tolist(),
        history.open.tolist(),
        history.high.tolist(),
        history.low.tolist(),
        history.close.tolist(),
        strict=True,
    )
    made: list[float] = []
    fast = slow = before = entry = stop = target = 0.0
    side = waiting = seen = 0
    for at_ms, opened, high, low, close in rows:
        if side and (at_ms >= SQUARE_OFF_MS or waiting == -side):
            made.append(side * (opened - entry))
            side = 0
        if waiting and not side and at_ms < SQUARE_OFF_MS:
            side, entry = waiting, opened
        waiting = 0
        if side > 0 and (low <= stop or high >= target):
            made.append((stop if low <= stop else target) - entry)
            side = 0
        elif side < 0 and (high >= stop or low <= target):
            made.append(entry - (stop if high >= stop else target))
            side = 0
        fast = fast + 0.2 * (close - fast) if seen else close
        slow = slow + (close - slow) / 11 if seen else close
        distance = fast - slow
        if seen >= 50 and before <= 0 < distance:
            waiting, stop, target = 1, 0.99 * close, 1.02 * close
        elif seen >= 50 and before >= 0 > distance:
            waiting, stop, target = -1, 1.01 * close, 0.98 * close
        before, seen = distance, seen + 1
    return made


def candle_batches(history: CandleHistory) -> list[bytes]:
    """Return closes of a partition's instruments, which all have the same prices."""
    values = []
    for candle in list(history.candles())[:CLOSES]:
        rows = [
            candle._replace(tradingsymbol=f"SHARE{number}", source="live", vwap=candle.close)
            for number in range(BATCH_ROWS)
        ]
        columns = CandleColumns.of(rows)
        batch = CandleBatch.live(0, "15m", candle.closes_ms, candle.trading_day, columns)
        values.append(encode(batch))
    return values


def _strategy_seconds(values: Sequence[bytes]) -> float:
    """Return the seconds from bytes to events, without the first close, which makes objects."""
    host = StrategyHost((MaCrossover,))
    host.on_event(decode("candles", values[0]))
    started = time.process_time()
    for value in values[1:]:
        host.on_event(decode("candles", value))
    return time.process_time() - started


def _plain_seconds(values: Sequence[bytes]) -> float:
    averages: dict[str, tuple[float, float]] = {}
    started = time.process_time()
    for value in values[1:]:
        columns = json.loads(value)["columns"]
        for symbol, close in zip(columns["tradingsymbol"], columns["close"], strict=True):
            fast, slow = averages.get(symbol, (close, close))
            averages[symbol] = fast + 0.2 * (close - fast), slow + (close - slow) / 11
    return time.process_time() - started
