"""The shares of benches."""

from datetime import date
from decimal import Decimal

from libs.events.instruments import InstrumentListed
from libs.market.calendar import load_calendar
from libs.market.instruments import Instrument
from services.ingest.domain.listing import listed

DAY = date(2026, 6, 17)
OPEN_MS = load_calendar().sessions("NSE", DAY)[0].open_ms


def share(instrument_token: int, tradingsymbol: str = "") -> Instrument:
    """Return a share of NSE, by default named after its exchange token."""
    name = tradingsymbol or f"S{instrument_token >> 8}"
    return Instrument(
        instrument_token=instrument_token,
        exchange_token=instrument_token >> 8,
        tradingsymbol=name,
        name=name,
        last_price=100.0,
        expiry=None,
        strike=0.0,
        tick_size=Decimal("0.05"),
        lot_size=1,
        instrument_type="EQ",
        segment="NSE",
        exchange="NSE",
    )


def listed_share(instrument_token: int) -> InstrumentListed:
    """Return the listing of a share on DAY."""
    return listed(share(instrument_token), DAY, OPEN_MS)
