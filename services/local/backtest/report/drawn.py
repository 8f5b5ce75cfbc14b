"""What the page's script draws, as data."""

from collections.abc import Sequence
from typing import Any

from services.local.backtest.report.charts import equity, groups, price
from services.local.backtest.report.charts.closeup import CloseUps
from services.local.backtest.report.charts.figure import Figure
from services.local.backtest.result import BacktestResult
from services.local.backtest.trade import Trade


def drawn_of(result: BacktestResult, signals: price.Signals, near: CloseUps) -> dict[str, Any]:
    """Return what the page's script draws."""
    return {
        "charts": _charts(result),
        "prices": _prices(result, signals),
        "candles": near.candles,
        "trades": near.trades,
        "shown": _worst(result.trades, near),
    }


def _charts(result: BacktestResult) -> dict[str, Figure]:
    """Return the figures that are drawn at once, by the id of their place."""
    curve = equity.equity_chart(result.equity, float(result.request.capital))
    if not result.trades:
        return {"equity": curve}
    made_of = {
        "distribution": groups.distribution_chart,
        "hours": groups.hour_chart,
        "weekdays": groups.weekday_chart,
        "reasons": groups.reason_chart,
    }
    if len(result.histories) > 1:
        made_of["instruments"] = groups.instrument_chart
    return {"equity": curve, **{key: chart(result.trades) for key, chart in made_of.items()}}


def _prices(result: BacktestResult, signals: price.Signals) -> dict[str, Figure]:
    count = len(result.histories)
    points = price.most_points(count)
    by_key: dict[str, list[Trade]] = {one.key: [] for one in result.histories}
    for trade in result.trades:
        by_key[trade.instrument].append(trade)
    return {
        one.key: price.price_chart(one, price.drawn_trades(by_key[one.key], count), signals, points)
        for one in result.histories
    }


def _worst(trades: Sequence[Trade], near: CloseUps) -> int | None:
    """Return the index of the trade that lost most, of those with a chart."""
    drawn = [index for index, one in enumerate(near.trades) if one]
    return min(drawn, key=lambda index: trades[index].net, default=None)
