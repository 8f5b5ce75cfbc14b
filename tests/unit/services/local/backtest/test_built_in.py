"""The built-in strategies in a backtest: the signals of the service, the results of their pages."""

from collections.abc import Callable
from pathlib import Path

import pytest

from libs.events.candles import length_ms
from libs.strategy.strategy import Strategy
from services.local.backtest.candles.files import read_candles
from services.local.backtest.candles.longer import longer
from services.local.backtest.signals import signals_on
from services.strategy.domain.strategies import BUILT_IN
from tests.unit.services.local.backtest.page_results import PAGES, table_of, tables_on
from tests.unit.services.strategy.strategies.recorded import fed


@pytest.mark.parametrize("strategy", BUILT_IN, ids=lambda one: one.name)
def test_a_backtest_gives_the_signals_of_the_service(
    strategy: type[Strategy], recorded: Callable[[str], Path]
) -> None:
    (history,) = read_candles([recorded("nse_15min/SBIN_2024-04_2025-03.csv.gz")])
    one = strategy()
    histories = [longer(history, interval) for interval in (one.interval, *one.other_intervals)]
    candles = [candle for every in histories for candle in every.candles()]
    candles.sort(key=lambda candle: (candle.closes_ms, length_ms(candle.interval)))
    signals = fed(one, candles)
    assert signals_on(strategy(), history).signals == signals
    assert len(signals) >= 30


@pytest.mark.proof("a year of five instruments for each strategy takes half a minute")
@pytest.mark.parametrize("strategy", BUILT_IN, ids=lambda one: one.name)
def test_its_page_tells_the_results_of_a_backtest(
    strategy: type[Strategy], recorded: Callable[[str], Path]
) -> None:
    histories = read_candles([recorded("nse_15min")])
    assert list(tables_on(PAGES / f"{strategy.name}.md")) == [table_of(strategy, histories)]
