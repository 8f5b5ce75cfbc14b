"""Positions recomputed from their fills alone: what each opening realised, and on which day."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from libs.market.rulebook import Rulebook
from services.position.domain.booked import BookedFill, in_order
from services.position.domain.ledger import TradeLedger

_NOTHING = Decimal(0)
Opening = tuple[UUID, int]
"""A position, and how often it had been opened."""


@dataclass(frozen=True, slots=True)
class Account:
    """What an opening came to, in rupees; by day what it realised before charges."""

    ledger: TradeLedger
    realised_on: Mapping[date, Decimal]


def accounts_of(fills: Iterable[BookedFill], rules: Rulebook) -> dict[Opening, Account]:
    """Return the account of each opening; one ends when nothing is held any more."""
    by_position: dict[UUID, list[BookedFill]] = {}
    for fill in in_order(fills):
        by_position.setdefault(fill.position_id, []).append(fill)
    return {
        (position_id, number): account
        for position_id, its in by_position.items()
        for number, account in enumerate(_openings(its, rules), 1)
    }


def realised_by_day(accounts: Iterable[Account]) -> dict[date, Decimal]:
    """Return what was realised on each day before charges, rupees."""
    total: dict[date, Decimal] = {}
    for account in accounts:
        for day, amount in account.realised_on.items():
            total[day] = total.get(day, _NOTHING) + amount
    return dict(sorted(total.items()))


def _openings(fills: Iterable[BookedFill], rules: Rulebook) -> list[Account]:
    made: list[Account] = []
    ledger, on, orders = TradeLedger(), dict[date, Decimal](), set[UUID]()
    for fill in fills:
        after = ledger.add(fill, is_first_of_order=fill.order_id not in orders, rules=rules)
        gained = after.realised - ledger.realised
        on[fill.trading_day] = on.get(fill.trading_day, _NOTHING) + gained
        ledger = after
        orders.add(fill.order_id)
        if not ledger.quantity:
            made.append(Account(ledger, on))
            ledger, on = TradeLedger(part_filled=ledger.part_filled), {}
    return [*made, Account(ledger, on)] if ledger.quantity else made
