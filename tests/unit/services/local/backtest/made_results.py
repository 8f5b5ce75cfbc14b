"""Results of backtests that never ran: a generated history with trades at random candles."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np

from libs.events.candles import length_ms
from libs.events.event import identity, utc_from_ms
from libs.events.signals import StrategySignal
from libs.market.calendar import IST_OFFSET_MS
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.measures import measures
from services.local.backtest.result import BacktestRequest, BacktestResult, Equity
from services.local.backtest.trade import ExitReason, Trade

DAY_MS, MINUTE_MS = 86_400_000, 60_000
OPENS_MS = (9 * 60 + 15) * MINUTE_MS
CANDLES_A_DAY = 25
FIRST = date(2024, 4, 1)
CENT = Decimal("0.01")


def history(symbol: str = "SBIN", days: int = 20, seed: int = 7) -> CandleHistory:
    """Return a random walk of 15m candles on the weekdays from `FIRST` on."""
    rng = np.random.default_rng(seed)
    weekdays = np.busday_offset(np.datetime64(FIRST), np.arange(days), roll="forward")
    trading_day = np.repeat(weekdays.astype("datetime64[D]"), CANDLES_A_DAY)
    count, candle_ms = len(trading_day), length_ms("15m")
    within = np.tile(np.arange(CANDLES_A_DAY) * candle_ms, days)
    opened_ms = trading_day.astype(np.int64) * DAY_MS + OPENS_MS - IST_OFFSET_MS + within
    close = np.round(800 * np.exp(np.cumsum(rng.normal(0, 0.003, count))), 2)
    opens = np.r_[800.0, close[:-1]]
    return CandleHistory(
        exchange="NSE",
        tradingsymbol=symbol,
        interval="15m",
        opened_ms=opened_ms,
        closes_ms=opened_ms + candle_ms,
        open=opens,
        high=np.maximum(opens, close) + 1,
        low=np.minimum(opens, close) - 1,
        close=close,
        volume=np.full(count, 1000),
        vwap=np.full(count, np.nan),
        trading_day=trading_day,
    )


def trade(
    net: str | Decimal = "100",
    charges: str = "10",
    entered_ms: int = 1_712_000_000_000,
    minutes: int = 30,
    quantity: int = 10,
    signal: StrategySignal | None = None,
    entry: float = 800.0,
    reason: ExitReason = "target",
    symbol: str = "SBIN",
    contract: str | None = None,
) -> Trade:
    """Return a trade that was bought, with this profit after charges."""
    price = Decimal(str(entry))
    gross = Decimal(net) + Decimal(charges)
    return Trade(
        signal_id=signal.event_id if signal else identity("made", entered_ms, symbol),
        strategy="made",
        instrument=f"NSE:{symbol}",
        action=signal.action if signal else "BUY",
        exchange="NFO" if contract else "NSE",
        tradingsymbol=contract or symbol,
        transaction_type="BUY",
        quantity=quantity,
        entered_ms=entered_ms,
        entry_price=price,
        exited_ms=entered_ms + minutes * MINUTE_MS,
        exit_price=price + gross / quantity,
        reason=reason,
        charges=Decimal(charges),
        adverse=Decimal(1),
        favourable=Decimal(2),
    )


def signal_at(made: CandleHistory, index: int, strategy: str = "made") -> StrategySignal:
    """Return a BUY signal of the candle at this index."""
    closed_at, price = utc_from_ms(int(made.closes_ms[index])), float(made.close[index])
    day: date = made.trading_day[index].item()
    return StrategySignal(
        **StrategySignal.without_cause(made.key, index, occurred_at=closed_at, trading_day=day),
        strategy=strategy,
        strategy_version="1",
        parameters={},
        exchange=made.exchange,
        tradingsymbol=made.tradingsymbol,
        underlying=made.tradingsymbol,
        interval=made.interval,
        candle_opened_at=utc_from_ms(int(made.opened_ms[index])),
        candle_closed_at=closed_at,
        action="BUY",
        price=price,
        stop_loss=round(price * 0.99, 2),
        target=round(price * 1.02, 2),
        confidence=0.7,
        expected_move=2.0,
        indicators={},
    )


def trades_on(made: CandleHistory, count: int, seed: int = 3) -> list[tuple[StrategySignal, Trade]]:
    """Return so many signals with trades, entered one candle later and left within the day."""
    rng = np.random.default_rng(seed)
    at = np.sort(rng.choice(len(made) - 12, count, replace=False))
    return [_traded(made, index, int(rng.integers(1, 9))) for index in at.tolist()]


def _traded(made: CandleHistory, index: int, candles: int) -> tuple[StrategySignal, Trade]:
    signal, entry = signal_at(made, index), float(made.open[index + 1])
    rise = Decimal(str(round(float(made.close[index + candles]) - entry, 2)))
    net = 100 * rise - Decimal("41.30")
    entered_ms, exited_ms = int(made.opened_ms[index + 1]), int(made.closes_ms[index + candles])
    bought = trade(
        net=net,
        charges="41.30",
        entered_ms=entered_ms,
        minutes=(exited_ms - entered_ms) // MINUTE_MS,
        quantity=100,
        signal=signal,
        entry=entry,
        reason="target" if net > 0 else "stop_loss",
        symbol=made.tradingsymbol,
    )
    return signal, bought


def equity_of(
    histories: Sequence[CandleHistory], trades: Sequence[Trade], capital: Decimal
) -> Equity:
    """Return the capital with what was realised until each candle's close."""
    at_ms = np.unique(np.concatenate([one.closes_ms for one in histories]))
    left = np.array([one.exited_ms for one in trades], dtype=np.int64)
    order = np.argsort(left, kind="stable")
    net = np.r_[0.0, np.cumsum([float(trades[index].net) for index in order])]
    rupees = float(capital) + net[np.searchsorted(left[order], at_ms, "right")]
    return equity(rupees.tolist(), at_ms.tolist(), float(capital))


def equity(rupees: Sequence[float], at_ms: Sequence[int], capital: float) -> Equity:
    """Return an equity curve with its drawdowns."""
    worth = np.array(rupees, dtype=np.float64)
    high = np.maximum.accumulate(np.r_[capital, worth])[1:]
    return Equity(np.array(at_ms, dtype=np.int64), worth, 1 - worth / high)


def result(
    symbols: Sequence[str] = ("SBIN",),
    days: int = 20,
    trades: int = 30,
    strategy: str = "made",
    parameters: Mapping[str, Any] | None = None,
    warnings: tuple[str, ...] = (),
) -> BacktestResult:
    """Return a finished backtest of made-up trades."""
    request = BacktestRequest(strategy, parameters or {"fast": 9, "slow": 21})
    histories = [history(symbol, days, seed) for seed, symbol in enumerate(symbols)]
    pairs = [
        pair
        for seed, one in enumerate(histories)
        if trades
        for pair in trades_on(one, trades, seed)
    ]
    pairs.sort(key=lambda pair: (pair[1].entered_ms, pair[1].instrument))
    made = [pair[1] for pair in pairs]
    curve = equity_of(histories, made, request.capital)
    return BacktestResult(
        request=request,
        histories=tuple(histories),
        signals=tuple(pair[0] for pair in pairs),
        trades=tuple(made),
        equity=curve,
        measures=measures(made, curve, request),
        warnings=warnings,
    )
