"""Rows of dumps of which the simulated market has none: futures, BFO, MCX."""

from datetime import date
from decimal import Decimal

from libs.market.calendar import load_calendar
from libs.market.instruments import Instrument
from libs.market.rulebook import load_rulebook
from services.simulator.domain.market.synthetic import SyntheticMarket

DAY = date(2026, 6, 17)
JUNE, JULY, AUGUST = date(2026, 6, 30), date(2026, 7, 28), date(2026, 8, 25)
OF_MCX = {"NFO": 2, "BFO": 5, "MCX": 7}
NSE_DUMP = SyntheticMarket(7, DAY, load_calendar(), load_rulebook()).instruments


def make_contract(
    exchange: str,
    name: str,
    expiry: date,
    kind: str = "FUT",
    strike: float = 0.0,
    tradingsymbol: str = "",
    lot_size: int = 100,
) -> Instrument:
    symbol = tradingsymbol or f"{name}{expiry:%y%b%d}{strike or ''}{kind}".upper()
    number = hash_of(f"{exchange}{symbol}")
    return Instrument(
        instrument_token=(number << 8) + OF_MCX[exchange],
        exchange_token=number,
        tradingsymbol=symbol,
        name=name,
        last_price=0.0,
        expiry=expiry,
        strike=strike,
        tick_size=Decimal(1),
        lot_size=lot_size,
        instrument_type=kind,
        segment=f"{exchange}-{'FUT' if kind == 'FUT' else 'OPT'}",
        exchange=exchange,
    )


def hash_of(text: str) -> int:
    """Return a number below 2**22 that depends on the text alone."""
    number = 0
    for one in text.encode():
        number = (number * 131 + one) % 4_194_301
    return number


def futures(exchange: str, *names: str) -> list[Instrument]:
    return [make_contract(exchange, name, at) for name in names for at in (JUNE, JULY, AUGUST)]


CRUDE_JUNE, CRUDE_JULY = date(2026, 6, 18), date(2026, 7, 20)
CRUDE_OPTIONS = date(2026, 6, 16), date(2026, 7, 16)


def crude() -> list[Instrument]:
    """Crude oil: two futures, and options of two expiries, each two days before its future's."""
    options = [
        make_contract("MCX", "CRUDEOIL", expiry, kind, strike)
        for expiry in CRUDE_OPTIONS
        for strike in range(5500, 6600, 100)
        for kind in ("CE", "PE")
    ]
    return [make_contract("MCX", "CRUDEOIL", at) for at in (CRUDE_JUNE, CRUDE_JULY)] + options
