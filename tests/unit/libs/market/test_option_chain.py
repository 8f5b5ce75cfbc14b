import csv
import gzip
import math
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.market.calendar import IST, load_calendar
from libs.market.greeks import price
from libs.market.instruments import Instrument
from libs.market.option_chain import (
    ChainView,
    atm_strike,
    chain_view,
    nearest_expiry,
    strikes_from_atm,
)
from libs.market.quotes import QuoteBook

MakeOption = Callable[..., Instrument]
Row = dict[str, str]

AT_MS = 1_760_000_000_000
CLOSE_MS = AT_MS + 5 * 24 * 3600 * 1000
YEARS = 5 / 365
STRIKES = [24_900.0, 24_950.0, 25_000.0, 25_050.0, 25_100.0]


@pytest.fixture
def contracts(make_option: MakeOption) -> list[Instrument]:
    kinds = [(strike, kind) for strike in STRIKES for kind in ("PE", "CE")]
    return [make_option(i, strike, kind) for i, (strike, kind) in enumerate(kinds, start=1)]


def fair_quotes(contracts: list[Instrument], forward: float, spread: float = 1.0) -> QuoteBook:
    tokens = [contract.instrument_token for contract in contracts]
    strike = [contract.strike for contract in contracts]
    is_call = [contract.instrument_type == "CE" for contract in contracts]
    mid = price(forward, strike, YEARS, 0.06, 0.12, is_call)
    book = QuoteBook(tokens)
    bid, ask = mid - spread / 2, mid + spread / 2
    book.update(tokens, [AT_MS - 1] * len(tokens), last_price=mid, bid_price=bid, ask_price=ask)
    return book


def test_a_chain_is_in_order_of_strike_with_the_call_first(contracts: list[Instrument]) -> None:
    book = fair_quotes(contracts, 25_020)
    view = chain_view(contracts[::-1], book, 25_010, AT_MS, CLOSE_MS)
    assert len(view) == 10
    assert view.strike.tolist() == sorted(STRIKES * 2)
    assert view.is_call.tolist() == [True, False] * 5
    assert view.instrument_token.tolist() == [2, 1, 4, 3, 6, 5, 8, 7, 10, 9]
    assert (view.underlying, view.expiry) == ("NIFTY", date(2025, 10, 14))
    assert (view.spot, view.at_ms, view.years) == (25_010, AT_MS, YEARS)
    assert view.quoted_at_ms.tolist() == [AT_MS - 1] * 10


def test_fair_quotes_give_their_forward_and_volatility_back(contracts: list[Instrument]) -> None:
    view = chain_view(contracts, fair_quotes(contracts, 25_020), 25_010, AT_MS, CLOSE_MS)
    assert view.forward == pytest.approx(25_020)
    assert view.implied_volatility == pytest.approx([0.12] * 10)
    assert view.mid == pytest.approx(view.last_price)
    assert view.spread_fraction == pytest.approx(1 / view.mid)
    assert (np.sign(view.delta) == np.where(view.is_call, 1, -1)).all()


def test_wide_quotes_leave_the_forward_to_the_spot(contracts: list[Instrument]) -> None:
    book = fair_quotes(contracts, 25_200, spread=50)
    view = chain_view(contracts, book, 25_010, AT_MS, CLOSE_MS)
    assert view.forward == pytest.approx(25_010 * math.exp(0.06 * YEARS))


def test_a_contract_without_a_two_sided_quote_has_no_values(contracts: list[Instrument]) -> None:
    book = fair_quotes(contracts, 25_020)
    book.update([6], [AT_MS], bid_price=[0.0])
    book.register([99])
    view = chain_view(contracts, book, 25_010, AT_MS, CLOSE_MS)
    missing = view.instrument_token == 6
    for column in (view.mid, view.spread_fraction, view.implied_volatility, view.delta, view.rho):
        np.testing.assert_array_equal(np.isnan(column), missing)
    assert view.forward == pytest.approx(25_020)


def test_a_chain_without_any_quote_is_all_nan(contracts: list[Instrument]) -> None:
    view = chain_view(contracts, QuoteBook(), 25_010, AT_MS, CLOSE_MS)
    assert np.isnan(view.implied_volatility).all()
    assert view.quoted_at_ms.tolist() == [0] * 10


def test_after_the_close_of_expiry_nothing_is_valued(contracts: list[Instrument]) -> None:
    book = fair_quotes(contracts, 25_020)
    view = chain_view(contracts, book, 25_010, CLOSE_MS + 1, CLOSE_MS)
    assert np.isnan(view.implied_volatility).all()
    assert np.isnan(view.theta).all()


def test_a_call_without_its_put_does_not_count_for_parity(make_option: MakeOption) -> None:
    calls = [make_option(i, strike) for i, strike in enumerate(STRIKES, start=1)]
    view = chain_view(calls, fair_quotes(calls, 25_500), 25_010, AT_MS, CLOSE_MS)
    assert view.forward == pytest.approx(25_010 * math.exp(0.06 * YEARS))


def test_contracts_of_several_chains_or_none_are_refused(make_option: MakeOption) -> None:
    wrong = [
        [],
        [make_option(1), make_option(2, name="BANKNIFTY")],
        [make_option(1), make_option(2, expiry=date(2025, 10, 28))],
        [make_option(1), make_option(2, instrument_type="FUT")],
    ]
    for contracts in wrong:
        with pytest.raises(ValueError, match="one underlying and expiry"):
            chain_view(contracts, QuoteBook(), 25_010, AT_MS, CLOSE_MS)
    with pytest.raises(ValueError, match="have no expiry"):
        chain_view([make_option(1, expiry=None)], QuoteBook(), 25_010, AT_MS, CLOSE_MS)


@pytest.mark.parametrize(
    ("spot", "strike"), [(25_010, 25_000), (25_025, 25_000), (25_026, 25_050), (1, 24_900)]
)
def test_the_strike_at_the_money_is_the_nearest_and_of_two_the_lower(
    spot: float, strike: float
) -> None:
    assert atm_strike(STRIKES[::-1], spot) == strike


def test_no_strikes_have_none_at_the_money() -> None:
    with pytest.raises(ValueError, match="without strikes"):
        atm_strike([], 25_000)
    assert strikes_from_atm([], 25_000).size == 0


def test_distances_count_listed_strikes_not_points() -> None:
    strikes = [25_000, 25_000, 24_900, 25_500, 25_050]
    assert strikes_from_atm(strikes, 25_010).tolist() == [0, 0, -1, 2, 1]


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=30), st.floats(1, 1000))
def test_distances_rise_by_one_and_are_zero_at_the_money(strikes: list[int], spot: float) -> None:
    distance = strikes_from_atm(strikes, spot)
    by_strike = dict(zip(strikes, distance.tolist(), strict=True))
    assert by_strike[round(atm_strike(strikes, spot))] == 0
    in_order = [by_strike[strike] for strike in sorted(by_strike)]
    assert in_order == list(range(in_order[0], in_order[0] + len(in_order)))


EXPIRIES = [date(2025, 11, 25), date(2025, 10, 14), date(2025, 10, 28), date(2025, 10, 20)]


@pytest.mark.parametrize(
    ("on", "is_monthly", "expected"),
    [
        (date(2025, 10, 8), False, date(2025, 10, 14)),
        (date(2025, 10, 14), False, date(2025, 10, 14)),
        (date(2025, 10, 15), False, date(2025, 10, 20)),
        (date(2025, 10, 8), True, date(2025, 10, 28)),
        (date(2025, 10, 29), True, date(2025, 11, 25)),
        (date(2025, 11, 26), False, None),
        (date(2025, 11, 26), True, None),
    ],
)
def test_the_nearest_expiry_is_the_first_that_has_not_passed(
    on: date, is_monthly: bool, expected: date | None
) -> None:
    assert nearest_expiry(EXPIRIES, on, is_monthly=is_monthly) == expected


# NIFTY on 2025-08-29 as NSE published it: closed at 24,426.85, weekly expiry on 2025-09-02.
CLOSE_OF_DAY = 24_426.85
EXPIRY = date(2025, 9, 2)


@pytest.fixture(scope="module")
def snapshots(recorded: Callable[[str], Path]) -> dict[str, list[Row]]:
    by_time: dict[str, list[Row]] = {}
    name = "option_chain/NIFTY_2025-08-29_1min_snapshots.csv.gz"
    with gzip.open(recorded(name), "rt") as lines:
        for row in csv.DictReader(lines):
            if row["Expiry_Date"] == "02-Sep-2025":
                by_time.setdefault(row["Fetch_Time"], []).append(row)
    return by_time


def sides(rows: list[Row]) -> Iterator[tuple[float, str, str, Row]]:
    for row in rows:
        for kind, prefix in (("CE", "CALLS"), ("PE", "PUTS")):
            yield float(row["Strike_Price"]), kind, prefix, row


def recorded_view(
    rows: list[Row], make_option: MakeOption
) -> tuple[ChainView, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Chain of a snapshot, and the volatilities that NSE published with it."""
    listed = list(enumerate(sides(rows), start=1))
    fetched = datetime.strptime(rows[0]["Fetch_Time"], "%d-%b-%Y %H:%M:%S").replace(tzinfo=IST)
    at_ms = round(fetched.timestamp() * 1000)
    book = QuoteBook([token for token, _ in listed])
    for token, (_, _, prefix, row) in listed:
        bid, ask = float(row[f"{prefix}_Bid_Price"]), float(row[f"{prefix}_Ask_Price"])
        book.update([token], [at_ms], bid_price=[bid], ask_price=[ask])
    contracts = [make_option(token, k, kind, EXPIRY) for token, (k, kind, _, _) in listed]
    (session,) = load_calendar().sessions("NFO", EXPIRY)
    view = chain_view(contracts, book, CLOSE_OF_DAY, at_ms, session.close_ms)
    published = {token: float(row[f"{prefix}_IV"]) for token, (_, _, prefix, row) in listed}
    return view, np.array([published[token] for token in view.instrument_token.tolist()]) / 100


def test_the_recorded_forward_is_close_to_the_spot(
    snapshots: dict[str, list[Row]], make_option: MakeOption
) -> None:
    rows = list(snapshots.values())[-1]
    view, _ = recorded_view(rows, make_option)
    assert view.forward == pytest.approx(CLOSE_OF_DAY, rel=0.003)


def test_recorded_volatilities_are_close_to_those_the_exchange_published(
    snapshots: dict[str, list[Row]], make_option: MakeOption
) -> None:
    for rows in list(snapshots.values())[::50]:
        view, published = recorded_view(rows, make_option)
        near = np.abs(strikes_from_atm(view.strike, view.forward)) <= 6
        near &= (published > 0) & ~np.isnan(view.implied_volatility)
        difference = np.abs(view.implied_volatility - published)[near]
        assert near.sum() >= 4
        assert np.median(difference) < 0.006
        assert difference.max() < 0.013


def test_call_and_put_of_a_strike_have_nearly_the_same_recorded_volatility(
    snapshots: dict[str, list[Row]], make_option: MakeOption
) -> None:
    for rows in list(snapshots.values())[::50]:
        view, _ = recorded_view(rows, make_option)
        call, put = view.implied_volatility[::2], view.implied_volatility[1::2]
        near = np.abs(strikes_from_atm(view.strike[::2], view.forward)) <= 4
        assert np.nanmax(np.abs(call - put)[near]) < 0.003
