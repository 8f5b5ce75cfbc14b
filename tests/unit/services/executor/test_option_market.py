import math
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from libs.events.codec import decode, encode
from libs.market.calendar import load_calendar
from services.executor.domain.option_market import OptionMarket
from tests.unit.services.executor.builders import (
    DAY,
    EXPIRY,
    INDEX_TOKEN,
    MONTHLY,
    NEXT_DAY,
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


def spot_of(made: OptionMarket, underlying: str) -> float | None:
    spot = made.spot(underlying)
    return None if spot is None else spot.price


def test_each_listed_expiry_has_its_chain() -> None:
    made = market(MONTHLY, EXPIRY)
    assert made.expiries("NIFTY", DAY) == (EXPIRY, MONTHLY)
    for expiry in (EXPIRY, MONTHLY):
        chain = made.chain("NIFTY", expiry)
        assert {one.expiry for one in chain.contracts} == {expiry}
        assert len(chain.contracts) == 2 * len(STRIKES)
    with pytest.raises(KeyError):
        made.chain("NIFTY", date(2026, 6, 23))


def test_expired_contracts_are_never_chosen() -> None:
    assert market().expiries("NIFTY", date(2026, 6, 17)) == ()


def test_the_chain_is_what_is_listed_today() -> None:
    made = market()
    for event in (listed(index(), NEXT_DAY), listed(option(26_000.0), NEXT_DAY)):
        made.list_instrument(event)
    assert [one.strike for one in made.chain("NIFTY", EXPIRY).contracts] == [26_000.0]
    made.list_instrument(listed(option(25_000.0), DAY))
    assert [one.strike for one in made.chain("NIFTY", EXPIRY).contracts] == [26_000.0]
    assert made.day == NEXT_DAY


def test_a_token_that_is_used_again_begins_without_the_quote_of_its_former_contract() -> None:
    made = market()
    made.on_ticks(ticks(chain_rows()))
    assert made.quotes.quote(token_of(25_000.0)) is not None
    again = replace(option(30_000.0), instrument_token=token_of(25_000.0))
    made.list_instrument(listed(again, NEXT_DAY))
    assert made.expiries("NIFTY", NEXT_DAY) == (EXPIRY,)
    assert made.quotes.quote(token_of(25_000.0)) is None


def test_what_is_held_from_an_earlier_day_is_still_quoted() -> None:
    made = market()
    made.on_ticks(ticks(chain_rows()))
    made.list_instrument(listed(index(), NEXT_DAY))
    made.on_ticks(ticks([Row(token_of(25_000.0), 90.0)]))
    quote = made.quotes.quote(token_of(25_000.0))
    assert quote is not None
    assert quote.last_price == 90.0


def test_the_spot_is_the_indexs_last_price_under_the_name_of_its_options() -> None:
    made = market()
    assert made.spot("NIFTY") is None
    made.on_ticks(ticks([Row(INDEX_TOKEN, 25_123.0)]))
    assert spot_of(made, "NIFTY") == 25_123.0
    assert made.spot("SBIN") is None


def test_instruments_listed_together_have_quotes_at_once() -> None:
    made = market()
    made.list_all([option(26_000.0), index()])
    made.quotes.update([token_of(26_000.0), INDEX_TOKEN], [NOW, NOW], last_price=[12.0, 25_100.0])
    quote = made.quotes.quote(token_of(26_000.0))
    assert quote is not None
    assert quote.last_price == 12.0
    assert spot_of(made, "NIFTY") == 25_100.0


def test_instruments_listed_later_join_those_known() -> None:
    made = market()
    made.on_ticks(ticks(chain_rows()))
    made.list_instrument(listed(index("NIFTY BANK", 260_105)))
    made.list_instrument(listed(replace(option(52_000), name="BANKNIFTY", tradingsymbol="BN")))
    made.on_ticks(ticks([Row(260_105, 52_010.0)]))
    assert spot_of(made, "BANKNIFTY") == 52_010.0
    assert spot_of(made, "NIFTY") == SPOT


@pytest.mark.parametrize(
    ("expiry", "at_ms"),
    [(EXPIRY, at(15, 30, day=EXPIRY)), (date(2026, 6, 14), NOW), (date(2031, 6, 10), NOW)],
)
def test_a_chain_has_no_value_after_its_expiry_or_without_a_known_session(
    expiry: date, at_ms: int
) -> None:
    made = market(expiry)
    assert made.view(made.chain("NIFTY", expiry), SPOT, at_ms) is None


def test_greeks_come_back_from_the_prices_they_were_made_of() -> None:
    made = market()
    made.on_ticks(ticks(chain_rows(volatility=0.13)))
    view = made.view(made.chain("NIFTY", EXPIRY), SPOT, NOW)
    assert view is not None
    near = abs(view.strike - SPOT) <= 100
    assert view.implied_volatility[near] == pytest.approx(0.13, abs=0.002)
    assert abs(view.delta[near]) == pytest.approx(0.5, abs=0.15)


def test_quotes_past_their_budget_have_no_part_in_forward_and_volatility() -> None:
    made = market()
    made.on_ticks(ticks(chain_rows(), quoted_ms=NOW - 20_000))
    shifted = [replace(row, bid_price=0.0) for row in chain_rows()]
    made.on_ticks(ticks(shifted[:8]))
    view = made.view(made.chain("NIFTY", EXPIRY), SPOT, NOW, 15_000)
    assert view is not None
    assert np.isnan(view.mid).all()
    assert view.forward == pytest.approx(SPOT * math.exp(0.06 * view.years))
    assert not np.isnan(made.view(made.chain("NIFTY", EXPIRY), SPOT, NOW, 20_000).mid).all()  # type: ignore[union-attr]  # it is quoted


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


def test_the_end_of_the_calendar_is_told_weeks_ahead() -> None:
    made = market()
    assert made.calendar_warning(date(2026, 11, 19)) is None
    warning = made.calendar_warning(date(2026, 11, 20))
    assert warning is not None
    assert "ends on 2026-12-31, 41 days from now" in warning
