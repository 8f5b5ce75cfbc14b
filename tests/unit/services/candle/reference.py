"""The rules of the candle service in plain words: update by update, slowly."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.unit.services.candle.frames import MINUTE, OPEN


class Update(NamedTuple):
    """An update of the feed; 0 is unknown in the last four, -1 an unknown volume."""

    number: int
    at: int
    price: float
    volume: int
    oi: int = 0
    traded: int = 0
    bid: float = 0.0
    ask: float = 0.0


class Part(NamedTuple):
    """What an update adds to its minute, in the order of exchange time, volume and arrival."""

    at: int
    volume: int
    arrival: int
    price: float
    oi: int
    is_trade: bool


@dataclass
class Plain:
    """One instrument; a feed that shows bands, quotes and trades as they come."""

    is_index: bool = False
    is_option: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    parts: list[Part] = field(default_factory=list)
    seen: set[Update] = field(default_factory=set)
    before_open: tuple[int, int] | None = None
    last: Update | None = None
    sure: Update | None = None
    held: Update | None = None
    base: int | None = None
    running: int = -1
    traded: int = 0

    def see(self, update: Update) -> None:
        """Take, refuse or hold an update; fold what is taken."""
        if update.at < OPEN:
            self._see_before_the_open(update)
            return
        same = update._replace(traded=0, bid=0.0, ask=0.0)
        if same in self.seen:
            self.counts["duplicate"] += 1
            return
        self.seen.add(same)
        self._judge(update)

    def _see_before_the_open(self, update: Update) -> None:
        """The last volume before the open is the base, until the session's first update."""
        self.counts["outside_session"] += 1
        is_later = self.before_open is None or update.at >= self.before_open[0]
        if not self.seen and update.volume >= 0 and is_later:
            self.before_open = (update.at, update.volume)

    def _judge(self, update: Update) -> None:
        """Near the update before it, or near the last sure one; quotes stand in for the price."""
        bears_out = self._is_quoted(update)
        is_sure = self.last is not None and (
            self._volume_is_near(self.last, update)
            and (self._price_is_near(self.last, update) or bears_out)
        )
        begins = update.volume <= 1_000_000_000 and not self._is_contradicted(update)
        is_sure = is_sure or (self.sure is None and begins)
        is_near = self.sure is not None and (self._price_is_near(self.sure, update) or bears_out)
        is_taken = is_sure or (is_near and self._volume_is_near(self.sure, update))
        if self.held is not None and self._is_near(self.held, update):
            self.counts["confirmed"] += 1
            self._fold(self.held)
        self.held = None if is_taken else update
        if is_taken:
            self._fold(update)
        elif is_near or (self.sure is None and not self._is_contradicted(update)):
            self.counts["implausible_volume"] += 1
        else:
            self.counts["implausible_price"] += 1
        self.last, self.sure = update, update if is_sure else self.sure

    def _is_near(self, one: Update, other: Update) -> bool:
        return self._price_is_near(one, other) and self._volume_is_near(one, other)

    def _price_is_near(self, one: Update | None, other: Update) -> bool:
        """An option may multiply by five or rise by 100 rupees; all others stay in their band."""
        if one is None:
            return False
        lower, higher = sorted((one.price, other.price))
        times, rupees = (5.0, 100.0) if self.is_option else (1.5, 1.0)
        return higher <= lower * times or higher - lower <= rupees

    def _volume_is_near(self, one: Update | None, other: Update) -> bool:
        """The day's volume may double, and rise or fall by five million units."""
        if one is None:
            return False
        lower, higher = sorted((one.volume, other.volume))
        return lower < 0 or higher - lower <= lower + 5_000_000

    def _is_tight(self, update: Update) -> bool:
        return 0 < update.bid <= update.ask <= 2 * update.bid

    def _is_quoted(self, update: Update) -> bool:
        within = update.bid * (1 - 0.1) <= update.price <= update.ask * (1 + 0.1)
        return self._is_tight(update) and within

    def _is_contradicted(self, update: Update) -> bool:
        times, rupees = (5.0, 100.0) if self.is_option else (1.5, 1.0)
        is_above = update.price > max(update.ask * times, update.ask + rupees)
        is_below = update.price < min(update.bid / times, update.bid - rupees)
        return self._is_tight(update) and (is_above or is_below)

    def _fold(self, update: Update) -> None:
        before, is_first = self.running, False
        if self.base is None and update.volume >= 0:
            before = self.base = self._opening(update.volume)
            is_first = self.before_open is None and update.volume > 0 and not update.traded
        self.running = max(before, update.volume)
        is_trade = is_first or self._tells_a_trade(update, before)
        if not is_trade and self._is_of_before_the_open(update):
            self.counts["untraded"] += 1
            return
        self.parts.append(
            Part(update.at, update.volume, len(self.parts), update.price, update.oi, is_trade)
        )

    def _opening(self, volume: int) -> int:
        """A volume before the open that is higher than the session's first is of another day."""
        if self.before_open is not None and self.before_open[1] > volume:
            self.before_open = None
        return volume if self.before_open is None else self.before_open[1]

    def _tells_a_trade(self, update: Update, before: int) -> bool:
        """The volume rises, or the last trade is newer; where neither is known, each is one."""
        traded = min(update.traded, update.at)
        known = self.traded or OPEN + (update.at - OPEN) // MINUTE * MINUTE - 1
        is_newer = traded > known
        self.traded = max(self.traded, traded)
        is_unknown = update.volume < 0 and not update.traded
        return update.volume > before or is_newer or self.is_index or is_unknown

    def _is_of_before_the_open(self, update: Update) -> bool:
        """Nothing was traded since the open: the price is yesterday's close or the auction's."""
        base = -1 if self.base is None else self.base
        if self.running > base or self.is_index:
            return False
        if update.traded:
            return update.traded < OPEN
        is_auction = self.before_open is not None and base == self.before_open[1]
        return update.volume >= 0 and (base == 0 or is_auction)

    def candles(self, minutes: int) -> dict[int, dict[str, float]]:
        """Return open time → candle; a minute without a trade is in none."""
        traded = {_opened(part.at, 1) for part in self.parts if part.is_trade}
        spans = sorted({_opened(opened, minutes) for opened in traded})
        return {opened: self._candle(opened, minutes, traded) for opened in spans}

    def _candle(self, opened: int, minutes: int, traded: set[int]) -> dict[str, float]:
        base = max(self.base or 0, 0)
        before = max([base, *(part.volume for part in self.parts if part.at < opened)])
        mine = [part for part in self.parts if _opened(part.at, minutes) == opened]
        shown = sorted(part for part in mine if _opened(part.at, 1) in traded)
        prices = [part.price for part in shown]
        return {
            "open": prices[0],
            "high": max(prices),
            "low": min(prices),
            "close": prices[-1],
            "volume": max(before, *(part.volume for part in mine), before) - before,
            "ticks": len(prices),
            "oi": shown[-1].oi,
        }


def _opened(at: int, minutes: int) -> int:
    return OPEN + (at - OPEN) // (minutes * MINUTE) * minutes * MINUTE


def plainly(
    updates: Iterable[Update], indices: Iterable[int] = (), options: Iterable[int] = ()
) -> dict[int, Plain]:
    """Return number → instrument after all updates, in order of arrival."""
    made: dict[int, Plain] = {}
    for update in updates:
        number = update.number
        if number not in made:
            made[number] = Plain(number in set(indices), number in set(options))
        made[number].see(update)
    return made
