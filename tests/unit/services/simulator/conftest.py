from datetime import date

import pytest

from libs.market.calendar import Calendar, load_calendar
from libs.market.rulebook import Rulebook, load_rulebook
from services.simulator.domain.market.synthetic import SyntheticMarket
from services.simulator.domain.market.underlyings import DEFAULT_UNIVERSE, UnderlyingSpec

DAY = date(2026, 6, 10)
SEED = 7


@pytest.fixture(scope="session")
def calendar() -> Calendar:
    return load_calendar()


@pytest.fixture(scope="session")
def rulebook() -> Rulebook:
    return load_rulebook()


@pytest.fixture(scope="session")
def market(calendar: Calendar, rulebook: Rulebook) -> SyntheticMarket:
    return SyntheticMarket(SEED, DAY, calendar, rulebook)


@pytest.fixture(scope="session")
def stock() -> UnderlyingSpec:
    return next(spec for spec in DEFAULT_UNIVERSE if spec.tradingsymbol == "RELIANCE")


@pytest.fixture(scope="session")
def index() -> UnderlyingSpec:
    return next(spec for spec in DEFAULT_UNIVERSE if spec.tradingsymbol == "NIFTY 50")
