"""The measures of a backtest, from its trades and its equity."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from services.local.backtest.result import BacktestRequest, Equity
from services.local.backtest.trade import Trade


def measures(
    trades: Sequence[Trade], equity: Equity, request: BacktestRequest
) -> Mapping[str, float | int | None]:
    """Return counts, rupees and fractions by name; None where one is not defined."""
    net = sum((trade.net for trade in trades), Decimal(0))
    charges = sum((trade.charges for trade in trades), Decimal(0))
    gross = sum((abs(trade.gross) for trade in trades), Decimal(0))
    wins = sum(trade.net > 0 for trade in trades)
    return {
        "trades": len(trades),
        "net": float(net),
        "charges": float(charges),
        "return": float(net / request.capital),
        "win_rate": wins / len(trades) if trades else None,
        "charges_share": float(charges / gross) if gross else None,
        "max_drawdown": float(equity.drawdown.max()),
    }
