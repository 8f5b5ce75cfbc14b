"""The price that a stop sees: which updates of a held contract are prices, and which ones.

`docs/prices-a-stop-sees.md` says the same in words.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Side = Literal[-1, 0, 1]
"""Where a price lies: below (-1) or above (1) what is plausible, or neither."""


@dataclass(frozen=True, slots=True)
class PriceRules:
    """When the last trade is the price, and when an update is none.

    `traded_within_ms`: an older last trade gives way to the bid. `updated_within_ms`: an older
    update is no price. `off_quotes`: a trade by so much of the bid below it, or of the ask above
    it, is contradicted. `leap`, at least `least_leap` rupees upwards: a price by so many times the
    last one above it, or as many times smaller, needs the quotes or the next update as a witness.
    The feed does not say an option's band of the day; this is the band of `price_bands.toml`.
    Quotes are `tight`, and a witness, where the ask is at most so many times the bid.
    """

    traded_within_ms: int = 10_000
    updated_within_ms: int = 60_000
    off_quotes: float = 0.1
    leap: float = 4.0
    least_leap: float = 100.0
    tight: float = 2.0


class Update(NamedTuple):
    """An update of a contract: times in epoch ms, prices in rupees; 0 or nan is unknown or none.

    `volume` is cumulative, in units.
    """

    at_ms: int
    last_price: float
    traded_ms: int = 0
    volume: int = 0
    bid: float = 0.0
    ask: float = 0.0


class Seen(NamedTuple):
    """What an update shows, in rupees: to the exit rules, and for the valuation."""

    price: float
    mark: float


@dataclass(slots=True)
class PriceTape:
    """The updates of one held contract since `opened_ms` (epoch ms), and the last price taken."""

    rules: PriceRules
    opened_ms: int
    price: float
    _at_ms: int = 0
    _traded_ms: int = 0
    _volume: int = 0
    _last_price: float = 0.0
    _contradicted: Side = 0
    _trade_leapt: Side = 0
    _quote_leapt: Side = 0

    def see(self, update: Update) -> Seen | None:
        """Return the prices that an update shows, None if it shows none."""
        if update.at_ms < self._at_ms:
            return None
        update = _with_sound_quotes(update)
        is_trade = self._note(update)
        if update.at_ms < self.opened_ms:
            return None
        seen = self._traded(update, is_trade) or self._quoted(update)
        if seen is not None:
            self.price = seen.price
        return seen

    def _note(self, update: Update) -> bool:
        """Note when the last trade was; return whether the update tells of a new one."""
        is_trade, knows_volume = self._is_trade(update), update.volume > 0
        if update.traded_ms > 0:
            self._traded_ms = update.traded_ms
        elif is_trade or not knows_volume:
            self._traded_ms = update.at_ms
        self._at_ms, self._last_price = update.at_ms, update.last_price
        self._volume = max(self._volume, update.volume)
        return is_trade

    def _is_trade(self, update: Update) -> bool:
        if update.volume > 0:
            return update.volume > self._volume
        if update.traded_ms > 0:
            return update.traded_ms > self._traded_ms
        return update.last_price != self._last_price

    def _traded(self, update: Update, is_trade: bool) -> Seen | None:
        """Return the last trade if it is new enough, and nothing speaks against it."""
        age_ms = update.at_ms - self._traded_ms
        if self._traded_ms < self.opened_ms or age_ms > self.rules.traded_within_ms:
            self._contradicted = 0
            return None
        side, before = self._off_quotes(update), self._contradicted
        if is_trade or not side:
            self._contradicted = side
        if side and not (is_trade and side == before):
            return None
        leapt, leapt_before = self._leap(update.last_price), self._trade_leapt
        self._trade_leapt = leapt
        has_witness = bool(side) or self._is_tight(update) or leapt == leapt_before
        return Seen(update.last_price, update.last_price) if has_witness or not leapt else None

    def _quoted(self, update: Update) -> Seen | None:
        """Return what a sale would bring: the bid; without one, an ask below the last price."""
        falls = not update.bid and 0 < update.ask < self.price
        price = update.ask if falls else update.bid
        if not price:
            return None
        leapt, leapt_before = self._leap(price), self._quote_leapt
        self._quote_leapt = leapt
        if leapt and not self._is_tight(update) and leapt != leapt_before:
            return None
        return Seen(price, (update.bid + update.ask) / 2 if update.bid and update.ask else price)

    def _off_quotes(self, update: Update) -> Side:
        if update.last_price < update.bid * (1 - self.rules.off_quotes):
            return -1
        is_above = 0 < update.ask * (1 + self.rules.off_quotes) < update.last_price
        return 1 if is_above else 0

    def _is_tight(self, update: Update) -> bool:
        return 0 < update.bid <= update.ask <= update.bid * self.rules.tight

    def _leap(self, price: float) -> Side:
        rules, last = self.rules, self.price
        if price > last + max(last * rules.leap, rules.least_leap):
            return 1
        return -1 if price * (1 + rules.leap) < last else 0


def _with_sound_quotes(update: Update) -> Update:
    """Return an update whose sides are 0 where nobody bids or asks, and where they are crossed."""
    if 0 < update.bid <= update.ask:
        return update
    bid = update.bid if update.bid > 0 else 0.0
    ask = update.ask if update.ask > 0 else 0.0
    is_crossed = 0 < ask < bid
    return update._replace(bid=0.0, ask=0.0) if is_crossed else update._replace(bid=bid, ask=ask)
