"""Events about what can be traded: listed instruments and option chains."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict

from libs.events.event import Event
from libs.market.instruments import Instrument


def eight_bytes(token: int) -> int:
    """Return an instrument_token; raise ValueError for one that no column can hold."""
    if not 0 <= token < 2**63:
        raise ValueError(f"no column holds the instrument_token {token}")
    return token


class InstrumentListed(Event):
    """An instrument of the trading day, in the columns of Kite's dump."""

    type: Literal["InstrumentListed"] = "InstrumentListed"
    instrument_token: Annotated[int, AfterValidator(eight_bytes)]
    exchange_token: int
    tradingsymbol: str
    name: str
    expiry: date | None
    strike: float
    tick_size: Decimal
    lot_size: int
    instrument_type: str
    segment: str
    exchange: str

    def instrument(self) -> Instrument:
        """Return the row of the dump, without a price."""
        return Instrument(
            instrument_token=self.instrument_token,
            exchange_token=self.exchange_token,
            tradingsymbol=self.tradingsymbol,
            name=self.name,
            last_price=0.0,
            expiry=self.expiry,
            strike=self.strike,
            tick_size=self.tick_size,
            lot_size=self.lot_size,
            instrument_type=self.instrument_type,
            segment=self.segment,
            exchange=self.exchange,
        )


class Contract(BaseModel):
    """The option contract of an order."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    exchange: str
    tradingsymbol: str
    instrument_token: int
    underlying: str
    expiry: date
    strike: float
    instrument_type: Literal["CE", "PE"]
    lot_size: int
    tick_size: Decimal

    @classmethod
    def of(cls, instrument: Instrument) -> Self:
        """Return the contract of an option's row in the dump."""
        return cls(
            exchange=instrument.exchange,
            tradingsymbol=instrument.tradingsymbol,
            instrument_token=instrument.instrument_token,
            underlying=instrument.name,
            expiry=instrument.expiry,
            strike=instrument.strike,
            instrument_type=instrument.instrument_type,
            lot_size=instrument.lot_size,
            tick_size=instrument.tick_size,
        )


class ChainSnapshot(Event):
    """Quotes, implied volatility and greeks of one underlying and expiry, in columns.

    IV and greeks are None if no volatility explains the premium. Theta is per day, vega per
    1 % of volatility, rho per 1 % of rate.
    """

    type: Literal["ChainSnapshot"] = "ChainSnapshot"
    underlying: str
    expiry: date
    spot: float
    forward: float
    instrument_token: tuple[int, ...]
    tradingsymbol: tuple[str, ...]
    strike: tuple[float, ...]
    instrument_type: tuple[str, ...]
    last_price: tuple[float, ...]
    bid_price: tuple[float, ...]
    bid_quantity: tuple[int, ...]
    ask_price: tuple[float, ...]
    ask_quantity: tuple[int, ...]
    volume: tuple[int, ...]
    oi: tuple[int, ...]
    implied_volatility: tuple[float | None, ...]
    delta: tuple[float | None, ...]
    gamma: tuple[float | None, ...]
    theta: tuple[float | None, ...]
    vega: tuple[float | None, ...]
    rho: tuple[float | None, ...]
