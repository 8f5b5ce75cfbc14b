"""The simulated exchange as a whole: a market, the account that trades on it, and their faults."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from libs.broker.kite.limits import KiteLimits, load_limits
from libs.market.instruments import Instrument
from services.simulator.domain.account import Account
from services.simulator.domain.account.login import Logins
from services.simulator.domain.board import Board, TickRows
from services.simulator.domain.errors import InputError
from services.simulator.domain.faults.kinds import (
    DelayUpdate,
    Fault,
    Halt,
    Jump,
    LoseUpdate,
    MarketFault,
    RepeatUpdate,
    read_fault,
)
from services.simulator.domain.faults.schedule import BookedFault, FaultBook

_SECOND_MS = 1000
Update = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Posting:
    """An order update to be sent after `wait_seconds` of the wall clock (0: at once)."""

    update: Update
    wait_seconds: float = 0.0


class Exchange:
    """One trading day at a simulated Kite, played second by second; times are epoch ms.

    A second has two halves, so that a caller may settle between them: `trade` plays it and returns
    the order updates, `ticks` returns the packets. After the day only the clock goes on.
    """

    def __init__(self, board: Board, account: Account, logins: Logins) -> None:
        self.board, self.account, self.logins = board, account, logins
        self.faults = FaultBook(board.trading_day)
        self.limits: KiteLimits = load_limits(board.trading_day)
        self._rows = TickRows.empty()
        self._seconds_after = 0
        self._held_back: list[tuple[int, Update]] = []

    @property
    def trading_day(self) -> date:
        """Day in India that is played."""
        return self.board.trading_day

    @property
    def now_ms(self) -> int:
        """The exchange's clock: the second played last, or what has passed since the day's end."""
        return self.board.now_ms + self._seconds_after * _SECOND_MS

    @property
    def is_over(self) -> bool:
        """Whether no second of the day is left."""
        return self.board.is_over

    @property
    def instruments(self) -> Sequence[Instrument]:
        """The underlyings, then the options."""
        return self.board.instruments

    def trade(self) -> list[Posting]:
        """Play the next second and match the orders; gives the order updates to be sent."""
        self._advance()
        for fault in self.faults.due_on_market(self.now_ms):
            self.apply(fault)
        self.account.match(self.now_ms)
        return [*self._due(), *self._postings(self.account.take_updates())]

    def ticks(self) -> TickRows:
        """Give the packets of the second that was played last, once."""
        rows, self._rows = self._rows, TickRows.empty()
        return rows

    def snapshot(self, instrument_tokens: Collection[int]) -> TickRows:
        """Give the packets that a client gets when it subscribes."""
        return self.board.snapshot(instrument_tokens)

    def add_fault(self, fields: Mapping[str, Any]) -> BookedFault:
        """Book a fault; raises InputError, in one line, for one that cannot be."""
        fault = read_fault(fields)
        self._check(fault)
        return self.faults.add(fault)

    def apply(self, fault: MarketFault) -> None:
        """Let the market jump or halt; raises NotFound for what is not listed."""
        if isinstance(fault, Jump):
            self.board.jump(fault.tradingsymbol, fault.factor)
        else:
            self.board.halt(fault.scope, self.now_ms + round(fault.seconds * _SECOND_MS))

    def _advance(self) -> None:
        if self.board.is_over:
            self._seconds_after += 1
            self._rows = TickRows.empty()
        else:
            self._rows = self.board.advance(self.account.working_tokens())

    def _check(self, fault: Fault) -> None:
        """Raise now what would fail when the fault is due."""
        if isinstance(fault, Jump):
            known = {one.tradingsymbol for one in self.instruments if not one.is_option}
            if fault.tradingsymbol not in known:
                raise InputError(f"jump: tradingsymbol: no underlying {fault.tradingsymbol}")
        if isinstance(fault, Halt) and fault.scope is not None:
            exchanges = {one.exchange for one in self.instruments}
            exchange, _, tradingsymbol = fault.scope.partition(":")
            if fault.scope not in exchanges and self.board.find(exchange, tradingsymbol) is None:
                raise InputError(f"halt: scope: no exchange or instrument {fault.scope}")

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
                self._held_back.append((self.now_ms + round(seconds * _SECOND_MS), update))
                return []
            case _:
                return [Posting(update)]
