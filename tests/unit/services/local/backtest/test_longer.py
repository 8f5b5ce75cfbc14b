"""Longer candles are folded as the candle service folds minutes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.candles import MINUTES, Interval
from libs.market.calendar import load_calendar
from services.candle.domain.schedule import Schedule
from services.local.backtest.candles.longer import longer
from services.local.backtest.errors import BacktestError
from tests.unit.services.local.backtest.made import random_history


@given(
    seed=st.integers(0, 10_000),
    intervals=st.sampled_from(
        [("5m", "15m"), ("5m", "60m"), ("15m", "60m"), ("1m", "10m"), ("15m", "day")]
    ),
)
def test_folded_candles_equal_those_of_the_candle_services_schedule(
    seed: int, intervals: tuple[Interval, Interval]
) -> None:
    short, long = intervals
    history = random_history(seed, 420, short)
    expected = []
    days = sorted(set(history.trading_day.tolist()))
    for day in days:
        schedule = Schedule(load_calendar().sessions("NSE", day))
        spans = [one for group in schedule.ending_at.values() for one in group]
        for span in sorted(one for one in spans if one.interval == long):
            start, stop = schedule.start_ms(span.start), schedule.start_ms(span.stop)
            rows = [row for row, at in enumerate(history.opened_ms.tolist()) if start <= at < stop]
            if rows:
                expected.append(
                    (
                        start,
                        stop,
                        history.open[rows[0]],
                        max(history.high[rows]),
                        min(history.low[rows]),
                        history.close[rows[-1]],
                        sum(history.volume[rows]),
                        day,
                    )
                )
    folded = longer(history, long)
    names = ("opened_ms", "closes_ms", "open", "high", "low", "close", "volume", "trading_day")
    columns = (getattr(folded, name).tolist() for name in names)
    assert list(zip(*columns, strict=True)) == expected


def test_an_interval_that_does_not_consist_of_the_candles_is_refused() -> None:
    history = random_history(1, 30, "10m")
    wrong: tuple[Interval, ...] = ("15m", "5m")
    for interval in wrong:
        with pytest.raises(BacktestError, match=f"of {interval} cannot be made of candles of 10m"):
            longer(history, interval)
    assert longer(history, "10m") is history
    assert MINUTES["30m"] % MINUTES["10m"] == 0
    assert len(longer(history, "30m")) < len(history)


def test_the_average_price_is_that_of_the_volume() -> None:
    history = random_history(3, 60, "5m")
    whole = np.full(len(history), 10.0)
    assert np.isnan(longer(history, "15m").vwap).any()
    known = replace(history, vwap=whole)
    vwap = longer(known, "15m").vwap
    volume = longer(known, "15m").volume
    assert np.allclose(vwap[volume > 0], 10.0)
