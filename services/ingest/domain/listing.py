"""Instruments as events, and what has changed since the day before."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

from libs.events.event import utc_from_ms
from libs.events.instruments import InstrumentListed
from libs.market.instruments import Instrument

_TOLD = ("lot_size", "tick_size", "name")
_Key = tuple[str, str, date | None]
_Kind = tuple[str, str, bool]


def listed(instrument: Instrument, trading_day: date, at_ms: int) -> InstrumentListed:
    """Return the event of an instrument that is listed on a trading day."""
    key = (instrument.exchange, instrument.tradingsymbol, instrument.expiry, trading_day)
    envelope = InstrumentListed.without_cause(
        *key, occurred_at=utc_from_ms(at_ms), trading_day=trading_day
    )
    return InstrumentListed(
        **envelope,
        instrument_token=instrument.instrument_token,
        exchange_token=instrument.exchange_token,
        tradingsymbol=instrument.tradingsymbol,
        name=instrument.name,
        expiry=instrument.expiry,
        strike=instrument.strike,
        tick_size=instrument.tick_size,
        lot_size=instrument.lot_size,
        instrument_type=instrument.instrument_type,
        segment=instrument.segment,
        exchange=instrument.exchange,
    )


class PreviousListing:
    """What was listed on the last day before a day."""

    def __init__(self, day: date) -> None:
        self._before = day
        self._day = date.min
        self._listed: dict[_Key, Instrument] = {}

    @property
    def instruments(self) -> Sequence[Instrument]:
        """The instruments; none if no earlier day is known."""
        return tuple(self._listed.values())

    def note(self, event: InstrumentListed) -> None:
        """Note an instrument that was listed once."""
        day = event.trading_day
        if not self._day <= day < self._before:
            return
        if day > self._day:
            self._day, self._listed = day, {}
        instrument = event.instrument()
        self._listed[_key(instrument)] = instrument


def changes_of(
    before: Iterable[Instrument], now: Sequence[Instrument], on: date
) -> tuple[str, ...]:
    """Return a line for each change of lot, tick and name, and for what is no longer listed.

    The options of an underlying and expiry that change alike are one line. Contracts that expired
    before `on`, and expiries beyond those that are followed now, are no change. A future that is
    no longer the near one is told with the one that is.
    """
    listed_now = {_key(one): one for one in now}
    followed = _followed_expiries(now)
    changes = Counter(
        (_series(one), change)
        for one in before
        for change in _changes(one, listed_now.get(_key(one)), followed.get(_kind(one), {}), on)
    )
    return tuple(
        f"{series}: {change}{f' ({count} contracts)' if count > 1 else ''}"
        for (series, change), count in changes.items()
    )


def _changes(
    before: Instrument, now: Instrument | None, followed: Mapping[date, Instrument], on: date
) -> Iterator[str]:
    """Yield the changes of an instrument; `followed`: those of its kind now, by expiry."""
    if now is None:
        yield from _gone(before, followed, on)
        return
    for column in _TOLD:
        old, new = getattr(before, column), getattr(now, column)
        if old != new:
            yield f"{column} {old} → {new}"


def _gone(before: Instrument, followed: Mapping[date, Instrument], on: date) -> Iterator[str]:
    if before.expiry is None or not followed:
        return
    near = followed[min(followed)]
    if not before.is_option and before.expiry < min(followed):
        yield f"the near month is {near.tradingsymbol} now"
    elif on <= before.expiry <= max(followed):
        yield "no longer listed"


def _followed_expiries(listed_now: Iterable[Instrument]) -> dict[_Kind, dict[date, Instrument]]:
    """Return contracts by exchange, underlying's name and whether they are options, and expiry."""
    followed: dict[_Kind, dict[date, Instrument]] = {}
    for one in listed_now:
        if one.expiry is not None:
            followed.setdefault(_kind(one), {})[one.expiry] = one
    return followed


def _kind(instrument: Instrument) -> _Kind:
    return instrument.exchange, instrument.name, instrument.is_option


def _key(instrument: Instrument) -> _Key:
    return instrument.exchange, instrument.tradingsymbol, instrument.expiry


def _series(instrument: Instrument) -> str:
    if instrument.is_option:
        return f"options {instrument.exchange}:{instrument.name} of {instrument.expiry}"
    return instrument.key
