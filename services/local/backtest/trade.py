"""A trade of a backtest: one entry and one exit."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal
from uuid import UUID

from libs.events.signals import Action
from libs.market.charges import TransactionType

ExitReason = Literal[
    "stop_loss",
    "target",
    "opposite_signal",
    "square_off",
    "expiry",
    "holding_time",
    "booking",
    "trailing_stop",
    "stop_to_cost",
    "end_of_data",
]
PricedBy = Literal["candles", "model", "recorded"]
"""What prices come from: the candles themselves, the model of options, or recorded chains."""


@dataclass(frozen=True, slots=True)
class Trade:
    """What a signal led to. Prices are rupees (index points), quantity units, times epoch ms.

    `instrument` is what the signal is on, `exchange:tradingsymbol` what was traded: the same, or an
    option contract. `transaction_type` is that of the entry. `charges` are of both sides, in
    rupees. `adverse` and `favourable` are the farthest that the price went against and for the
    trade, rupees a unit, 0 or more.
    """

    signal_id: UUID
    strategy: str
    instrument: str
    action: Action
    exchange: str
    tradingsymbol: str
    transaction_type: TransactionType
    quantity: int
    entered_ms: int
    entry_price: Decimal
    exited_ms: int
    exit_price: Decimal
    reason: ExitReason
    charges: Decimal
    adverse: Decimal
    favourable: Decimal
    priced_by: PricedBy = "candles"

    @property
    def gross(self) -> Decimal:
        """Profit before charges, rupees; a loss is negative."""
        rise = self.exit_price - self.entry_price
        return self.quantity * (rise if self.transaction_type == "BUY" else -rise)

    @property
    def net(self) -> Decimal:
        """Profit after charges, rupees."""
        return self.gross - self.charges
