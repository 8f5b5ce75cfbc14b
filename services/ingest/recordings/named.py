"""What is said of instruments beside the files, and used where these do not say it."""

from dataclasses import dataclass
from datetime import date

from libs.market.instruments import Instrument

EXCHANGE = "NSE"
EXCHANGES = ("NSE", "NFO", "BSE", "BFO", "MCX")


@dataclass(frozen=True, slots=True)
class Named:
    """Symbol, exchange and expiry of recorded instruments, and a dump of Kite that lists them."""

    symbol: str | None = None
    exchange: str | None = None
    expiry: date | None = None
    dump: tuple[Instrument, ...] = ()


NOTHING = Named()
