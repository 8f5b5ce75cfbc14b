"""What happens to the account without its client's doing."""

from decimal import Decimal
from typing import Literal

from pydantic import Field, model_validator

from services.simulator.domain.faults.base import AnyFault
from services.simulator.domain.faults.order_kinds import ChosenOrders


class TradeByHand(AnyFault):
    """The user places an order by hand, without a tag; with a price it may rest."""

    kind: Literal["trade_by_hand"]
    exchange: Literal["NSE", "NFO", "BSE", "BFO"] = "NFO"
    tradingsymbol: str
    transaction_type: Literal["BUY", "SELL"]
    quantity: int = Field(ge=1)
    product: Literal["NRML", "MIS", "CNC"] = "NRML"
    price: Decimal | None = Field(None, gt=0)
    trigger_price: Decimal | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _has_a_limit(self) -> "TradeByHand":
        if self.trigger_price is not None and self.price is None:
            raise ValueError("a trigger_price needs a price")
        return self

    @property
    def key(self) -> tuple[str, str]:
        """Exchange and tradingsymbol."""
        return self.exchange, self.tradingsymbol

    def form(self) -> dict[str, str]:
        """Return the fields of the order; without a price it is a protected market order."""
        order_type = "MARKET" if self.price is None else "LIMIT"
        order_type = "SL" if self.trigger_price is not None else order_type
        given = self.model_dump(mode="json", exclude_none=True, exclude={"kind", "at"})
        asked = {name: str(value) for name, value in given.items()}
        return asked | {"order_type": order_type, "market_protection": "-1"}


class CancelByHand(ChosenOrders):
    """The user cancels the working orders that have all the values that are given."""

    kind: Literal["cancel_by_hand"]


class SquareOffNow(AnyFault):
    """The broker closes the MIS positions of an exchange, or of all, before its usual time."""

    kind: Literal["square_off"]
    exchange: Literal["NSE", "NFO", "BSE", "BFO"] | None = None


class SetFunds(AnyFault):
    """The account's cash becomes so many rupees; too little of it is a margin shortfall."""

    kind: Literal["set_funds"]
    rupees: Decimal = Field(ge=0)


class TradeIds(AnyFault):
    """Trade ids become those of the exchanges: each counts from `first` on, anew each day.

    Or `unique` ones: the day and a count of all exchanges.
    """

    kind: Literal["trade_ids"]
    numbering: Literal["exchange", "unique"] = "exchange"
    first: int = Field(1, ge=1)


class EndSession(AnyFault):
    """The session ends now; websockets stay open."""

    kind: Literal["end_session"]


AccountFault = TradeByHand | CancelByHand | SquareOffNow | SetFunds | TradeIds | EndSession
