"""The figures of the page."""

from collections.abc import Mapping

from libs.market.calendar import IST_OFFSET_MS
from services.local.backtest.report.charts.figure import (
    LINE,
    QUIET,
    RUPEES,
    Figure,
    axis,
    figure,
)
from services.local.backtest.report.charts.groups import net_bars
from services.local.report import said
from services.local.report.books import Books
from services.position.domain.charge_lines import Lines
from services.position.domain.results import GROUPS, grouped_results

GROUP_CHARTS: Mapping[str, str] = {
    "day": "day of closing",
    "hour": "hour of entry",
    "strategy": "strategy",
    "underlying": "underlying",
    "profile": "profile",
    "reason": "exit by",
}
"""What trades are grouped by → the title of its chart's axis."""


def charts_of(books: Books) -> dict[str, Figure]:
    """Return the figures by the id of their place."""
    made = {"running": _running(books)} if books.closed else {}
    for name, title in GROUP_CHARTS.items():
        groups = grouped_results(books.closed, GROUPS[name])
        if len(groups) > 1:
            bars = [
                (_label(name, group), float(one.net), one.trades, one.win_rate or 0.0)
                for group, one in groups.items()
            ]
            made[name] = net_bars(title, bars)
    return {**made, "charges": _charges(books)} if books.notes else made


def _label(group: str, name: str) -> str:
    return said.exit_words(name) if group == "reason" else name


def _running(books: Books) -> Figure:
    """Return the running net of closed trades, closing by closing."""
    total, sums = 0.0, [0.0]
    for trade in books.closed:
        total += float(trade.net)
        sums.append(round(total, 2))
    ends = [
        one.closed_at.timestamp() * 1000 + IST_OFFSET_MS for one in books.closed if one.closed_at
    ]
    first = min(one.opened_at for one in books.closed).timestamp() * 1000 + IST_OFFSET_MS
    curve = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "net",
        "x": [first, *ends],
        "y": sums,
        "line": {"color": LINE, "width": 2, "shape": "hv"},
        "hovertemplate": "%{x|%d %b %Y, %H:%M}<br>%{y:$,.0f}<extra>net so far</extra>",
    }
    return figure(
        [curve],
        height=340,
        showlegend=False,
        xaxis={"type": "date"},
        yaxis=axis("net of closed trades, ₹", tickformat=RUPEES),
    )


def _charges(books: Books) -> Figure:
    """Return what each line of the charges came to."""
    lines = sum((note.lines for note in books.notes), Lines())
    told = [(said.LINES[name], float(amount)) for name, amount in lines.named()]
    bars = {
        "type": "bar",
        "x": [name for name, _ in told],
        "y": [amount for _, amount in told],
        "marker": {"color": QUIET},
        "hovertemplate": "%{x}: %{y:$,.2f}<extra></extra>",
    }
    x = axis("charges", type="category")
    return figure([bars], height=300, xaxis=x, yaxis=axis("₹", tickformat=RUPEES))
