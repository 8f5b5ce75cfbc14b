from dataclasses import replace
from datetime import date

import pytest

from libs.events.codec import decode, encode
from libs.market.calendar import load_calendar
from services.executor.domain.option_market import OptionMarket
from tests.unit.services.executor.builders import (
    DAY,
    EXPIRY,
    INDEX_TOKEN,
    MONTHLY,
    NOW,
    SPOT,
    STRIKES,
    Row,
    at,
    chain_listed,
    chain_rows,
    index,
    listed,
    option,
    ticks,
    token_of,
)


def market(*expiries: date) -> OptionMarket:
    made = OptionMarket(load_calendar(), 0.06)
    for expiry in expiries or (EXPIRY,):
        for event in chain_listed(expiry):
            made.list_instrument(event)
    return made


def test_weekly_is_the_nearest_expiry_and_monthly_the_last_of_its_month() -> None:
    made = market(MONTHLY, EXPIRY)
    for expiry, preference in ((EXPIRY, "weekly"), (MONTHLY, "monthly")):
        contracts = made.contracts("NIFTY", preference, DAY)  # type: ignore[arg-type]  # both are
        assert {one.expiry for one in contracts.values()} == {expiry}
        assert len(contracts) == 2 * len(STRIKES)


def test_expired_contracts_are_never_chosen() -> None:
    assert market().contracts("NIFTY", "weekly", date(2026, 6, 17)) == {}


def test_the_spot_is_the_indexs_last_price_under_the_name_of_its_options() -> None:
    made = market()
    assert made.spot("NIFTY", 24_000.0) == 24_000.0
    made.on_ticks(ticks([Row(INDEX_TOKEN, 25_123.0)]))
    assert made.spot("NIFTY", 24_000.0) == 25_123.0
    assert made.spot("SBIN", 800.0) == 800.0


def test_instruments_listed_together_have_quotes_at_once() -> None:
    made = market()
    made.list_all([option(26_000.0), index()])
    made.quotes.update([token_of(26_000.0), INDEX_TOKEN], [NOW, NOW], last_price=[12.0, 25_100.0])
    quote = made.quotes.quote(token_of(26_000.0))
    assert quote is not None
    assert quote.last_price == 12.0
    assert made.spot("NIFTY", 24_000.0) == 25_100.0


def test_instruments_listed_later_join_those_known() -> None:
    made = market()
    made.on_ticks(ticks(chain_rows()))
    made.list_instrument(listed(index("NIFTY BANK", 260_105)))
    made.list_instrument(listed(replace(option(52_000), name="BANKNIFTY", tradingsymbol="BN")))
    made.on_ticks(ticks([Row(260_105, 52_010.0)]))
    assert made.spot("BANKNIFTY", 0.0) == 52_010.0
    assert made.spot("NIFTY", 0.0) == SPOT


@pytest.mark.parametrize(
    ("expiry", "at_ms"),
    [(EXPIRY, at(15, 30, day=EXPIRY)), (date(2026, 6, 14), NOW), (date(2031, 6, 10), NOW)],
)
def test_a_chain_has_no_value_after_its_expiry_or_without_a_known_session(
    expiry: date, at_ms: int
) -> None:
    made = market(expiry)
    contracts = made.contracts("NIFTY", "weekly", expiry)
    assert contracts
    assert made.view(contracts, SPOT, at_ms) is None


def test_greeks_come_back_from_the_prices_they_were_made_of() -> None:
    made = market()
    made.on_ticks(ticks(chain_rows(volatility=0.13)))
    view = made.view(made.contracts("NIFTY", "weekly", DAY), SPOT, NOW)
    assert view is not None
    near = abs(view.strike - SPOT) <= 100
    assert view.implied_volatility[near] == pytest.approx(0.13, abs=0.002)
    assert abs(view.delta[near]) == pytest.approx(0.5, abs=0.15)


def test_a_snapshot_is_taken_once_a_minute_of_a_chain_that_is_quoted() -> None:
    made = market()
    assert not list(made.snapshots(NOW, DAY))
    made.on_ticks(ticks(chain_rows(NOW + 60_000), at_ms=NOW + 60_000))
    (snapshot,) = made.snapshots(NOW + 60_000, DAY)
    assert (snapshot.underlying, snapshot.expiry, snapshot.spot) == ("NIFTY", EXPIRY, SPOT)
    assert len(snapshot.strike) == 2 * len(STRIKES)
    assert list(made.snapshots(NOW + 119_999, DAY)) == []


def test_a_chain_whose_quotes_stopped_is_not_snapped_again() -> None:
    made = market()
    made.on_ticks(ticks(chain_rows()))
    assert len(list(made.snapshots(NOW, DAY))) == 1
    assert list(made.snapshots(NOW + 120_000, DAY)) == []


def test_a_snapshot_with_gaps_reads_back_as_it_was_written() -> None:
    made = market()
    rows = [replace(row, bid_price=0.0) for row in chain_rows() if row.instrument_token % 2]
    made.on_ticks(ticks([*rows, Row(INDEX_TOKEN, SPOT)]))
    (snapshot,) = made.snapshots(NOW, DAY)
    assert None in snapshot.implied_volatility
    assert 0.0 in snapshot.last_price
    assert decode("option_chains", encode(snapshot)) == snapshot


def test_tokens_of_one_chain_differ() -> None:
    tokens = {token_of(k, kind) for k in STRIKES for kind in ("CE", "PE")}
    assert len(tokens) == 2 * len(STRIKES)
