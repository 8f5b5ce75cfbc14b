"""The price of an instrument with entries and exits."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from uuid import UUID

import numpy as np

from libs.events.reasons import in_words
from libs.events.signals import StrategySignal
from libs.market.rupees import grouped, rupees
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.report.charts.figure import (
    GAIN,
    LINE,
    LOSS,
    QUIET,
    STOP,
    TARGET,
    Figure,
    Segment,
    Trace,
    axis,
    figure,
    lines,
)
from services.local.backtest.report.thinning import thinned
from services.local.backtest.report.times import for_chart, moment
from services.local.backtest.trade import Trade

MOST_POINTS, MOST_TRADES = 2_000, 300
MOST_CANDLES = 600
"""Of a longer history the closes are drawn, as a line."""
FEW_TRADES = 60
"""Stops and targets are drawn at once; of more trades at a click on the legend."""
Signals = Mapping[UUID, StrategySignal]
At = Callable[[Sequence[int]], Sequence[int | str]]
"""Places times (epoch ms) on the axis."""
_X_CANDLES = {"type": "category", "rangeslider": {"visible": False}}


def most_points(symbols: int) -> int:
    """Return how many points the price of one of so many instruments may have."""
    return max(200, min(MOST_POINTS, 40_000 // symbols))


def drawn_trades(trades: Sequence[Trade], symbols: int) -> list[Trade]:
    """Return the trades to draw of one of so many instruments: those that mattered most."""
    most = max(20, min(MOST_TRADES, 3_000 // symbols))
    largest = sorted(trades, key=lambda one: -abs(one.net))[:most]
    return sorted(largest, key=lambda one: one.entered_ms)


def price_chart(
    history: CandleHistory, trades: Sequence[Trade], signals: Signals, points: int
) -> Figure:
    """Return the closes as a line of at most so many points, with these trades."""
    at = _at_candles(history) if is_in_candles(history) else _at_times
    draw = _candles if is_in_candles(history) else _closes
    return figure(
        [draw(history, points), *_trade_traces(history, trades, signals, at)],
        height=480,
        hovermode="closest",
        xaxis=_X_CANDLES if is_in_candles(history) else {"type": "date"},
        yaxis=axis("price, ₹", tickformat=",.2~f"),
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )


def is_in_candles(history: CandleHistory) -> bool:
    """Tell whether a history is short enough to draw each candle."""
    return len(history) <= MOST_CANDLES


def _closes(history: CandleHistory, points: int) -> Trace:
    kept = thinned(history.close, points)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "close",
        "x": for_chart(history.closes_ms[kept]),
        "y": history.close[kept].round(4).tolist(),
        "line": {"color": LINE, "width": 1},
        "hovertemplate": "%{x|%d %b %Y, %H:%M}<br>%{y:,.2f}<extra>close</extra>",
    }


def _candles(history: CandleHistory, _points: int) -> Trace:
    prices = {
        name: getattr(history, name).round(4).tolist() for name in ("open", "high", "low", "close")
    }
    return {
        "type": "candlestick",
        "name": "candles",
        "x": _labels(history),
        **prices,
        "increasing": {"line": {"color": QUIET, "width": 1}, "fillcolor": "--ground"},
        "decreasing": {"line": {"color": QUIET, "width": 1}, "fillcolor": QUIET},
        "showlegend": False,
    }


def _at_times(at_ms: Sequence[int]) -> list[int]:
    return for_chart(np.array(at_ms, dtype=np.int64))


def _at_candles(history: CandleHistory) -> At:
    """Return what places times at the candles that they are in: nights take no room."""
    labels = _labels(history)
    return lambda at_ms: [labels[candle_at(history, one)] for one in at_ms]


def _labels(history: CandleHistory) -> list[str]:
    return [moment(at) for at in history.opened_ms.tolist()]


def _trade_traces(
    history: CandleHistory, trades: Sequence[Trade], signals: Signals, at: At
) -> list[Trace]:
    gains = [one for one in trades if one.net > 0]
    losses = [one for one in trades if one.net <= 0]
    bought = [one for one in trades if one.action == "BUY"]
    sold = [one for one in trades if one.action == "SELL"]
    traces = [
        _spans("gain", GAIN, history, gains, at),
        _spans("loss", LOSS, history, losses, at),
        *_levels(trades, signals, at),
        _entries("BUY signal", "triangle-up", history, bought, signals, at),
        _entries("SELL signal", "triangle-down", history, sold, signals, at),
        _exits("exit with gain", "circle", GAIN, history, gains, at),
        _exits("exit with loss", "x", LOSS, history, losses, at),
    ]
    return [one for one in traces if one["x"]]


def _levels(trades: Sequence[Trade], signals: Signals, at: At) -> list[Trace]:
    """Return lines at the stops and targets of the signals, as long as each trade was open."""
    known = [(one, signals[one.signal_id]) for one in trades if one.signal_id in signals]
    stops = [_segment(one, signal.stop_loss, signal.stop_loss, at) for one, signal in known]
    targets = [_segment(one, signal.target, signal.target, at) for one, signal in known]
    visible = True if len(trades) <= FEW_TRADES else "legendonly"
    return [
        lines("stop", stops, STOP, visible=visible),
        lines("target", targets, TARGET, visible=visible),
    ]


def _spans(
    name: str, colour: str, history: CandleHistory, trades: Sequence[Trade], at: At
) -> Trace:
    """Return lines from entries to exits."""
    segments = [
        _segment(one, entry_level(history, one), exit_level(history, one), at) for one in trades
    ]
    return lines(name, segments, colour, showlegend=False)


def _segment(trade: Trade, start: float, end: float, at: At) -> Segment:
    entered, exited = at((trade.entered_ms, trade.exited_ms))
    return (entered, round(start, 2)), (exited, round(end, 2))


def entry_level(history: CandleHistory, trade: Trade) -> float:
    """Return where to draw an entry: of an option at the underlying's open."""
    if trade.tradingsymbol == history.tradingsymbol:
        return float(trade.entry_price)
    return float(history.open[candle_at(history, trade.entered_ms)])


def exit_level(history: CandleHistory, trade: Trade) -> float:
    """Return where to draw an exit: of an option at the underlying's close."""
    if trade.tradingsymbol == history.tradingsymbol:
        return float(trade.exit_price)
    return float(history.close[candle_at(history, trade.exited_ms)])


def candle_at(history: CandleHistory, at_ms: int) -> int:
    """Return the index of the candle that a time is in, or of the last one before it."""
    return max(0, int(np.searchsorted(history.opened_ms, at_ms, "right")) - 1)


def _entries(
    name: str,
    shape: str,
    history: CandleHistory,
    trades: Sequence[Trade],
    signals: Signals,
    at: At,
) -> Trace:
    levels = [entry_level(history, one) for one in trades]
    texts = [entry_text(one, signals.get(one.signal_id)) for one in trades]
    return _markers(name, shape, "--entry", at([one.entered_ms for one in trades]), levels, texts)


def _exits(
    name: str, shape: str, colour: str, history: CandleHistory, trades: Sequence[Trade], at: At
) -> Trace:
    levels = [exit_level(history, one) for one in trades]
    texts = [exit_text(one) for one in trades]
    return _markers(name, shape, colour, at([one.exited_ms for one in trades]), levels, texts)


def _markers(
    name: str, shape: str, colour: str, x: Sequence[int | str], y: list[float], texts: list[str]
) -> Trace:
    outline = {"color": "--ground", "width": 1}
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": list(x),
        "y": y,
        "hovertext": texts,
        "hoverinfo": "text",
        "marker": {"symbol": shape, "size": 10, "color": colour, "line": outline},
    }


def entry_text(trade: Trade, signal: StrategySignal | None) -> str:
    """Return what is said of an entry, escaped for Plotly, which reads a little HTML."""
    verb = "bought" if trade.transaction_type == "BUY" else "sold"
    what = f"{grouped(trade.quantity)} {escape(trade.tradingsymbol)}"
    why = f"<br>{trade.action} signal of {escape(trade.strategy)}"
    levels = f"<br>stop {signal.stop_loss:,.2f}, target {signal.target:,.2f}" if signal else ""
    said = f"<b>{verb} {what} at {rupees(trade.entry_price)}</b><br>{moment(trade.entered_ms)}"
    return f"{said}{why}{levels}"


def exit_text(trade: Trade) -> str:
    """Return what is said of an exit, escaped as well."""
    said = f"{reason_in_words(trade)} at {rupees(trade.exit_price)}"
    return f"<b>{said}</b><br>{moment(trade.exited_ms)}<br>{rupees(trade.net)} after charges"


def reason_in_words(trade: Trade) -> str:
    """Return why a trade was left."""
    return in_words(trade.reason).replace("_", " ")
