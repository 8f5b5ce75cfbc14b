"""Options trade in the hours of the exchange that lists them: NFO, BFO or MCX."""

from dataclasses import replace
from datetime import date

import pytest

from libs.market.calendar import load_calendar
from libs.market.option_chain import Chain
from services.executor.domain.expiry_choice import choose_chain
from services.executor.domain.option_market import OptionMarket
from services.executor.domain.policy import ChainFilter, EntryFilter, Refusal
from tests.unit.services.executor.builders import DAY, STRIKES, at, listed, option

OUTAGE = date(2021, 2, 24)
"""NSE stopped at 11:40 and went on from 15:45; BSE traded on until 17:00."""


def market_of(exchange: str, name: str, expiry: date, day: date = DAY) -> OptionMarket:
    made = OptionMarket(load_calendar(), 0.06)
    for strike in STRIKES:
        contract = option(strike, expiry=expiry)
        contract = replace(contract, exchange=exchange, name=name, segment=f"{exchange}-OPT")
        made.list_instrument(listed(contract, day))
    return made


@pytest.mark.parametrize(
    ("exchange", "day", "time", "is_open"),
    [
        ("NFO", OUTAGE, (12, 0), False),
        ("BFO", OUTAGE, (12, 0), True),
        ("BFO", OUTAGE, (17, 0), False),
        ("NFO", date(2026, 8, 3), (15, 39), True),
        ("BFO", date(2026, 8, 3), (15, 39), True),
        ("BFO", date(2026, 7, 31), (15, 39), False),
        ("MCX", DAY, (9, 0), True),
        ("NFO", DAY, (9, 0), False),
        ("MCX", DAY, (23, 29), True),
        ("NFO", DAY, (23, 29), False),
        ("MCX", date(2026, 6, 26), (12, 0), False),
        ("MCX", date(2026, 6, 26), (17, 0), True),
        ("CDS", DAY, (12, 0), False),
        ("BFO", date(2027, 6, 10), (12, 0), False),
    ],
)
def test_contracts_are_open_while_their_own_exchange_is(
    exchange: str, day: date, time: tuple[int, int], is_open: bool
) -> None:
    made = OptionMarket(load_calendar(), 0.06)
    assert made.is_open(exchange, at(*time, day=day)) == is_open


@pytest.mark.parametrize(
    ("exchange", "name", "now", "is_over"),
    [
        ("NFO", "NIFTY", (15, 28), False),
        ("NFO", "NIFTY", (15, 30), True),
        ("BFO", "SENSEX", (15, 28), False),
        ("BFO", "SENSEX", (15, 30), True),
        ("MCX", "NIFTY", (20, 0), False),  # an index's name: a commodity is settled otherwise
        ("MCX", "NIFTY", (23, 30), True),
    ],
)
def test_an_expiry_is_over_when_its_own_exchange_closes(
    exchange: str, name: str, now: tuple[int, int], is_over: bool
) -> None:
    made = market_of(exchange, name, expiry=DAY)
    entry = EntryFilter(before_expiry_ms=60_000)
    chosen = choose_chain(made, name, DAY, at(*now), ChainFilter(), entry)
    assert made.exchange_of(name) == exchange
    if is_over:
        assert isinstance(chosen, Refusal)
        assert chosen.reason == "expiry_is_over"
    else:
        assert isinstance(chosen, Chain)
        assert chosen.exchange == exchange
        assert made.view(chosen, 25_000.0, at(*now)) is not None


def test_an_underlying_without_options_is_taken_for_one_of_nfo() -> None:
    assert market_of("BFO", "SENSEX", DAY).exchange_of("WIPRO") == "NFO"
