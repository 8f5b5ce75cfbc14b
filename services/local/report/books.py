"""The books of some days: trades, contract notes, what was realised, and what is doubtful."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from libs.market.rulebook import Rulebook
from services.position.domain.accounts import Account, Opening, accounts_of, realised_by_day
from services.position.domain.booked import BookedFill, corrected, in_order
from services.position.domain.contract_note import ContractNote, notes_of
from services.position.domain.ledger import TradeLedger
from services.position.domain.results import in_closing_order
from services.position.domain.trades import Trade, with_slippage

FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2149, 6, 6)
"""What a database can hold."""
_NOTHING = Decimal(0)
ROUNDING = Decimal(1)
"""Rupees that charges may differ by: earlier versions rounded them for each fill."""


class Period(NamedTuple):
    """Days, both included."""

    first: date
    last: date

    def holds(self, day: date) -> bool:
        """Whether a day is one of them."""
        return self.first <= day <= self.last

    def __str__(self) -> str:
        if self.first == self.last:
            return f"{self.first}"
        if self.last >= LAST_DAY:
            return f"since {self.first}" if self.first > FIRST_DAY else "all days"
        if self.first <= FIRST_DAY:
            return f"until {self.last}"
        return f"{self.first} to {self.last}"


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept of positions: last states, fills, and premiums that were decided on by signal.

    Of a position with a fill or an end in the period all fills are needed, also earlier ones.
    """

    trades: Sequence[Trade]
    fills: Sequence[BookedFill]
    premiums: Mapping[UUID, Decimal]


class Day(NamedTuple):
    """A day's money in rupees: realised before charges, and the charges of its contract notes."""

    day: date
    realised: Decimal
    charges: Decimal

    @property
    def net(self) -> Decimal:
        """What was left."""
        return self.realised - self.charges


@dataclass(frozen=True, slots=True)
class Books:
    """The books of a period. `closed` ended in it, `open` are held at its end or oversold."""

    period: Period
    closed: tuple[Trade, ...]
    open: tuple[Trade, ...]
    notes: tuple[ContractNote, ...]
    days: tuple[Day, ...]
    doubts: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing was traded or held."""
        return not (self.closed or self.open or self.notes)

    @property
    def not_of_trades(self) -> Decimal:
        """What the period's net has beyond the net of the trades that were closed in it."""
        return self.net - sum((one.net for one in self.closed), _NOTHING)

    @property
    def charges(self) -> Decimal:
        """The charges of all contract notes, rupees."""
        return sum((one.total for one in self.notes), _NOTHING)

    @property
    def realised(self) -> Decimal:
        """What was realised in the period before charges, rupees."""
        return sum((one.realised for one in self.days), _NOTHING)

    @property
    def net(self) -> Decimal:
        """What was realised in the period, less its charges."""
        return self.realised - self.charges

    @property
    def unrealised(self) -> Decimal:
        """What the open positions gained at their last prices, rupees before charges."""
        return sum((one.unrealised for one in self.open), _NOTHING)


def books_of(kept: Kept, period: Period, rules: Rulebook) -> Books:
    """Return the books of a period."""
    fills = in_order(one for one in kept.fills if one.trading_day <= period.last)
    told = [_with_premium(one, kept.premiums) for one in fills]
    accounts = accounts_of(told, rules)
    trades = [with_slippage(one, _its(one, told)) for one in kept.trades]
    notes = notes_of((one for one in told if period.holds(one.trading_day)), rules)
    of_period = [one for one in trades if one.is_open or period.holds(one.trading_day)]
    still = sorted((one for one in of_period if one.is_open), key=lambda one: one.opened_at)
    return Books(
        period=period,
        closed=tuple(in_closing_order(of_period)),
        open=tuple(still),
        notes=notes,
        days=tuple(_days(notes, realised_by_day(accounts.values()), period)),
        doubts=tuple(_doubts(kept, of_period, notes, accounts)),
    )


def _with_premium(fill: BookedFill, premiums: Mapping[UUID, Decimal]) -> BookedFill:
    if fill.leg == "exit" or fill.decided_price is not None:
        return fill
    return replace(fill, decided_price=premiums.get(fill.signal_id))


def _its(trade: Trade, fills: Iterable[BookedFill]) -> list[BookedFill]:
    """Return the fills of an opening: those of its position from its first to its last one."""
    until = trade.closed_at
    return [
        one
        for one in fills
        if one.position_id == trade.position_id
        and one.at >= trade.opened_at
        and (until is None or one.at <= until)
    ]


def _days(
    notes: Iterable[ContractNote], realised: Mapping[date, Decimal], period: Period
) -> Iterator[Day]:
    charges: dict[date, Decimal] = {}
    for note in notes:
        charges[note.day] = charges.get(note.day, _NOTHING) + note.total
    gained = {day: amount for day, amount in realised.items() if period.holds(day)}
    for day in sorted({*charges, *gained}):
        yield Day(day, gained.get(day, _NOTHING), charges.get(day, _NOTHING))


def _doubts(
    kept: Kept,
    trades: Iterable[Trade],
    notes: Sequence[ContractNote],
    accounts: Mapping[Opening, Account],
) -> Iterator[str]:
    """Yield what a reader must know before the figures are used, each a sentence."""
    if len({note.mode for note in notes}) > 1:
        yield "Paper and live orders are added up here; their contract notes are apart."
    for key in corrected(kept.fills):
        yield f"Fill {key} was told twice with different figures: the first one counts."
    by_position: dict[UUID, list[Trade]] = {}
    for trade in trades:
        by_position.setdefault(trade.position_id, []).append(trade)
    for position_id, its in by_position.items():
        yield from _oversold(its)
        yield from _contradictions(
            its, {number: one for (of, number), one in accounts.items() if of == position_id}
        )
    told = {one.fill.position_id for note in notes for one in note.fills}
    stray = told - {one.position_id for one in kept.trades}
    if stray:
        yield f"Of {len(stray)} positions only the fills are known: they are not listed."
    unknown = sorted({note.day for note in notes if not note.rates_are_exact})
    if unknown:
        others = " and other days" if len(unknown) > 1 else ""
        yield (
            f"Not every rate of charges is known for {unknown[0]}{others}: "
            "the nearest known ones of NSE are used."
        )


def _oversold(trades: Iterable[Trade]) -> Iterator[str]:
    for one in trades:
        if one.quantity < 0:
            yield (
                f"{one.tradingsymbol}: {-one.quantity} units more were sold than bought. They are "
                "an open risk until they are bought back; nothing does that by itself."
            )


def _contradictions(trades: Sequence[Trade], accounts: Mapping[int, Account]) -> Iterator[str]:
    """Yield where a position's fills do not come to what its openings say.

    Fills are in the order of their times; one that was told late may open a position again in its
    events alone, so then all openings are compared together.
    """
    name, openings = trades[0].tradingsymbol, [one.opening for one in trades]
    if not accounts:
        yield f"{name}: the position is known, its fills are not; it is missing in charges and CSV."
        return
    is_told = all(one in accounts for one in openings)
    ledgers = [accounts[one].ledger for one in openings if is_told]
    ledgers = ledgers or [one.ledger for one in accounts.values()]
    told, booked = _sums(trades), _sums(ledgers)
    if told[0] != booked[0] or abs(told[1] - booked[1]) > ROUNDING:
        yield (
            f"{name}: its fills come to {booked[0]:.2f} realised and {booked[1]:.2f} of charges, "
            f"the position says {told[0]:.2f} and {told[1]:.2f}."
        )


def _sums(of: Iterable[Trade | TradeLedger]) -> tuple[Decimal, Decimal]:
    """Return what was realised and charged, rupees."""
    known = list(of)
    realised = sum((one.realised for one in known), _NOTHING)
    return realised, sum((one.charges for one in known), _NOTHING)
