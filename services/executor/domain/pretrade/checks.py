"""All checks, in the order in which their reasons are told."""

from typing import Protocol

from services.executor.domain.policy import Refusal
from services.executor.domain.pretrade.account import (
    ClockIsRight,
    DataIsFresh,
    FeedIsAlive,
    MarginSuffices,
    ProductFits,
    WithinLimits,
)
from services.executor.domain.pretrade.market import (
    FreezeQuantity,
    InsidePriceRange,
    LotSize,
    MarketIsOpen,
    NoPhysicalSettlement,
    NotBanned,
    StopGap,
    TickSize,
)
from services.executor.domain.pretrade.order import Circumstances, OrderToCheck


class Check(Protocol):
    """One thing that is checked of an order."""

    def refusal(self, order: OrderToCheck, known: Circumstances) -> Refusal | None:
        """Return the reason against the order, or None."""


CHECKS: tuple[Check, ...] = (
    WithinLimits(),
    ClockIsRight(),
    FeedIsAlive(),
    DataIsFresh(),
    MarketIsOpen(),
    ProductFits(),
    NotBanned(),
    NoPhysicalSettlement(),
    LotSize(),
    TickSize(),
    FreezeQuantity(),
    StopGap(),
    InsidePriceRange(),
    MarginSuffices(),
)


def refusals(order: OrderToCheck, known: Circumstances) -> tuple[Refusal, ...]:
    """Return all reasons against an order, none if it may be planned."""
    said = (check.refusal(order, known) for check in CHECKS)
    return tuple(refusal for refusal in said if refusal is not None)


def check(order: OrderToCheck, known: Circumstances) -> Refusal | None:
    """Return the first reason against an order, None if it may be planned."""
    return next(iter(refusals(order, known)), None)
