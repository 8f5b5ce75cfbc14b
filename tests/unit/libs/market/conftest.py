"""Contracts made for tests."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest

from libs.market.calendar import Calendar, load_calendar
from libs.market.instruments import Instrument
from libs.market.rulebook import Rulebook, load_rulebook


@pytest.fixture(scope="session")
def calendar() -> Calendar:
    return load_calendar()


@pytest.fixture(scope="session")
def rulebook() -> Rulebook:
    return load_rulebook()


@pytest.fixture(scope="session")
def make_option() -> Callable[..., Instrument]:
    def make(
        token: int,
        strike: float = 25_000,
        instrument_type: str = "CE",
        expiry: date | None = date(2025, 10, 14),
        name: str = "NIFTY",
    ) -> Instrument:
        return Instrument(
            instrument_token=token,
            exchange_token=token >> 8,
            tradingsymbol=f"{name}{expiry}{strike:g}{instrument_type}",
            name=name,
            last_price=0.0,
            expiry=expiry,
            strike=strike,
            tick_size=Decimal("0.05"),
            lot_size=75,
            instrument_type=instrument_type,
            segment="NFO-OPT",
            exchange="NFO",
        )

    return make
