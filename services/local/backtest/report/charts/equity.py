"""The equity curve with the drawdown beneath it."""

import numpy as np

from services.local.backtest.report.charts.figure import (
    LINE,
    LOSS,
    QUIET,
    RUPEES,
    Figure,
    axis,
    figure,
)
from services.local.backtest.report.thinning import thinned
from services.local.backtest.report.times import for_chart
from services.local.backtest.result import Equity

MOST_POINTS = 1_500
"""Of each of equity and drawdown; so at most twice as many are drawn."""


def equity_chart(equity: Equity, capital: float) -> Figure:
    """Return equity and drawdown over time; highs and lows are never left out."""
    kept = np.union1d(
        thinned(equity.rupees, MOST_POINTS), thinned(equity.drawdown, MOST_POINTS)
    ).astype(np.int64)
    x = for_chart(equity.at_ms[kept])
    curve = {
        "type": "scatter",
        "mode": "lines",
        "name": "equity",
        "x": x,
        "y": equity.rupees[kept].round(2).tolist(),
        "line": {"color": LINE, "width": 2},
        "hovertemplate": "%{x|%d %b %Y, %H:%M}<br>%{y:$,.0f}<extra>equity</extra>",
    }
    fall = {
        "type": "scatter",
        "mode": "lines",
        "name": "drawdown",
        "x": x,
        "y": (-equity.drawdown[kept]).round(5).tolist(),
        "yaxis": "y2",
        "fill": "tozeroy",
        "line": {"color": LOSS, "width": 1},
        "hovertemplate": "%{x|%d %b %Y, %H:%M}<br>%{y:.2%} from the high<extra>drawdown</extra>",
    }
    return figure(
        [curve, fall],
        height=460,
        showlegend=False,
        xaxis={"type": "date", "anchor": "y2"},
        yaxis=axis("equity, ₹", domain=[0.36, 1], tickformat=RUPEES),
        yaxis2=axis("drawdown", domain=[0, 0.28], tickformat=".2~%", rangemode="tozero"),
        shapes=[_capital(capital)],
    )


def _capital(capital: float) -> dict[str, object]:
    """Return a dotted line at the capital."""
    ends = {"x0": 0, "x1": 1, "xref": "paper", "y0": capital, "y1": capital, "yref": "y"}
    return {"type": "line", **ends, "line": {"color": QUIET, "width": 1, "dash": "dot"}}
