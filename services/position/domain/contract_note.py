"""The contract note of a day: each order's charges line by line, and how their sums are rounded.

Each line of an order is rounded to the paisa, once for all of its fills. The day's sums of STT and
stamp duty are rounded to the rupee; what that changes is the note's `rounding`. So the fills add up
to their order, orders and rounding to the day.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby
from uuid import UUID

from libs.events.orders import Mode
from libs.market.charges import NoteSteps
from libs.market.rulebook import Rulebook
from services.position.domain.booked import BookedFill, in_order
from services.position.domain.charge_lines import RATES_OF, Lines, lines_of_fill


@dataclass(frozen=True, slots=True)
class ChargedFill:
    """A fill with what it adds to its order's charges, and whether those rates are known."""

    fill: BookedFill
    lines: Lines
    is_exact: bool


@dataclass(frozen=True, slots=True)
class NoteOrder:
    """An order of a contract note; the value in rupees, the average price in rupees a unit."""

    first: BookedFill
    quantity: int
    value: Decimal
    lines: Lines

    @property
    def average_price(self) -> Decimal:
        """The average of its fills, to four decimals."""
        return (self.value / self.quantity).quantize(Decimal("0.0001"))


@dataclass(frozen=True, slots=True)
class ContractNote:
    """The fills of a day in one mode, oldest first. `mode` says whether money was moved.

    `steps_are_exact`: whether a circular says how the day's sums are rounded.
    """

    day: date
    mode: Mode
    fills: tuple[ChargedFill, ...]
    steps: NoteSteps
    steps_are_exact: bool

    @property
    def orders(self) -> tuple[NoteOrder, ...]:
        """The orders, by the time of their first fill."""
        parts: dict[UUID, list[ChargedFill]] = {}
        for one in self.fills:
            parts.setdefault(one.fill.order_id, []).append(one)
        return tuple(_order(part) for part in parts.values())

    @property
    def by_orders(self) -> Lines:
        """The sum of all orders, line by line."""
        return sum((one.lines for one in self.fills), Lines())

    @property
    def rounding(self) -> Lines:
        """What rounding the day's sums adds, or takes if negative."""
        unrounded = self.by_orders
        return Lines(
            stt=_rounded(unrounded.stt, self.steps.stt) - unrounded.stt,
            stamp=_rounded(unrounded.stamp, self.steps.stamp) - unrounded.stamp,
        )

    @property
    def lines(self) -> Lines:
        """The day's charges, line by line."""
        return self.by_orders + self.rounding

    @property
    def total(self) -> Decimal:
        """The day's charges, rupees."""
        return self.lines.total

    @property
    def rates_are_exact(self) -> bool:
        """Whether every rate is known for the day and the exchange."""
        return all(one.is_exact for one in self.fills)


def notes_of(fills: Iterable[BookedFill], rules: Rulebook) -> tuple[ContractNote, ...]:
    """Return a note for each day and mode, oldest first. Repeated fills count once."""
    charged = sorted(charged_fills(fills, rules), key=_note)
    return tuple(
        _made(day, mode, tuple(part), rules) for (day, mode), part in groupby(charged, _note)
    )


def charged_fills(fills: Iterable[BookedFill], rules: Rulebook) -> tuple[ChargedFill, ...]:
    """Return each fill with its charges, oldest first."""
    so_far: dict[UUID, Decimal] = {}
    made = []
    for fill in in_order(fills):
        before = so_far.get(fill.order_id, Decimal(0))
        known = lines_of_fill(fill, before, rules)
        so_far[fill.order_id] = before + fill.value
        made.append(ChargedFill(fill, known.value, known.is_exact and fill.exchange == RATES_OF))
    return tuple(made)


def _note(one: ChargedFill) -> tuple[date, Mode]:
    return one.fill.trading_day, one.fill.mode


def _made(day: date, mode: Mode, fills: tuple[ChargedFill, ...], rules: Rulebook) -> ContractNote:
    steps = rules.note_steps(day)
    return ContractNote(day, mode, fills, steps.value, steps.is_exact)


def _order(part: list[ChargedFill]) -> NoteOrder:
    quantity = sum(one.fill.fill_quantity for one in part)
    value = sum((one.fill.value for one in part), Decimal(0))
    return NoteOrder(part[0].fill, quantity, value, sum((one.lines for one in part), Lines()))


def _rounded(amount: Decimal, step: Decimal) -> Decimal:
    return (amount / step).to_integral(ROUND_HALF_UP) * step
