"""The same rule by two libraries, in their own environment: prints candles a second as JSON."""

import json
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

FAST, SLOW, STOP, TARGET, REPEATS = 9, 21, 0.01, 0.02, 3


def main() -> None:
    """Measure the libraries that are there."""
    warnings.simplefilter("ignore")
    prices = dict(np.load(sys.argv[1]))
    frames = [_frame(prices, row) for row in range(len(prices["close"]))]
    figures = {"backtesting": _backtesting(frames), "vectorbt": _vectorbt(frames)}
    sys.stdout.write(json.dumps(figures))


def _frame(prices: dict[str, Any], row: int) -> pd.DataFrame:
    index = pd.to_datetime(prices["opened_ms"][row], unit="ms")
    names = ("open", "high", "low", "close")
    return pd.DataFrame({one.title(): prices[one][row] for one in names}, index=index)


def _per_s(frames: list[pd.DataFrame], run: Callable[[pd.DataFrame], object]) -> float:
    """Return candles a second of this core, of the fastest of some runs after one to compile."""
    seconds = []
    for frame in frames:
        run(frame)
    for _ in range(REPEATS):
        started = time.process_time()
        for frame in frames:
            run(frame)
        seconds.append(time.process_time() - started)
    return sum(map(len, frames)) / min(seconds)


def _average(close: Any, span: int) -> Any:
    return pd.Series(close).ewm(span=span, adjust=False).mean()


def _backtesting(frames: list[pd.DataFrame]) -> float:
    from backtesting import Backtest, Strategy

    class Crossover(Strategy):  # type: ignore[misc]
        def init(self) -> None:
            self.fast = self.I(_average, self.data.Close, FAST)
            self.slow = self.I(_average, self.data.Close, SLOW)

        def next(self) -> None:
            before, now = self.fast[-2] - self.slow[-2], self.fast[-1] - self.slow[-1]
            close = self.data.Close[-1]
            if before <= 0 < now:
                self.position.close()
                self.buy(size=0.5, sl=close * (1 - STOP), tp=close * (1 + TARGET))
            elif before >= 0 > now:
                self.position.close()
                self.sell(size=0.5, sl=close * (1 + STOP), tp=close * (1 - TARGET))

    def run(frame: pd.DataFrame) -> object:
        return Backtest(frame, Crossover, cash=1_000_000, commission=0.0003).run()

    return _per_s(frames, run)


def _vectorbt(frames: list[pd.DataFrame]) -> float:
    import vectorbt as vbt

    def run(frame: pd.DataFrame) -> object:
        distance = _average(frame["Close"], FAST) - _average(frame["Close"], SLOW)
        before = distance.shift(1)
        up, down = (before <= 0) & (distance > 0), (before >= 0) & (distance < 0)
        made = vbt.Portfolio.from_signals(
            frame["Close"],
            entries=up.shift(1, fill_value=False),
            short_entries=down.shift(1, fill_value=False),
            price=frame["Open"],
            open=frame["Open"],
            high=frame["High"],
            low=frame["Low"],
            sl_stop=STOP,
            tp_stop=TARGET,
            fees=0.0003,
        )
        return made.stats()

    return _per_s(frames, run)


if __name__ == "__main__":
    main()
