"""The equity curve equals the sum of each trade's profit, candle by candle."""

from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.local.backtest.equity import by_day, equity_of
from services.local.backtest.result import BacktestRequest
from services.local.backtest.underlying import trades_in_underlying
from tests.proofs import examples
from tests.unit.services.local.backtest.made import random_history, random_signals

CAPITAL = Decimal(100_000)


@examples(20)
@given(seed=st.integers(0, 10_000), is_overnight=st.booleans())
def test_equity_equals_the_profit_of_closed_and_open_trades(seed: int, is_overnight: bool) -> None:
    request = BacktestRequest("silent", capital=CAPITAL, is_overnight=is_overnight)
    histories = [random_history(seed, 90), random_history(seed + 1, 60, symbol="SBIN")]
    trades = [
        trade
        for history in histories
        for trade in trades_in_underlying(history, random_signals(seed, history), request).trades
    ]
    equity = equity_of(trades, histories, CAPITAL)
    for at_ms, rupees in zip(equity.at_ms.tolist(), equity.rupees.tolist(), strict=True):
        expected = float(CAPITAL)
        for trade in trades:
            (history,) = (one for one in histories if one.key == trade.instrument)
            if trade.exited_ms < at_ms:
                last = history.closes_ms[history.closes_ms > trade.exited_ms]
                if len(last) and last[0] <= at_ms:
                    expected += float(trade.net)
                    continue
            closes = history.close[(history.closes_ms <= at_ms)]
            if trade.entered_ms < at_ms and (history.closes_ms <= at_ms).any():
                first = history.closes_ms[history.closes_ms > trade.entered_ms][0]
                if first <= at_ms:
                    sign = 1 if trade.transaction_type == "BUY" else -1
                    rise = closes[-1] - float(trade.entry_price)
                    expected += sign * trade.quantity * rise
        assert abs(rupees - expected) < 1e-6
    assert abs(equity.rupees[-1] - float(CAPITAL + sum(one.net for one in trades))) < 1e-6
    highest = np.maximum.accumulate(np.r_[float(CAPITAL), equity.rupees])[1:]
    assert np.allclose(equity.drawdown, (highest - equity.rupees) / highest)


def test_a_day_ends_with_its_last_close() -> None:
    history = random_history(1, 60)
    equity = equity_of([], [history], CAPITAL)
    days, rupees = by_day(equity)
    assert days.tolist() == sorted(set(history.trading_day.tolist()))
    assert rupees.tolist() == [float(CAPITAL)] * len(days)
