"""Crossings compared with an independent computation."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from libs.events.candles import Candle, CandleBatch, CandleColumns
from libs.events.control import StrategyStarted, StrategyStopped
from libs.events.event import identity, utc_from_ms
from libs.events.signals import StrategySignal
from services.strategy.domain.host import StrategyHost
from services.strategy.domain.registry import KnownStrategies, UnknownStrategy, make_strategy
from services.strategy.domain.strategies.ma_crossover import MaCrossover

DAY = date(2026, 6, 17)
STEP = 15 * 60_000
START = 1_781_667_900_000


def candle(number: int, close: float, symbol: str = "SBIN", revision: int = 0) -> Candle:
    return Candle(
        exchange="NSE",
        tradingsymbol=symbol,
        expiry=None,
        instrument_token=1,
        opened_ms=START + number * STEP,
        closes_ms=START + (number + 1) * STEP,
        open=close,
        high=close,
        low=close,
        close=close,
        volume=0,
        vwap=None,
        ticks=1,
        oi=0,
        cumulative_volume=0,
        revision=revision,
        interval="15m",
        source="live",
        trading_day=DAY,
    )


def batch(*candles: Candle, source: str = "live") -> CandleBatch:
    names = CandleColumns.model_fields
    return CandleBatch(
        event_id=identity("batch", *(c.candle_id for c in candles), source),
        occurred_at=utc_from_ms(candles[-1].closes_ms),
        trading_day=DAY,
        correlation_id=identity("batch"),
        partition=0,
        interval="15m",
        source=source,
        columns=CandleColumns(**{n: tuple(getattr(c, n) for c in candles) for n in names}),
    )


@pytest.mark.parametrize("seed", range(5))
def test_signals_come_where_the_averages_cross_and_nowhere_else(seed: int) -> None:
    closes = 100 + np.cumsum(np.random.default_rng(seed).normal(0, 1, 400))
    strategy = MaCrossover()
    ours = {
        number: signal.action
        for number, close in enumerate(closes.tolist())
        if (signal := strategy.on_candle(candle(number, close)))
    }
    series = pd.Series(closes)
    fast = series.ewm(span=9, adjust=False).mean()
    slow = series.ewm(span=21, adjust=False).mean()
    above, below = fast > slow, fast < slow
    up = above & (fast <= slow).shift(fill_value=False)
    down = below & (fast >= slow).shift(fill_value=False)
    expected = dict.fromkeys(np.flatnonzero(up).tolist(), "BUY")
    expected |= dict.fromkeys(np.flatnonzero(down).tolist(), "SELL")
    assert ours == expected
    assert len(ours) > 5


def crossing() -> list[float]:
    return [100.0] * 60 + [90.0] + [120.0]


def test_a_signal_carries_its_levels_and_averages() -> None:
    strategy = MaCrossover()
    signals = [s for n, c in enumerate(crossing()) if (s := strategy.on_candle(candle(n, c)))]
    sell, buy = signals
    assert (sell.action, buy.action) == ("SELL", "BUY")
    assert buy.price == 120.0
    assert buy.target == pytest.approx(122.4)
    assert buy.stop_loss == pytest.approx(118.8)
    assert sell.target == pytest.approx(88.2)
    assert sell.stop_loss == pytest.approx(90.9)
    assert buy.expected_move == pytest.approx(2.0)
    assert buy.confidence == 0.85
    assert set(buy.indicators) == {"ema_fast", "ema_slow"}


def host() -> StrategyHost:
    return StrategyHost((MaCrossover,))


def played(one: StrategyHost, closes: list[float], start: int = 0) -> list[StrategySignal]:
    events = [e for n, c in enumerate(closes, start) for e in one.on_event(batch(candle(n, c)))]
    return [event for event in events if isinstance(event, StrategySignal)]


def test_nothing_is_signalled_before_the_history_is_long_enough() -> None:
    short, long = [100.0] * 20 + [120.0], [100.0] * 60 + [120.0]
    assert played(host(), short) == []
    assert len(played(host(), long)) == 1


def test_history_warms_up_without_a_signal_and_gives_the_same_signals_afterwards() -> None:
    warm = host()
    warm.warm(candle(number, close) for number, close in enumerate(crossing()[:-1]))
    assert [s.event_id for s in played(warm, crossing()[-1:], start=61)] == [
        s.event_id for s in played(host(), crossing())[-1:]
    ]
    (started,) = warm.started(DAY, START)
    assert isinstance(started, StrategyStarted)
    assert (started.instruments, started.cold) == (1, ())


def test_a_cold_instrument_is_named() -> None:
    cold = host()
    cold.warm([candle(0, 100.0)])
    (started,) = cold.started(DAY, START)
    assert isinstance(started, StrategyStarted)
    assert (started.instruments, started.cold) == (0, ("NSE:SBIN",))


def test_repeats_revisions_and_backfill_change_nothing() -> None:
    disturbed = host()
    signals = []
    for number, close in enumerate(crossing()):
        one = candle(number, close)
        signals += list(disturbed.on_event(batch(one)))
        signals += list(disturbed.on_event(batch(candle(number, 1.0, revision=1))))
        signals += list(disturbed.on_event(batch(one)))
        signals += list(disturbed.on_event(batch(candle(number, 1.0), source="backfill")))
        signals += list(disturbed.on_event(batch(candle(max(number - 1, 0), 1.0))))
    assert signals == played(host(), crossing())


class Broken(MaCrossover):
    name = "broken"

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        raise ZeroDivisionError("a bug")


def test_a_strategy_that_fails_is_stopped_and_reported_while_the_others_go_on() -> None:
    both = StrategyHost((Broken, MaCrossover))
    events = [e for n, c in enumerate(crossing()) for e in both.on_event(batch(candle(n, c)))]
    (stopped,) = [event for event in events if isinstance(event, StrategyStopped)]
    assert stopped.strategy == "broken"
    assert "a bug" in stopped.reason
    assert [e for e in events if isinstance(e, StrategySignal)] == played(host(), crossing())


def test_ids_depend_on_parameters_and_candle() -> None:
    other = StrategyHost((lambda: MaCrossover(target_percent=3.0),))
    one, two = played(host(), crossing()), played(other, crossing())
    assert [s.event_id for s in one] == [s.event_id for s in played(host(), crossing())]
    assert {s.event_id for s in one}.isdisjoint(s.event_id for s in two)


@pytest.mark.parametrize(
    ("name", "parameters", "culprit"),
    [
        ("magic", {}, "'magic'"),
        ("ma_crossover", {"fats": 9}, "fats"),
        ("ma_crossover", {"fast": 30}, "fast (30)"),
    ],
)
def test_a_wrong_choice_is_named(name: str, parameters: dict[str, int], culprit: str) -> None:
    known = KnownStrategies({"ma_crossover": MaCrossover})
    with pytest.raises(UnknownStrategy) as error:
        make_strategy(name, parameters, known)
    assert culprit in str(error.value)
