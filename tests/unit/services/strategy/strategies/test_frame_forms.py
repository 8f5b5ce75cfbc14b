"""The rules of ma_crossover and rsi as pandas and TA-Lib strategies: signal for signal the same."""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import talib

from libs.events.signals import StrategySignal
from libs.strategy.frames import FrameStrategy
from libs.strategy.strategy import Strategy
from services.strategy.domain.strategies.ma_crossover import MaCrossover
from services.strategy.domain.strategies.rsi import Rsi
from tests.unit.services.strategy.strategies.recorded import fed, frame_of, read_recorded


class _Frames(FrameStrategy):
    """Signals on the sign of a rule: 1 BUY, -1 SELL, 0 none."""

    frame_length: ClassVar[int] = 800

    def analyze(self, symbol: str, candles: pd.DataFrame) -> StrategySignal | None:
        direction = self.direction(candles["close"])
        if not direction:
            return None
        close = self.last_candle.close
        return self.signal(
            self.last_candle,
            "BUY" if direction > 0 else "SELL",
            stop_loss=close * (1 - direction * 0.01),
            target=close * (1 + direction * 0.02),
            confidence=0.7,
        )

    def direction(self, close: pd.Series) -> int:
        raise NotImplementedError


class FrameMaCrossover(_Frames):
    name = "frame_ma_crossover"

    def direction(self, close: pd.Series) -> int:
        fast = close.ewm(span=9, adjust=False).mean()
        slow = close.ewm(span=21, adjust=False).mean()
        before, now = np.sign((fast - slow).iloc[-2:])
        return int(now) if now and before * now <= 0 else 0


class FrameRsi(_Frames):
    name = "frame_rsi"
    history_needed = Rsi.history_needed

    def direction(self, close: pd.Series) -> int:
        before, now = talib.RSI(close.to_numpy(), 14)[-2:]
        return int(before <= 30 < now) - int(before >= 70 > now)


@pytest.mark.parametrize(("built_in", "frames"), [(MaCrossover, FrameMaCrossover), (Rsi, FrameRsi)])
def test_the_form_with_frames_agrees_signal_for_signal(
    built_in: type[Strategy], frames: type[Strategy], recorded: Callable[[str], Path]
) -> None:
    candles = read_recorded(recorded("nse_15min"), "RELIANCE").candles[:2500]
    ours = fed(built_in(), candles)
    theirs = fed(frames(), candles)
    assert len(ours) > 40
    pd.testing.assert_frame_equal(frame_of(ours), frame_of(theirs), rtol=0, atol=1e-9)
