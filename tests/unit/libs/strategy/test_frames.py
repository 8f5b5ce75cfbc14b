"""Strategies that are handed a frame."""

from copy import deepcopy

import pandas as pd

from libs.events.signals import StrategySignal
from libs.strategy.frames import FrameStrategy
from libs.strategy.harness import make_candles, signals_of
from libs.strategy.instance import StrategyInstance

ROWS = [(n + 0.5, n + 2.0, n + 0.25, n + 1.0, n * 10) for n in range(1, 9)]
CANDLES = make_candles(ROWS, "5m")


class Recorder(FrameStrategy):
    """Keeps the frames that it gets, and buys at each of them."""

    name = "recorder"
    interval = "5m"
    history_needed = 3

    def __init__(self) -> None:
        self.frames: list[tuple[str, pd.DataFrame]] = []

    def analyze(self, symbol: str, candles: pd.DataFrame) -> StrategySignal | None:
        self.frames.append((symbol, candles))
        close = float(candles["close"].iloc[-1])
        return self.buy(self.last_candle, stop_loss=0.9 * close, target=2 * close, confidence=0.7)


def test_each_frame_is_the_history_needed_and_the_candle_that_closed() -> None:
    recorder = Recorder()
    signals = signals_of(recorder, CANDLES)
    assert [signal.price for signal in signals] == [row[3] for row in ROWS[3:]]
    symbols, frames = zip(*recorder.frames, strict=True)
    assert set(symbols) == {"RELIANCE"}
    assert [len(frame) for frame in frames] == [4] * 5
    last = frames[-1]
    assert list(last.columns) == ["open", "high", "low", "close", "volume", "oi"]
    assert last[["open", "high", "low", "close", "volume"]].to_numpy().tolist() == [
        list(row) for row in ROWS[-4:]
    ]


def test_the_index_of_a_frame_is_the_open_time_in_india() -> None:
    recorder = Recorder()
    signals_of(recorder, CANDLES)
    index = recorder.frames[0][1].index
    assert index.name == "date"
    assert [f"{at:%H:%M %z}" for at in index] == [
        "09:15 +0530",
        "09:20 +0530",
        "09:25 +0530",
        "09:30 +0530",
    ]


def test_a_copy_goes_on_by_itself() -> None:
    original = StrategyInstance(Recorder())
    for candle in CANDLES[:4]:
        original.take(candle)
    copy = deepcopy(original)
    ours = [original.take(candle) for candle in CANDLES[4:]]
    assert [copy.take(candle) for candle in CANDLES[4:]] == ours
