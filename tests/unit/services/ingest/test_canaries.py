"""Which silence tells that a connection is dead, by what it follows and the time of day."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, time

import pytest

from libs.events.event import ms_from_utc
from libs.market.calendar import IST, load_calendar
from libs.market.instruments import Instrument
from libs.market.rulebook import load_rulebook
from services.ingest.domain.canaries import LIVELY_MS, QUIET_MS, Canaries
from services.simulator.domain.market.synthetic import SyntheticMarket

BEFORE, AFTER = date(2026, 6, 17), date(2026, 8, 5)
"""Without a closing auction, and with one."""


def market(day: date) -> SyntheticMarket:
    return SyntheticMarket(7, day, load_calendar(), load_rulebook())


def patience(day: date, at: str, chosen: Iterable[Instrument] | None = None) -> int:
    listed = market(day).instruments
    followed = listed if chosen is None else chosen
    at_ms = ms_from_utc(_at(day, at))
    canaries = Canaries.of(listed, load_calendar(), day)
    return canaries.patience_ms(canaries.weighed([one.instrument_token for one in followed]), at_ms)


def _at(day: date, at: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(at), IST)


def only(day: date, *types: str, count: int = 1000, is_index: bool = False) -> list[Instrument]:
    listed = market(day).instruments
    kept = [one for one in listed if one.instrument_type in types and one.is_index == is_index]
    return kept[:count]


@pytest.mark.parametrize(
    ("at", "expected"),
    [("09:14:59", 0), ("09:15:00", LIVELY_MS), ("15:29:59", LIVELY_MS), ("15:30:00", 0)],
)
def test_an_index_is_quoted_each_second_of_its_session(at: str, expected: int) -> None:
    assert patience(BEFORE, at, only(BEFORE, "EQ", is_index=True, count=1)) == expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [("15:14:59", LIVELY_MS), ("15:15:00", 0), ("15:30:00", 0), ("15:39:59", 0)],
)
def test_in_the_closing_auction_nothing_is_expected_of_shares_and_indices(
    at: str, expected: int
) -> None:
    cash = [one for one in market(AFTER).instruments if one.expiry is None]
    assert patience(AFTER, at, cash) == expected


@pytest.mark.parametrize(
    ("at", "expected"), [("15:20:00", LIVELY_MS), ("15:39:59", LIVELY_MS), ("15:40:00", 0)]
)
def test_options_are_canaries_until_their_own_close(at: str, expected: int) -> None:
    assert patience(AFTER, at, only(AFTER, "CE", "PE", count=40)) == expected


def test_few_options_or_shares_may_be_quiet_for_longer() -> None:
    assert patience(BEFORE, "10:00:00", only(BEFORE, "CE", count=5)) == QUIET_MS
    assert patience(BEFORE, "10:00:00", only(BEFORE, "EQ", count=1)) == QUIET_MS
    assert patience(BEFORE, "10:00:00", only(BEFORE, "EQ", count=6)) == LIVELY_MS


def test_shares_without_options_are_canaries_if_they_are_many() -> None:
    (share,) = only(BEFORE, "EQ", count=1)
    bare = [
        replace(share, instrument_token=(number << 8) + 1, tradingsymbol=f"SHARE{number}")
        for number in range(60)
    ]
    canaries = Canaries.of(bare, load_calendar(), BEFORE)
    tokens, at_ms = [one.instrument_token for one in bare], ms_from_utc(_at(BEFORE, "10:00:00"))
    assert canaries.patience_ms(canaries.weighed(tokens[:59]), at_ms) == QUIET_MS
    assert canaries.patience_ms(canaries.weighed(tokens), at_ms) == LIVELY_MS


def test_of_what_is_no_canary_nothing_is_expected() -> None:
    assert patience(BEFORE, "10:00:00", []) == 0
