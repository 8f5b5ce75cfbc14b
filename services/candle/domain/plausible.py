"""Which prices and volumes are plausible, and which leaps the quotes or the next update confirm.

An update is near another one if neither price nor volume leaps between them. It is taken if it is
near the update before it, or near the last one that was so confirmed; bid and ask may stand in
for the price. A refused one is held: if the next update is near it, both are taken. Nothing but an
update's neighbours decides, so that it does not matter how updates are cut into runs.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from libs.market.instruments import Instrument
from services.candle.domain.groups import Groups, previous, stable_order
from services.candle.domain.run import Array, Ticks

if TYPE_CHECKING:
    from services.candle.domain.tick_filter import TickCounts

Mask = NDArray[np.bool_]
LEAP, LEAST_LEAP = 1.5, 1.0
"""Times, and rupees: 20 % up and down is the widest band of a day."""
OPTION_LEAP, LEAST_OPTION_LEAP = 5.0, 100.0
"""The band of options in `price_bands.toml`: four times the price on top of it, at least ₹100."""
RISE = 5_000_000
"""Units by which a day's volume may rise at once, and by as much again as was traded before."""
FIRST_VOLUME = 1_000_000_000
TIGHT, OFF_QUOTES = 2.0, 0.1
"""Quotes witness where ask is at most so many times bid, and for prices so near to them."""
_SURELY_NEAR = 0.3
_OPTIONS = ("CE", "PE")


class Plausible:
    """The last update of each instrument, the last confirmed one, and the held ones."""

    def __init__(self) -> None:
        self._price: Array = np.empty(0, np.float64)
        self._volume: Array = np.empty(0, np.int64)
        self._sure_price: Array = np.empty(0, np.float64)
        self._sure_volume: Array = np.empty(0, np.int64)
        self._leap: Array = np.empty(0, np.float64)
        self._least: Array = np.empty(0, np.float64)
        self.held = Ticks.empty()

    def add(self, instruments: Iterable[Instrument]) -> None:
        """Add instruments at the end."""
        is_option = np.array([one.instrument_type in _OPTIONS for one in instruments], np.bool_)
        nan, unknown = np.full(len(is_option), np.nan), np.full(len(is_option), -1, np.int64)
        self._price = np.concatenate([self._price, nan])
        self._sure_price = np.concatenate([self._sure_price, nan])
        self._volume = np.concatenate([self._volume, unknown])
        self._sure_volume = np.concatenate([self._sure_volume, unknown])
        leap = np.where(is_option, OPTION_LEAP, LEAP)
        self._leap = np.concatenate([self._leap, leap])
        least = np.where(is_option, LEAST_OPTION_LEAP, LEAST_LEAP)
        self._least = np.concatenate([self._least, least])

    def restore(self, rows: Array, price: Array, volume: Array) -> None:
        """Go on from candles that were published before a restart."""
        self._price[rows] = self._sure_price[rows] = price
        self._volume[rows] = self._sure_volume[rows] = volume

    def taken(self, ticks: Ticks, counts: "TickCounts") -> Ticks:
        """Return the plausible ticks and held ones that are confirmed; `ticks` are by row."""
        if not len(ticks):
            return ticks
        group = ticks.by_row
        is_plain = self._plain(ticks, group)
        is_all_plain = bool(is_plain.all())
        if is_all_plain and not len(self.held):
            self._note(ticks, group)
            return ticks
        is_odd = np.zeros(len(self._price), np.bool_)
        is_odd[self.held.row] = True
        if is_all_plain and not is_odd[group.values].any():
            self._note(ticks, group)
            return ticks
        is_odd[ticks.row[~is_plain]] = True
        odd = is_odd[ticks.row]
        self._note(ticks, group, ~is_odd[group.values])
        keeps, confirmed = ~odd, Ticks.empty()
        keeps[odd], confirmed = self._judge(ticks.take(odd), counts)
        passed = ticks.take(keeps)
        if not len(confirmed):
            return passed
        passed = Ticks.concat(confirmed, passed)
        return passed.take(stable_order(passed.row, len(self._price)))

    def _plain(self, ticks: Ticks, group: Groups) -> Mask:
        """Return which ticks are near the one before them, at a glance."""
        before = previous(ticks.price, group.starts, self._price[group.values])
        step = ticks.price - before
        np.abs(step, out=step)
        before *= _SURELY_NEAR
        is_near: Mask = step <= before
        rise = ticks.volume - previous(ticks.volume, group.starts, self._volume[group.values])
        if rise.max() > RISE or rise.min() < -RISE:
            is_near &= np.abs(rise) <= RISE
        return is_near

    def _note(self, ticks: Ticks, group: Groups, chosen: Any = slice(None)) -> None:
        """Note the last ticks of rows in which each tick is near the one before it."""
        rows, ends = group.values[chosen], group.ends[chosen]
        self.restore(rows, ticks.price[ends], ticks.volume[ends])

    def _judge(self, ticks: Ticks, counts: "TickCounts") -> tuple[Mask, Ticks]:
        """Return which ticks are taken, and the held ones that they confirm."""
        group = ticks.by_row
        price = previous(ticks.price, group.starts, self._price[group.values])
        volume = previous(ticks.volume, group.starts, self._volume[group.values])
        is_quoted = _quoted(ticks)
        is_rise_near = ~np.isnan(price) & _near_volume(volume, ticks.volume)
        is_near = is_rise_near & self._near_price(ticks, price)
        sure = self._with_first(ticks, group, is_near | (is_rise_near & is_quoted))
        price, volume = self._sure_before(ticks, group, sure)
        is_price_near = self._near_price(ticks, price) | (is_quoted & ~np.isnan(price))
        accepted = sure | (is_price_near & _near_volume(volume, ticks.volume))
        is_next_near = np.zeros(len(ticks), np.bool_)
        is_next_near[:-1] = is_near[1:]
        is_next_near[group.ends] = False
        confirmed = self._confirmed(group.values, group.values[is_near[group.starts]])
        self._hold(ticks.take(group.ends[~accepted[group.ends]]))
        _count(ticks, ~accepted, is_price_near | self._is_uncontradicted(ticks, price), counts)
        resurrected = is_next_near & ~accepted
        if more := int(resurrected.sum()) + len(confirmed):
            counts.flagged["confirmed"] += more
        self._note_sure(ticks, group, sure)
        return accepted | resurrected, confirmed

    def _with_first(self, ticks: Ticks, group: Groups, sure: Mask) -> Mask:
        """Let the first tick that nothing contradicts begin, where none is confirmed yet."""
        is_new = group.spread(np.isnan(self._sure_price[group.values]))
        begins = (ticks.volume <= FIRST_VOLUME) & ~self._contradicted(ticks)
        number = np.arange(len(ticks))
        candidates = np.where(is_new & (sure | begins), number, len(ticks))
        first = np.minimum.reduceat(candidates, group.starts)
        sure[first[first < len(ticks)]] = True
        return sure

    def _sure_before(self, ticks: Ticks, group: Groups, sure: Mask) -> tuple[Array, Array]:
        """Return price and volume of the last confirmed tick before each one."""
        latest = np.maximum.accumulate(np.where(sure, np.arange(len(ticks)), -1))
        latest = previous(latest, group.starts, np.full(len(group.starts), -1))
        is_here = latest >= group.spread(group.starts)
        price = np.where(is_here, ticks.price[latest], group.spread(self._sure_price[group.values]))
        earlier = group.spread(self._sure_volume[group.values])
        return price, np.where(is_here, ticks.volume[latest], earlier)

    def _note_sure(self, ticks: Ticks, group: Groups, sure: Mask) -> None:
        rows, ends = group.values, group.ends
        self._price[rows], self._volume[rows] = ticks.price[ends], ticks.volume[ends]
        last = np.maximum.accumulate(np.where(sure, np.arange(len(ticks)), -1))[ends]
        is_here = last >= group.starts
        rows, last = rows[is_here], last[is_here]
        self._sure_price[rows], self._sure_volume[rows] = ticks.price[last], ticks.volume[last]

    def _confirmed(self, rows: Array, confirming: Array) -> Ticks:
        """Return the held ticks of confirming rows; none of `rows` stays held."""
        if not len(self.held):
            return self.held
        confirmed = self.held.take(np.isin(self.held.row, confirming))
        self.held = self.held.take(~np.isin(self.held.row, rows))
        return confirmed

    def _hold(self, refused: Ticks) -> None:
        if len(refused):
            self.held = Ticks.concat(self.held, refused)

    def _near_price(self, ticks: Ticks, other: Array) -> Mask:
        higher, lower = np.maximum(ticks.price, other), np.minimum(ticks.price, other)
        near: Mask = higher <= lower * self._leap[ticks.row]
        near |= higher - lower <= self._least[ticks.row]
        return near

    def _contradicted(self, ticks: Ticks) -> Mask:
        leap, least = self._leap[ticks.row], self._least[ticks.row]
        bid, ask = ticks.quotes
        highest, lowest = np.maximum(ask * leap, ask + least), np.minimum(bid / leap, bid - least)
        off: Mask = (ticks.price > highest) | (ticks.price < lowest)
        return off & _tight(bid, ask)

    def _is_uncontradicted(self, ticks: Ticks, price: Array) -> Mask:
        return np.isnan(price) & ~self._contradicted(ticks)


def _near_volume(one: Array, other: Array) -> Mask:
    """Return where a volume is unknown, or the rise or fall is plausible."""
    lower = np.minimum(one, other)
    near: Mask = (lower < 0) | (np.maximum(one, other) - lower <= lower + RISE)
    return near


def _tight(bid: Array, ask: Array) -> Mask:
    tight: Mask = (bid > 0) & (ask >= bid) & (ask <= TIGHT * bid)
    return tight


def _quoted(ticks: Ticks) -> Mask:
    """Return which prices bid and ask bear out."""
    bid, ask = ticks.quotes
    is_near: Mask = ticks.price >= bid * (1 - OFF_QUOTES)
    is_near &= ticks.price <= ask * (1 + OFF_QUOTES)
    return is_near & _tight(bid, ask)


def _count(ticks: Ticks, refused: Mask, is_price_near: Mask, counts: "TickCounts") -> None:
    reasons = {"implausible_price": ~is_price_near, "implausible_volume": is_price_near}
    for reason, mask in reasons.items():
        if number := int((refused & mask).sum()):
            counts.rejected[reason] += number
