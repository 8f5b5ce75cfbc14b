"""Trades in groups, as bars: by size, hour, weekday, reason of the exit, and instrument."""

from collections.abc import Callable, Sequence
from html import escape
from itertools import groupby
from math import floor, log10

import numpy as np

from libs.market.rupees import rupees
from services.local.backtest.report.charts.figure import GAIN, LOSS, RUPEES, Figure, axis, figure
from services.local.backtest.report.charts.price import reason_in_words
from services.local.backtest.report.times import india
from services.local.backtest.trade import Trade

BINS = 24
MOST_GROUPS = 40
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
Name = Callable[[Trade], str]
Group = tuple[str, float, int, float]
"""A group's name, its net in rupees, its number of trades, and the share that won."""


def distribution_chart(trades: Sequence[Trade]) -> Figure:
    """Return how many trades ended in which range of net rupees; no bar holds both signs."""
    net = np.array([float(one.net) for one in trades])
    width = nice_step(float(net.max() - net.min()), BINS)
    bins, counts = np.unique(np.floor(net / width).astype(np.int64), return_counts=True)
    starts = (bins * width).tolist()
    ranges = [f"{rupees(one, False)} to {rupees(one + width, False)}" for one in starts]
    bars = {
        "type": "bar",
        "x": [one + width / 2 for one in starts],
        "y": counts.tolist(),
        "width": width * 0.92,
        "marker": {"color": [LOSS if one < 0 else GAIN for one in starts]},
        "hovertext": [
            f"{many} trades<br>{span}" for many, span in zip(counts, ranges, strict=True)
        ],
        "hoverinfo": "text",
    }
    x = axis("net of a trade, ₹", tickformat=RUPEES, nticks=7)
    return figure([bars], height=300, xaxis=x, yaxis=axis("trades", rangemode="tozero"))


def nice_step(span: float, parts: int) -> float:
    """Return 1, 2 or 5 times a power of ten, so that a span has at most so many steps."""
    least = max(span / parts, 1.0)
    power: float = 10.0 ** floor(log10(least))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= least)


def hour_chart(trades: Sequence[Trade]) -> Figure:
    """Return the net by the hour of entry in India."""
    return _bars(trades, lambda one: f"{india(one.entered_ms):%H}:00", "hour of entry")


def weekday_chart(trades: Sequence[Trade]) -> Figure:
    """Return the net by the weekday of entry."""
    name: Name = lambda one: WEEKDAYS[india(one.entered_ms).weekday()]  # noqa: E731
    return _bars(trades, name, "day of entry", WEEKDAYS.index)


def reason_chart(trades: Sequence[Trade]) -> Figure:
    """Return the net by the reason of the exit."""
    return _bars(trades, reason_in_words, "reason of the exit")


def instrument_chart(trades: Sequence[Trade]) -> Figure:
    """Return the net by instrument, of those with the largest sums."""
    return _bars(trades, lambda one: one.instrument, "instrument")


def _bars(
    trades: Sequence[Trade],
    name: Name,
    title: str,
    order: Callable[[str], str | int] = str,
) -> Figure:
    key = lambda one: order(name(one))  # noqa: E731
    groups = [(name(part[0]), part) for part in _parts(sorted(trades, key=key), name)]
    largest = sorted(groups, key=lambda one: -abs(_net(one[1])))[:MOST_GROUPS]
    shown = [one for one in groups if one in largest]
    return net_bars(title, [(label, _net(part), len(part), _won(part)) for label, part in shown])


def net_bars(title: str, groups: Sequence[Group]) -> Figure:
    """Return a bar of the net of each group, in the order given."""
    bars = {
        "type": "bar",
        "x": [escape(label) for label, *_ in groups],
        "y": [net for _, net, *_ in groups],
        "marker": {"color": [GAIN if net > 0 else LOSS for _, net, *_ in groups]},
        "hovertext": [_text(*one) for one in groups],
        "hoverinfo": "text",
    }
    x = axis(title, type="category")
    return figure([bars], height=300, xaxis=x, yaxis=axis("net, ₹", tickformat=RUPEES))


def _parts(ordered: Sequence[Trade], name: Name) -> list[list[Trade]]:
    return [list(part) for _, part in groupby(ordered, key=name)]


def _net(trades: Sequence[Trade]) -> float:
    return float(sum(one.net for one in trades))


def _won(trades: Sequence[Trade]) -> float:
    return sum(one.net > 0 for one in trades) / len(trades)


def _text(label: str, net: float, count: int, won: float) -> str:
    share = f"{count} trades, {won:.0%} won"
    return f"<b>{escape(label)}</b><br>{rupees(net)} after charges<br>{share}"
