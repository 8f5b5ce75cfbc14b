"""The simulated exchange as a whole: a market, the account that trades on it, and their faults."""

from collections.abc import Collection, Sequence
from datetime import date

from libs.market.instruments import Instrument
from services.simulator.domain.account import Account
from services.simulator.domain.account.login import Logins
from services.simulator.domain.board import Board, TickRows
from services.simulator.domain.desk import SECOND_MS, Desk, Posting, Update
from services.simulator.domain.errors import InputError
from services.simulator.domain.faults.kinds import Fault, Halt, Jump, MarketFault

__all__ = ["Exchange", "Posting", "Update"]


class Exchange(Desk):
    """One trading day at a simulated Kite, played second by second; times are epoch ms.

    A second has two halves, so that a caller may settle between them: `trade` plays it and returns
    the order updates, `ticks` returns the packets. After the day only the clock goes on.
    """

    def __init__(self, board: Board, account: Account, logins: Logins) -> None:
        super().__init__(account, logins, board.trading_day)
        self.board = board
        self._rows = TickRows.empty()
        self._seconds_after = 0

    @property
    def trading_day(self) -> date:
        """Day in India that is played."""
        return self.board.trading_day

    @property
    def now_ms(self) -> int:
        """The exchange's clock: the second played last, or what has passed since the day's end."""
        return self.board.now_ms + self._seconds_after * SECOND_MS

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
        return self.settle()

    def ticks(self) -> TickRows:
        """Give the packets of the second that was played last, once."""
        rows, self._rows = self._rows, TickRows.empty()
        return rows

    def snapshot(self, instrument_tokens: Collection[int]) -> TickRows:
        """Give the packets that a client gets when it subscribes."""
        return self.board.snapshot(instrument_tokens)

    def apply(self, fault: MarketFault) -> None:
        """Let the market jump or halt; raises NotFound for what is not listed."""
        if isinstance(fault, Jump):
            self.board.jump(fault.tradingsymbol, fault.factor)
        else:
            self.board.halt(fault.scope, self.now_ms + round(fault.seconds * SECOND_MS))

    def _advance(self) -> None:
        if self.board.is_over:
            self._seconds_after += 1
            self._rows = TickRows.empty()
        else:
            self._rows = self.board.advance(self.account.working_tokens())

    def check(self, fault: Fault) -> None:
        """Raise InputError now for what would fail when the fault is due."""
        super().check(fault)
        if isinstance(fault, Jump):
            known = {one.tradingsymbol for one in self.instruments if not one.is_option}
            if fault.tradingsymbol not in known:
                raise InputError(f"jump: tradingsymbol: no underlying {fault.tradingsymbol}")
        if isinstance(fault, Halt) and fault.scope is not None:
            exchanges = {one.exchange for one in self.instruments}
            exchange, _, tradingsymbol = fault.scope.partition(":")
            if fault.scope not in exchanges and self.board.find(exchange, tradingsymbol) is None:
                raise InputError(f"halt: scope: no exchange or instrument {fault.scope}")
