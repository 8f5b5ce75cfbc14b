"""Trades of the underlying, computed anew: candle by candle, in words of the fill model alone.

It shares nothing with the code under test but the rates' numbers, which stand here a second time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from libs.events.signals import StrategySignal
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.result import BacktestRequest

PAISA = Decimal("0.01")


@dataclass
class Held:
    side: str
    stop: float
    target: float
    quantity: int
    price: Decimal
    entered_ms: int
    is_overnight: bool
    signal: StrategySignal


Row = tuple[str, int, int, Decimal, int, Decimal, str, Decimal, Decimal]
"""Side, quantity, entry time and price, exit time and price, reason, charges, net."""


def india(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC) + timedelta(hours=5, minutes=30)


def paise(amount: Decimal) -> Decimal:
    return amount.quantize(PAISA, ROUND_HALF_UP)


def naive_trades(  # noqa: PLR0912, PLR0915  a loop as plain as can be
    history: CandleHistory, signals: Sequence[StrategySignal], request: BacktestRequest
) -> list[Row]:
    """Return the trades of a share or an index on days that close at 15:30."""
    is_index = " " in history.tradingsymbol
    count = len(history)
    made: list[Row] = []
    held: Held | None = None
    waiting = list(signals)
    for i in range(count):
        opened_ms = int(history.opened_ms[i])
        opened, high, low, close = (
            float(getattr(history, name)[i]) for name in ("open", "high", "low", "close")
        )
        highest, lowest = max(opened, high, close), min(opened, low, close)
        at = india(opened_ms)
        closes_ms = int(history.closes_ms[i])
        signal = None
        while waiting and waiting[0].candle_closed_at.timestamp() * 1000 <= opened_ms:
            signal = waiting.pop(0)

        def leave(price: Decimal, when_ms: int, reason: str) -> None:
            nonlocal held
            assert held is not None
            made.append(closed(held, price, when_ms, reason, history.exchange, is_index))
            held = None

        was_held = held is not None
        if held is not None:
            away = "SELL" if held.side == "BUY" else "BUY"
            if not held.is_overnight and (at.hour, at.minute) >= (15, 15):
                leave(market(opened, away, request), opened_ms, "square_off")
            elif signal is not None and signal.action != held.side:
                leave(market(opened, away, request), opened_ms, "opposite_signal")
                was_held = False
            elif beyond(held.side, opened, held.stop):
                leave(market(opened, away, request), opened_ms, "stop_loss")
            elif beyond(away, opened, held.target):
                leave(paise(Decimal(str(opened))), opened_ms, "target")
        if signal is not None and not was_held:
            held = entered(signal, opened, opened_ms, request, is_index)
        if held is not None:
            away = "SELL" if held.side == "BUY" else "BUY"
            worst, best = (lowest, highest) if held.side == "BUY" else (highest, lowest)
            if beyond(held.side, worst, held.stop):
                leave(market(held.stop, away, request), closes_ms - 1, "stop_loss")
            elif beyond(away, best, held.target):
                leave(paise(Decimal(str(held.target))), closes_ms - 1, "target")
        if held is not None:
            away = "SELL" if held.side == "BUY" else "BUY"
            is_last = i + 1 == count
            is_days_last = is_last or india(int(history.opened_ms[i + 1])).date() != at.date()
            if not held.is_overnight and is_days_last:
                until = india(closes_ms)
                ends = is_last and (until.hour, until.minute) < (15, 15)
                reason = "end_of_data" if ends else "square_off"
                leave(market(close, away, request), closes_ms - 1, reason)
            elif is_last:
                leave(market(close, away, request), closes_ms - 1, "end_of_data")
    return made


def beyond(side: str, price: float, level: float) -> bool:
    """Whether a price is at or below a level (of a long position's stop), or above it."""
    return price <= level if side == "BUY" else price >= level


def market(price: float, side: str, request: BacktestRequest) -> Decimal:
    exact = paise(Decimal(str(price)))
    if side == "BUY":
        return (exact * (1 + request.slippage)).quantize(PAISA, ROUND_CEILING)
    return (exact * (1 - request.slippage)).quantize(PAISA, ROUND_FLOOR)


def entered(
    signal: StrategySignal,
    opened: float,
    opened_ms: int,
    request: BacktestRequest,
    is_index: bool,
) -> Held | None:
    is_overnight = request.is_overnight and (signal.action == "BUY" or is_index)
    at = india(opened_ms)
    if not is_overnight:
        same_day = signal.trading_day == at.date()
        if not same_day or (at.hour, at.minute) >= (15, 0):
            return None
    price = market(opened, signal.action, request)
    if signal.action == "BUY":
        fits = signal.stop_loss < opened and float(price) < signal.target
    else:
        fits = signal.stop_loss > opened and float(price) > signal.target
    if not fits:
        return None
    stop = paise(Decimal(str(signal.stop_loss)))
    distance = abs(price - stop) or PAISA
    quantity = min(
        int(request.capital * request.risk / distance),
        int(request.capital * request.max_position / price),
    )
    if quantity < 1:
        return None
    return Held(
        signal.action,
        signal.stop_loss,
        signal.target,
        quantity,
        price,
        opened_ms,
        is_overnight,
        signal,
    )


def closed(
    held: Held, price: Decimal, when_ms: int, reason: str, exchange: str, is_index: bool
) -> Row:
    entry_at, exit_at = india(held.entered_ms), india(when_ms)
    kind = "delivery" if entry_at.date() != exit_at.date() else "intraday"
    kind = "future" if is_index else kind
    away = "SELL" if held.side == "BUY" else "BUY"
    charges = cost(kind, held.side, held.quantity * held.price, entry_at)
    charges += cost(kind, away, held.quantity * price, exit_at)
    rise = price - held.price
    gross = held.quantity * (rise if held.side == "BUY" else -rise)
    return (
        held.side,
        held.quantity,
        held.entered_ms,
        held.price,
        when_ms,
        price,
        reason,
        charges,
        gross - charges,
    )


def cost(kind: str, side: str, turnover: Decimal, at: datetime) -> Decimal:
    """Charges of an order at NSE from April 2024 to March 2026, rupees."""
    is_new = at.date().isoformat() >= "2024-10-01"
    exchange = {
        "intraday": ("0.0000332", "0.0000307"),
        "delivery": ("0.0000332", "0.0000307"),
        "future": ("0.0000198", "0.0000183"),
    }[kind][is_new]
    brokerage = min(Decimal(20), turnover * Decimal("0.0003")) if kind != "delivery" else 0
    stt = {
        ("intraday", "SELL"): "0.00025",
        ("delivery", "SELL"): "0.001",
        ("delivery", "BUY"): "0.001",
        ("future", "SELL"): "0.0002" if is_new else "0.000125",
    }.get((kind, side), "0")
    stamp = {"intraday": "0.00003", "delivery": "0.00015", "future": "0.00002"}[kind]
    fees = [
        paise(Decimal(brokerage)),
        paise(turnover * Decimal(exchange)),
        paise(turnover * Decimal("0.000001")),
    ]
    taxes = [paise(turnover * Decimal(stt)), paise(sum(fees) * Decimal("0.18"))]
    duty = paise(turnover * Decimal(stamp)) if side == "BUY" else Decimal(0)
    return sum(fees) + sum(taxes) + duty
