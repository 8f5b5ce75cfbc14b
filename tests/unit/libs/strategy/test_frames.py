"""Strategies that are handed a frame."""

import pickle
from collections.abc import Sequence
from copy import deepcopy
from typing import ClassVar

import pandas as pd
import pytest

from libs.events.candles import Candle
from libs.events.signals import StrategySignal
from libs.market.calendar import IST
from libs.strategy.candle_window import COLUMNS, CandleWindow
from libs.strategy.frames import FrameStrategy
from libs.strategy.harness import make_candles, signals_of
from libs.strategy.instance import StrategyInstance
from libs.strategy.parameters import WrongParameters, made

ROWS = [(n + 0.5, n + 2.0, n + 0.25, n + 1.0, n * 10) for n in range(1, 400)]
CANDLES = tuple(
    candle._replace(vwap=None if number % 3 else candle.close - 0.1, ticks=number, oi=2 * number)
    for number, candle in enumerate(make_candles(ROWS, "5m"))
)


class Recorder(FrameStrategy):
    """Keeps the frames that it gets, and buys at each of them."""

    name = "recorder"
    interval = "5m"
    history_needed = 3
    frame_length: ClassVar[int] = 60

    def __init__(self) -> None:
        self.frames: list[tuple[str, pd.DataFrame]] = []

    def analyze(self, symbol: str, candles: pd.DataFrame) -> StrategySignal | None:
        self.frames.append((symbol, candles))
        close = float(candles["close"].iloc[-1])
        return self.buy(self.last_candle, stop_loss=0.9 * close, target=2 * close, confidence=0.7)


def expected(candles: Sequence[Candle]) -> pd.DataFrame:
    times = pd.to_datetime([one.opened_ms for one in candles], unit="ms", utc=True)
    local = times.tz_convert(IST).as_unit("ms")
    columns = [
        [one.open, one.high, one.low, one.close, one.volume, one.vwap, one.ticks, one.oi]
        for one in candles
    ]
    frame = pd.DataFrame(columns, columns=list(COLUMNS[1:]), index=local.rename("date"))
    frame["vwap"] = frame["vwap"].astype(float)
    frame.insert(0, "timestamp", frame.index)
    return frame


def test_a_frame_comes_with_each_candle_after_the_history_needed() -> None:
    recorder = Recorder()
    signals = signals_of(recorder, CANDLES)
    assert [signal.price for signal in signals] == [row[3] for row in ROWS[3:]]
    assert {symbol for symbol, _ in recorder.frames} == {"RELIANCE"}
    assert len(recorder.frames) == len(ROWS) - 3


def test_a_frame_grows_until_it_is_full_and_then_loses_its_oldest_candle() -> None:
    recorder = Recorder()
    signals_of(recorder, CANDLES)
    lengths = [len(frame) for _, frame in recorder.frames]
    assert lengths == [min(number, 60) for number in range(4, len(ROWS) + 1)]


def test_each_frame_holds_the_last_candles_also_after_later_ones_have_come() -> None:
    recorder = Recorder()
    signals_of(recorder, CANDLES)
    for end, (_, frame) in list(enumerate(recorder.frames, 4))[::9]:
        pd.testing.assert_frame_equal(frame, expected(CANDLES[max(0, end - 60) : end]))


def test_the_columns_are_those_of_a_candle_and_the_timestamp_is_the_open_time_in_india() -> None:
    recorder = Recorder()
    signals_of(recorder, CANDLES)
    frame = recorder.frames[0][1]
    assert list(frame.columns) == list(COLUMNS)
    assert frame.index.name == "date"
    for times in (frame.index, frame["timestamp"]):
        assert [f"{at:%H:%M %z}" for at in times] == [
            "09:15 +0530",
            "09:20 +0530",
            "09:25 +0530",
            "09:30 +0530",
        ]


def test_what_a_strategy_does_to_its_frame_changes_no_other_frame() -> None:
    window = CandleWindow(50)
    for candle in CANDLES[:10]:
        window.add(candle)
    frame = window.frame()
    frame.loc[:, "close"] = -1.0
    frame["mine"] = 1
    frame.loc[frame.index[0], "timestamp"] = frame.index[1]
    pd.testing.assert_frame_equal(window.frame(), expected(CANDLES[:10]))


def test_a_frame_holds_a_thousand_candles_if_nothing_else_is_said() -> None:
    assert FrameStrategy.frame_length == 1000


@pytest.mark.parametrize("length", [49, 100_001, 60.0])
def test_a_frame_of_too_few_or_too_many_candles_is_refused_by_name(length: object) -> None:
    with pytest.raises(ValueError, match=f"frame_length: {length}"):
        type("Short", (Recorder,), {"frame_length": length})


def test_more_history_than_a_frame_holds_is_refused_by_name() -> None:
    longer = type("Longer", (Recorder,), {"history_needed": 60})
    with pytest.raises(WrongParameters, match="history_needed: 60 should be below frame_length"):
        made(longer, {})


def test_a_copy_goes_on_by_itself() -> None:
    original = StrategyInstance(Recorder())
    for candle in CANDLES[:4]:
        original.take(candle)
    copies = [deepcopy(original), pickle.loads(pickle.dumps(original))]
    ours = [original.take(candle) for candle in CANDLES[4:]]
    for copy in copies:
        assert [copy.take(candle) for candle in CANDLES[4:]] == ours
        assert isinstance(copy.strategy, Recorder)
        pd.testing.assert_frame_equal(copy.strategy.frames[-1][1], expected(CANDLES[-60:]))
