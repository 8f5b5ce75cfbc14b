"""The candles around single trades, from which the page draws the one that is chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from libs.market.rupees import rupees
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.report.charts.price import (
    Signals,
    candle_at,
    entry_level,
    entry_text,
    exit_level,
    exit_text,
    reason_in_words,
)
from services.local.backtest.report.times import for_chart, moment
from services.local.backtest.trade import Trade

AROUND, LONGEST = 30, 400
"""Candles before the entry and after the exit, and most candles of one trade's chart."""
MOST_CANDLES = 30_000
"""Of all charts together; later trades have none."""


@dataclass(slots=True)
class CloseUps:
    """Candles by instrument, each once, and by trade the part of them to draw."""

    candles: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    trades: list[dict[str, Any] | None] = field(default_factory=list)


def close_ups(
    histories: Mapping[str, CandleHistory], trades: Sequence[Trade], signals: Signals
) -> CloseUps:
    """Return what is needed to draw these trades, as far as the number of candles allows."""
    made, left = CloseUps(), MOST_CANDLES
    kept = {key: np.zeros(len(history), dtype=bool) for key, history in histories.items()}
    spans: list[tuple[int, int] | None] = []
    for trade in trades:
        history, mask = histories[trade.instrument], kept[trade.instrument]
        start, stop = _span(history, trade)
        cost = int((~mask[start:stop]).sum())
        spans.append((start, stop) if cost <= left else None)
        if cost <= left:
            mask[start:stop] = True
            left -= cost
    made.candles = {key: _columns(histories[key], mask) for key, mask in kept.items()}
    places = {key: np.cumsum(mask) - 1 for key, mask in kept.items()}
    for trade, span in zip(trades, spans, strict=True):
        history, place = histories[trade.instrument], places[trade.instrument]
        made.trades.append(
            span and _trade(history, trade, signals, place[[span[0], span[1] - 1]].tolist())
        )
    return made


def _span(history: CandleHistory, trade: Trade) -> tuple[int, int]:
    start = max(0, candle_at(history, trade.entered_ms) - AROUND)
    stop = min(len(history), candle_at(history, trade.exited_ms) + AROUND + 1)
    return start, min(stop, start + LONGEST)


def _columns(
    history: CandleHistory, mask: np.ndarray[Any, np.dtype[np.bool_]]
) -> dict[str, list[Any]]:
    prices = ("open", "high", "low", "close")
    columns: dict[str, list[Any]] = {
        name: getattr(history, name)[mask].round(4).tolist() for name in prices
    }
    return {"at": for_chart(history.opened_ms[mask]), **columns}


def _trade(
    history: CandleHistory, trade: Trade, signals: Signals, places: list[int]
) -> dict[str, Any]:
    """Return a trade as the page's script takes it; times are the opens of candles."""
    signal = signals.get(trade.signal_id)
    indexes = [candle_at(history, one) for one in (trade.entered_ms, trade.exited_ms)]
    entered, exited = for_chart(history.opened_ms[indexes])
    return {
        "instrument": trade.instrument,
        "action": trade.action,
        "first": places[0],
        "last": places[1],
        "entered": entered,
        "exited": exited,
        "entry": entry_level(history, trade),
        "exit": exit_level(history, trade),
        "stop": signal.stop_loss if signal else None,
        "target": signal.target if signal else None,
        "gain": trade.net > 0,
        "entry_text": entry_text(trade, signal),
        "exit_text": exit_text(trade),
        "said": f"{trade.instrument}, {moment(trade.entered_ms)}: {trade.action} signal, left by "
        f"{reason_in_words(trade)}, {rupees(trade.net)} after charges",
    }
