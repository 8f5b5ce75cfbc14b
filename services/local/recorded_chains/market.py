"""A recorded day of option chains as a market: its contracts, and the quotes of each snapshot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from libs.events.ticks import TickColumns
from libs.market.arrays import FloatArray, IntArray
from libs.market.calendar import Calendar, Session, day_in_india
from libs.market.instruments import Instrument
from libs.market.rulebook import Rulebook
from services.ingest.recordings.errors import RecordingError
from services.local.recorded_chains.ages import playable
from services.local.recorded_chains.listing import contracts_of, underlying_of
from services.local.recorded_chains.reading import QUOTED, SIDES, ChainRows
from services.local.recorded_chains.valuation import OPTIONS, closes_by, quoted_of

OUTAGE_MS = 600_000
"""A longer gap between two snapshots is an outage, not their spacing."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The quotes of a moment (epoch ms), and the derived spot; None without tight quotes."""

    at_ms: int
    columns: TickColumns
    spot: float | None


@dataclass(frozen=True, slots=True, eq=False)
class ChainDay:
    """A day's snapshots within the session, by time, with what is listed on it."""

    day: date
    session: Session
    underlying: Instrument
    contracts: Sequence[Instrument]
    snapshots: Sequence[Snapshot]

    @property
    def expiries(self) -> list[date]:
        """The expiries that are quoted, nearest first."""
        return sorted({one.expiry for one in self.contracts if one.expiry is not None})

    @property
    def spacing_ms(self) -> int:
        """The longest time between two snapshots, outages aside."""
        return spacing_of(self.snapshots)

    @property
    def without_spot(self) -> int:
        """How many snapshots have no strike with tight quotes, and so no spot."""
        return sum(one.spot is None for one in self.snapshots)


def spacing_of(snapshots: Sequence[Snapshot]) -> int:
    """Return the longest time between two snapshots (ms), outages aside."""
    apart = np.diff([one.at_ms for one in snapshots])
    usual = apart[apart <= OUTAGE_MS]
    return int(usual.max()) if len(usual) else OUTAGE_MS


def chain_day(
    rows: ChainRows, on: date | None, rate: float, rulebook: Rulebook, calendar: Calendar
) -> ChainDay:
    """Return the day of a file, or that of several which is named.

    Raises RecordingError for a file without a fresh snapshot in the session of such a day.
    """
    parts = playable(rows)
    day = _day_of(rows, parts, on)
    reason = calendar.closed_reason(OPTIONS, day)
    if reason is not None:
        raise RecordingError(f"{rows.path}: the market is closed on {day} ({reason})")
    session = calendar.sessions(OPTIONS, day)[-1]
    chosen = [part for part in parts if session.open_ms <= rows.at_ms[part[0]] < session.close_ms]
    if not chosen:
        raise RecordingError(
            f"{rows.path}: no snapshot of {rows.underlying} within the session of {day}"
        )
    return _made(rows, chosen, session, rate, rulebook, calendar)


def _day_of(rows: ChainRows, parts: Sequence[IntArray], on: date | None) -> date:
    days = sorted({day_in_india(int(rows.at_ms[part[0]])) for part in parts})
    known = ", ".join(map(str, days))
    if on is None and len(days) > 1:
        raise RecordingError(f"{rows.path}: it has several days, {known}: choose one by --date")
    if on is not None and on not in days:
        raise RecordingError(f"{rows.path}: no fresh snapshot of {on}; there are: {known}")
    return days[0] if on is None else on


def _made(
    rows: ChainRows,
    parts: Sequence[IntArray],
    session: Session,
    rate: float,
    rulebook: Rulebook,
    calendar: Calendar,
) -> ChainDay:
    day = session.day
    closes_ms = closes_by(calendar, day)
    spots = [quoted_of(rows, part, closes_ms).spot(rate) for part in parts]
    price = next((spot for spot in spots if spot is not None), float(np.median(rows.strike)))
    contracts = contracts_of(rows, day, price, rulebook, calendar)
    underlying = underlying_of(rows.underlying, rulebook)
    quotes = _Quotes(rows, contracts, underlying)
    snapshots = [quotes.snapshot(part, spot) for part, spot in zip(parts, spots, strict=True)]
    return ChainDay(day, session, underlying, contracts, snapshots)


class _Quotes:
    """Turns rows into ticks; volume and open interest become units.

    An option was traded at the time of a snapshot in which its volume rose: the file has no time of
    the last trade.
    """

    def __init__(
        self, rows: ChainRows, contracts: Sequence[Instrument], underlying: Instrument
    ) -> None:
        self._rows, self._underlying = rows, underlying
        self._place = {
            (one.instrument_type, one.expiry, one.strike): at for at, one in enumerate(contracts)
        }
        self._token = np.array([one.instrument_token for one in contracts], np.int64)
        self._lot = np.array([one.lot_size for one in contracts], np.int64)
        self._volume = np.full(len(contracts), -1.0)
        self._traded_ms = np.zeros(len(contracts), np.int64)

    def snapshot(self, part: IntArray, spot: float | None) -> Snapshot:
        """Return the quotes of a snapshot's rows; call it in the order of time."""
        at_ms = int(self._rows.at_ms[part[0]])
        sides = [self._side(kind, part, at_ms) for kind in SIDES]
        own = () if spot is None else (self._spot_tick(spot, at_ms),)
        return Snapshot(at_ms, TickColumns.concat([*own, *sides]), spot)

    def _side(self, kind: str, part: IntArray, at_ms: int) -> TickColumns:
        expiries: list[date] = self._rows.expiry[part].tolist()
        strikes = self._rows.strike[part].tolist()
        keys = zip(expiries, strikes, strict=True)
        place = np.array([self._place[kind, *key] for key in keys], np.int64)
        quoted = {name: self._rows.quoted(kind, name)[part] for name in QUOTED}
        self._note_trades(place, quoted["volume"], at_ms)
        return TickColumns(
            instrument_token=self._token[place].astype("<u4"),
            exchange_timestamp=np.full(len(part), at_ms, "<i8"),
            last_price=quoted["last_price"].astype("<f8"),
            volume_traded=_units(quoted["volume"] * self._lot[place]),
            oi=_units(quoted["oi"] * self._lot[place]),
            bid_price=quoted["bid_price"].astype("<f8"),
            bid_quantity=_units(quoted["bid_quantity"]),
            ask_price=quoted["ask_price"].astype("<f8"),
            ask_quantity=_units(quoted["ask_quantity"]),
            last_trade_time=self._traded_ms[place].astype("<i8"),
        )

    def _note_trades(self, place: IntArray, volume: FloatArray, at_ms: int) -> None:
        before = self._volume[place]
        self._traded_ms[place[(before >= 0) & (volume > before)]] = at_ms
        self._volume[place] = np.maximum(before, volume)

    def _spot_tick(self, spot: float, at_ms: int) -> TickColumns:
        return TickColumns(
            instrument_token=np.array([self._underlying.instrument_token], "<u4"),
            exchange_timestamp=np.array([at_ms], "<i8"),
            last_price=np.array([round(spot, 2)], "<f8"),
        )


def _units(column: FloatArray) -> IntArray:
    return np.rint(column).astype("<i8")


def figures_of(day: ChainDay) -> Mapping[str, int | float]:
    """Return what a summary says of the market."""
    return {
        "snapshots": len(day.snapshots),
        "snapshots_without_a_spot": day.without_spot,
        "longest_spacing_seconds": day.spacing_ms / 1000,
    }
