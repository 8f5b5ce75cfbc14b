"""The account at the broker with its faults, whatever market it trades on."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from libs.broker.kite.limits import KiteLimits, load_limits
from services.simulator.domain.account import Account
from services.simulator.domain.account.login import Logins
from services.simulator.domain.faults.kinds import (
    DelayUpdate,
    Fault,
    LoseUpdate,
    RepeatUpdate,
    read_fault,
)
from services.simulator.domain.faults.schedule import BookedFault, FaultBook

SECOND_MS = 1000
Update = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Posting:
    """An order update to be sent after `wait_seconds` of the wall clock (0: at once)."""

    update: Update
    wait_seconds: float = 0.0


class Desk(ABC):
    """Orders in, order updates out, with faults; a subclass has the clock and the market."""

    def __init__(self, account: Account, logins: Logins, trading_day: date) -> None:
        self.account, self.logins = account, logins
        self.faults = FaultBook(trading_day)
        self.limits: KiteLimits = load_limits(trading_day)
        self._held_back: list[tuple[int, Update]] = []

    @property
    @abstractmethod
    def now_ms(self) -> int:
        """The exchange's clock in epoch ms."""

    def add_fault(self, fields: Mapping[str, Any]) -> BookedFault:
        """Book a fault; raises InputError, in one line, for one that cannot be."""
        fault = read_fault(fields)
        self.check(fault)
        return self.faults.add(fault)

    @abstractmethod
    def check(self, fault: Fault) -> None:
        """Raise InputError now for what would fail when the fault is due."""

    def settle(self) -> list[Posting]:
        """Match the orders at this time, and give the order updates to be sent."""
        self.account.match(self.now_ms)
        return [*self._due(), *self._postings(self.account.take_updates())]

    def _due(self) -> Iterator[Posting]:
        """Delayed updates that are due now."""
        due = [update for at_ms, update in self._held_back if at_ms <= self.now_ms]
        self._held_back = [held for held in self._held_back if held[0] > self.now_ms]
        return (Posting(update) for update in due)

    def _postings(self, updates: Sequence[Update]) -> Iterator[Posting]:
        for update in updates:
            yield from self._posted(update)

    def _posted(self, update: Update) -> list[Posting]:
        """Return the postings of an update: none, one, late or several, as the faults say."""
        match self.faults.for_update(self.now_ms):
            case LoseUpdate():
                return []
            case RepeatUpdate(copies=copies):
                return [Posting(update)] * copies
            case DelayUpdate(seconds=seconds, clock="wall"):
                return [Posting(update, seconds)]
            case DelayUpdate(seconds=seconds):
                self._held_back.append((self.now_ms + round(seconds * SECOND_MS), update))
                return []
            case _:
                return [Posting(update)]
