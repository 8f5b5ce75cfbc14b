"""What a backtest is asked for, and what it gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from libs.events.candles import Interval
from libs.events.signals import StrategySignal
from services.local.backtest.candles.history import CandleHistory, Floats, Integers
from services.local.backtest.trade import Trade

TradesIn = Literal["underlying", "options"]


@dataclass(frozen=True, slots=True)
class BacktestRequest:
    """A strategy with parameters, and how its signals are traded.

    `capital` in rupees; `risk`, `max_position` and `slippage` are fractions (of the capital, of the
    capital, of the price). Without `is_overnight` all is squared off at the end of each day.
    """

    strategy: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    interval: Interval = "15m"
    trades_in: TradesIn = "underlying"
    capital: Decimal = Decimal(1_000_000)
    risk: Decimal = Decimal("0.02")
    max_position: Decimal = Decimal("1")
    slippage: Decimal = Decimal("0.0002")
    is_overnight: bool = False
    first_day: date | None = None
    last_day: date | None = None


@dataclass(frozen=True, slots=True)
class Equity:
    """The capital with all profit and loss after charges, open trades at the candle's close.

    `at_ms`: closes of candles, epoch ms; `rupees`; `drawdown`: fraction below the highest so far.
    """

    at_ms: Integers
    rupees: Floats
    drawdown: Floats


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """A finished backtest. Signals by candle close, then symbol; trades by entry, then symbol.

    `measures` are those of summary.json; None where one is not defined (no trade, say).
    `untraded`: signals that led to no trade, by reason; `refused`: those refused at their source.
    """

    request: BacktestRequest
    histories: tuple[CandleHistory, ...]
    signals: tuple[StrategySignal, ...]
    trades: tuple[Trade, ...]
    equity: Equity
    measures: Mapping[str, float | int | None]
    warnings: tuple[str, ...] = ()
    untraded: Mapping[str, int] = field(default_factory=dict)
    refused: int = 0
