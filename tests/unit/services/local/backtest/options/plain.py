"""Trades in index options once more, a value at a time: no numpy, no part of the executor.

The strike is taken from the trade that is compared, since the choice has tests of its own.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple
from uuid import UUID

from libs.events.signals import StrategySignal
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.trade import Trade

INDIA = timedelta(hours=5, minutes=30)
YEAR_MS = 365 * 24 * 3600 * 1000
TICK = Decimal("0.05")
LOTS = {
    "NIFTY": [(date(2021, 7, 30), 50), (date(2024, 4, 26), 25), (date(2024, 12, 27), 75)],
    "BANKNIFTY": [(date(2023, 7, 28), 15), (date(2025, 1, 31), 30)],
    "FINNIFTY": [(date(2021, 1, 11), 40), (date(2024, 7, 31), 25), (date(2025, 1, 31), 65)],
}
STT = [(date(2023, 4, 1), "0.000625"), (date(2024, 10, 1), "0.001"), (date(2026, 4, 1), "0.0015")]
EXCHANGE = [
    (date(2023, 4, 1), "0.000505"),
    (date(2024, 4, 1), "0.0005"),
    (date(2024, 10, 1), "0.0003553"),
]


class Row(NamedTuple):
    """A candle."""

    opened_ms: int
    closes_ms: int
    open: float
    high: float
    low: float
    close: float
    day: date


class Result(NamedTuple):
    """What of a trade is compared; money in rupees."""

    signal_id: UUID
    quantity: int
    entered_ms: int
    entry_price: Decimal
    exited_ms: int
    exit_price: Decimal
    reason: str
    charges: Decimal
    adverse: Decimal
    favourable: Decimal
    net: Decimal


def result_of(trade: Trade) -> Result:
    return Result(
        trade.signal_id,
        trade.quantity,
        trade.entered_ms,
        trade.entry_price,
        trade.exited_ms,
        trade.exit_price,
        trade.reason,
        trade.charges,
        trade.adverse,
        trade.favourable,
        trade.net,
    )


def rows_of(history: CandleHistory) -> list[Row]:
    columns = (history.opened_ms, history.closes_ms, history.open, history.high, history.low)
    lists = [column.tolist() for column in (*columns, history.close, history.trading_day)]
    return [Row(*values) for values in zip(*lists, strict=True)]


def volatilities(rows: Sequence[Row]) -> dict[date, float]:
    closes: dict[date, float] = {}
    for row in rows:
        closes[row.day] = row.close
    days, known = list(closes), {}
    for number, day in enumerate(days):
        past = [closes[one] for one in days[:number]]
        returns = [math.log(b / a) for a, b in pairwise(past)][-20:]
        if len(returns) >= 5:
            mean = math.fsum(value * value for value in returns) / len(returns)
            known[day] = max(math.sqrt(mean * 250), 0.10)
    return known


def black(spot: float, strike: float, years: float, volatility: float, is_call: bool) -> float:
    forward, discount = spot * math.exp(0.06 * years), math.exp(-0.06 * years)
    sign, deviation = (1 if is_call else -1), volatility * math.sqrt(years)
    if deviation == 0:
        return discount * max(sign * (forward - strike), 0.0)
    d1 = math.log(forward / strike) / deviation + deviation / 2
    n1 = math.erfc(-sign * d1 / math.sqrt(2)) / 2
    n2 = math.erfc(-sign * (d1 - deviation) / math.sqrt(2)) / 2
    return discount * sign * (forward * n1 - strike * n2)


def quoted(value: float) -> tuple[int, int]:
    """Bid and ask in ticks: half a percent apart, at least a tick, rounded away from the middle."""
    half = max(0.005 * value, 0.05) / 2
    bid = max(math.floor(round((value - half) / 0.05, 6)), 1)
    return bid, max(math.ceil(round((value + half) / 0.05, 6)), bid + 1)


def dated(table: Sequence[tuple[date, object]], day: date) -> object:
    return [value for since, value in table if since <= day][-1]


def paisa(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def side(turnover: Decimal, day: date, is_sale: bool) -> Decimal:
    exchange = paisa(turnover * Decimal(str(dated(EXCHANGE, day))))
    sebi = paisa(turnover * Decimal("0.000001"))
    gst = paisa(Decimal("0.18") * (20 + exchange + sebi))
    own = Decimal(str(dated(STT, day))) if is_sale else Decimal("0.00003")
    return 20 + exchange + sebi + gst + paisa(turnover * own)


def nearest(price: Decimal) -> int:
    """Ticks, a half upwards."""
    return math.floor(Fraction(price) / Fraction(TICK) + Fraction(1, 2))


def in_india(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC).replace(tzinfo=None) + INDIA


def epoch_ms(day: date, hour: int, minute: int) -> int:
    moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC) - INDIA
    return int(moment.timestamp()) * 1000


@dataclass
class Plain:
    """The trades of one index's signals, by the default rules."""

    rows: list[Row]
    signals: Sequence[StrategySignal]
    trades: Mapping[UUID, Trade]
    expiries: Mapping[date, date]
    lots_unknown: Set[UUID]
    is_overnight: bool
    volatility: float | None = None
    done: list[tuple[Result, date]] = field(default_factory=list)

    def results(self) -> Iterator[Result]:
        known = volatilities(self.rows)
        for number, signal in enumerate(self.signals):
            closed_ms = round(signal.candle_closed_at.timestamp() * 1000)
            first = next((n for n, r in enumerate(self.rows) if r.opened_ms >= closed_ms), None)
            if first is None or self.is_refused(closed_ms, self.rows[first]):
                continue
            if signal.event_id in self.lots_unknown:
                continue
            if self.volatility is None and self.rows[first].day not in known:
                continue
            if self.is_limited(self.rows[first]):
                continue
            of = {row.day: self.volatility or known.get(row.day, 0.0) for row in self.rows}
            turned_ms = self.turn(number)
            result, day = self.trade(signal, first, of, turned_ms)
            self.done.append((result, day))
            yield result

    def is_refused(self, closed_ms: int, entry: Row) -> bool:
        expiry = self.expiries[entry.day]
        is_near = entry.opened_ms >= epoch_ms(expiry, 14, 15)
        is_late = in_india(entry.opened_ms).hour >= 15
        return entry.opened_ms - closed_ms > 1_800_000 or is_late or is_near

    def is_limited(self, entry: Row) -> bool:
        now = entry.opened_ms
        if any(result.exited_ms > now for result, _ in self.done):
            return True
        today = [(r.exited_ms, r.net) for r, day in self.done if day == entry.day]
        nets = [net for _, net in sorted(today, key=lambda one: one[0])]
        entered = sum(in_india(r.entered_ms).date() == entry.day for r, _ in self.done)
        three = len(nets) >= 3 and all(net < 0 for net in nets[-3:])
        return three or -sum(nets) >= 50_000 or entered >= 20

    def turn(self, number: int) -> int | None:
        """When the next opposite signal is traded."""
        action = self.signals[number].action
        for other in self.signals[number + 1 :]:
            if other.action != action:
                closed_ms = round(other.candle_closed_at.timestamp() * 1000)
                later = (r.opened_ms for r in self.rows if r.opened_ms >= closed_ms)
                found = next(later, None)
                if found is not None:
                    return found
        return None

    def trade(
        self, signal: StrategySignal, first: int, of: Mapping[date, float], turned_ms: int | None
    ) -> tuple[Result, date]:
        compared, entry = self.trades[signal.event_id], self.rows[first]
        is_call, expiry = signal.action == "BUY", self.expiries[entry.day]
        named = re.fullmatch(
            r"[A-Z]+\d\d(?:[A-Z]{3}|[1-9OND]\d\d)(\d+)(CE|PE)", compared.tradingsymbol
        )
        assert named is not None
        assert named[2] == ("CE" if is_call else "PE")
        strike, expires_ms = float(named[1]), epoch_ms(expiry, 15, 30)

        def quote(spot: float, at_ms: int, day: date) -> tuple[int, int]:
            years = max(expires_ms - at_ms, 0) / YEAR_MS
            return quoted(black(spot, strike, years, of[day], is_call))

        ask = quote(entry.open, entry.opened_ms, entry.day)[1]
        premium = ask * TICK
        stop, target = nearest(premium * Decimal("0.7")), nearest(premium * Decimal("1.6"))
        lot = int(str(dated(LOTS[signal.underlying], expiry)))
        limit = math.ceil(Fraction(premium) * Fraction("1.01") / Fraction(TICK)) * TICK
        lots = min(
            int(20_000 / (premium * lot * Decimal("0.3"))),
            int(100_000 / (limit * lot)),
            int(150_000 / max((limit - stop * TICK) * lot, premium * lot * Decimal("0.3"))),
            5,
        )
        assert lots > 0
        times = [] if turned_ms is None else [(turned_ms, "opposite_signal")]
        times += [] if self.is_overnight else [(epoch_ms(entry.day, 15, 15), "square_off")]
        times.append((epoch_ms(expiry, 14, 30), "expiry"))
        sold = self.sale(first, quote, stop, target, is_call, times)
        exited_ms, bid, reason, day, seen = sold
        price, quantity = bid * TICK, lots * lot
        charges = side(premium * quantity, entry.day, is_sale=False)
        charges += side(price * quantity, day, is_sale=True)
        extremes = [one * TICK for one in (*seen, bid)]
        result = Result(
            signal.event_id,
            quantity,
            entry.opened_ms,
            premium,
            exited_ms,
            price,
            reason,
            charges,
            max(premium - min(extremes), Decimal(0)),
            max(max(extremes) - premium, Decimal(0)),
            (price - premium) * quantity - charges,
        )
        return result, day

    def sale(
        self,
        first: int,
        quote: Callable[[float, int, date], tuple[int, int]],
        stop: int,
        target: int,
        is_call: bool,
        times: Sequence[tuple[int, str]],
    ) -> tuple[int, int, str, date, list[int]]:
        """Time, price in ticks, reason and day of the sale, and the bids seen before it."""
        seen: list[int] = []
        for number in range(first, len(self.rows)):
            row = self.rows[number]
            bid = quote(row.open, row.opened_ms, row.day)[0]
            if bid <= stop or bid >= target:
                return row.opened_ms, bid, "stop_loss" if bid <= stop else "target", row.day, seen
            for at_ms, reason in times:
                if row.opened_ms >= at_ms:
                    return row.opened_ms, bid, reason, row.day, seen
            seen.append(bid)
            for spot in (row.low, row.high) if is_call else (row.high, row.low):
                bid = quote(spot, row.closes_ms, row.day)[0]
                if bid <= stop:
                    return row.closes_ms, stop, "stop_loss", row.day, seen
                if bid >= target:
                    return row.closes_ms, target, "target", row.day, seen
                seen.append(bid)
            bid = quote(row.close, row.closes_ms, row.day)[0]
            is_last = number + 1 == len(self.rows)
            tomorrow = None if is_last else self.rows[number + 1].day
            today = [one for one in times if in_india(one[0]).date() == row.day]
            if is_last or (tomorrow != row.day and today):
                reached = [reason for at_ms, reason in today if row.closes_ms >= at_ms]
                return row.closes_ms, bid, [*reached, "end_of_data"][0], row.day, seen
            seen.append(bid)
        raise AssertionError("a trade without an end")
