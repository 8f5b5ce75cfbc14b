"""The signals of a day on our candles and on the broker's, by the rules of the service."""

from datetime import date

import pytest

from libs.events.candles import Candle
from libs.events.signals import StrategySignal
from libs.strategy.harness import make_candles
from libs.strategy.strategy import Strategy
from services.local.verification.signals import StrategyFailed, changed_signals, signals_on
from services.strategy.domain.strategies.ma_crossover import MaCrossover

BEFORE = [100.0] * 60 + [99.0] * 15
TODAY = [98.0, 98.0, 104.0, 105.0, 106.0]
CANDLES = make_candles([*BEFORE, *TODAY], first_day=date(2026, 6, 10))
HISTORY = [one._replace(source="backfill") for one in CANDLES[:75]]
OURS = CANDLES[75:]


class Fails(Strategy):
    """Raises on each candle of today."""

    name = "fails"
    history_needed = 0

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        if candle.source == "live":
            raise ZeroDivisionError("a bug")
        return None


def given(*candles: Candle) -> list[StrategySignal]:
    return signals_on([lambda: MaCrossover(history_needed=30)], HISTORY, candles)


def changes(*brokers: Candle) -> list[str]:
    return [one.what for one in changed_signals(given(*OURS), given(*brokers))]


def test_the_same_candles_give_the_same_signals() -> None:
    assert len(given(*OURS)) == 1
    assert changes(*(one._replace(source="backfill", revision=3) for one in OURS)) == []


def test_a_signal_that_the_brokers_candles_do_not_give_and_one_that_they_give_are_listed() -> None:
    later = [OURS[0], OURS[1], OURS[2]._replace(close=98.0), *OURS[3:]]
    found = changed_signals(given(*OURS), given(*later))
    assert [one.what for one in found] == ["would not have been given", "was missed"]
    assert [one.either.candle_opened_at for one in found] == [
        one.either.candle_opened_at for one in sorted(found, key=lambda one: one.ours is None)
    ]


def test_a_signal_with_other_levels_says_which() -> None:
    other = [OURS[0], OURS[1], OURS[2]._replace(close=104.5), *OURS[3:]]
    (what,) = changes(*other)
    assert what.startswith("price 104.00 → 104.50, stop_loss 102.96 → 103.4")


def test_a_strategy_that_raises_is_named() -> None:
    with pytest.raises(StrategyFailed, match="fails: on NSE:RELIANCE 15m: ZeroDivisionError"):
        signals_on([Fails], HISTORY, OURS)
