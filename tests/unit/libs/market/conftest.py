"""Contracts made for tests, and the folder of recorded market data when it is there."""

import os
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from libs.market.calendar import Calendar, load_calendar
from libs.market.instruments import Instrument
from libs.market.rulebook import Rulebook, load_rulebook

REPOSITORY = Path(__file__).parents[4]


@pytest.fixture(scope="session")
def recorded() -> Callable[[str], Path]:
    """Path of a recorded file; skips the test where the data folder is absent."""
    default = REPOSITORY.parent / "shared" / "data"
    folder = Path(os.environ.get("ALPHASTOCKS_RECORDED_DATA", default))

    def path(name: str) -> Path:
        if not (folder / name).exists():
            pytest.skip(f"recorded market data is absent: {name}; set ALPHASTOCKS_RECORDED_DATA")
        return folder / name

    return path


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
