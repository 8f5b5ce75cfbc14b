"""Contracts follow the dated rules, and what these do not state is refused."""

from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest

from libs.market.calendar import load_calendar
from libs.market.rulebook import load_rulebook
from services.executor.domain.policy import ChainFilter
from services.local.backtest.options.listing import Listing, NotListed
from services.local.backtest.options.rules import OptionRules, PriceModel
from services.local.backtest.options.trading import option_trades
from services.local.backtest.result import BacktestRequest
from tests.unit.services.local.backtest.options.builders import flat, history, signal

LISTING = Listing(load_rulebook(), load_calendar(), ChainFilter())


@pytest.mark.parametrize(
    ("underlying", "day", "spot", "expiry", "lot_size"),
    [
        ("NIFTY", date(2024, 4, 25), 22_500, date(2024, 4, 25), 50),
        ("NIFTY", date(2024, 4, 26), 22_500, date(2024, 5, 2), 25),
        ("NIFTY", date(2024, 12, 26), 23_800, date(2024, 12, 26), 25),
        ("NIFTY", date(2024, 12, 27), 23_800, date(2025, 1, 2), 75),
        ("NIFTY", date(2025, 8, 28), 24_500, date(2025, 8, 28), 75),
        ("NIFTY", date(2025, 8, 29), 24_500, date(2025, 9, 2), 75),
        ("BANKNIFTY", date(2023, 8, 31), 44_000, date(2023, 8, 31), 15),
        ("BANKNIFTY", date(2023, 9, 4), 44_000, date(2023, 9, 6), 15),
        ("BANKNIFTY", date(2024, 11, 13), 50_000, date(2024, 11, 13), 15),
        ("BANKNIFTY", date(2024, 11, 14), 50_000, date(2024, 11, 27), 15),
        ("FINNIFTY", date(2024, 7, 30), 23_500, date(2024, 7, 30), 40),
        ("FINNIFTY", date(2024, 7, 31), 23_500, date(2024, 8, 6), 25),
        ("RELIANCE", date(2025, 10, 8), 1_370, date(2025, 10, 28), 500),
    ],
)
def test_expiry_and_lot_are_those_of_the_day(
    underlying: str, day: date, spot: float, expiry: date, lot_size: int
) -> None:
    contracts = LISTING.around(underlying, day, spot)
    assert {one.expiry for one in contracts} == {expiry}
    assert {one.lot_size for one in contracts} == {lot_size}
    assert {one.tick_size for one in contracts} == {Decimal("0.05")}


@pytest.mark.parametrize(
    ("underlying", "spot", "nearest", "step"),
    [("NIFTY", 23_512.0, 23_500, 50), ("BANKNIFTY", 50_060.0, 50_100, 100)],
)
def test_strikes_lie_around_the_spot_of_the_moment(
    underlying: str, spot: float, nearest: float, step: float
) -> None:
    strikes = sorted({one.strike for one in LISTING.around(underlying, date(2024, 7, 3), spot)})
    assert strikes[len(strikes) // 2] == nearest
    assert {b - a for a, b in pairwise(strikes)} == {step}
    assert len(strikes) >= 2 * ChainFilter().strikes_from_atm + 1


def test_the_executors_monthly_expiry_is_listed_where_it_is_preferred() -> None:
    monthly = Listing(load_rulebook(), load_calendar(), ChainFilter(expiry="monthly"))
    contracts = monthly.around("NIFTY", date(2024, 7, 3), 24_300)
    assert {one.expiry for one in contracts} == {date(2024, 7, 25)}
    assert all(one.tradingsymbol.startswith("NIFTY24JUL") for one in contracts)


@pytest.mark.parametrize(
    ("underlying", "day", "reason"),
    [
        ("GOLDBEES", date(2024, 7, 3), "not_in_rulebook"),
        ("NIFTY", date(2015, 7, 3), "day_not_in_calendar"),
        ("MIDCPNIFTY", date(2021, 7, 5), "strike_step_unknown"),
        ("RELIANCE", date(2024, 7, 3), "strike_step_unknown"),
        ("RELIANCE", date(2026, 7, 1), "lot_size_unknown"),
        ("BANKNIFTY", date(2025, 1, 10), "lot_size_unknown"),
    ],
)
def test_what_the_rules_do_not_state_is_refused(underlying: str, day: date, reason: str) -> None:
    with pytest.raises(NotListed) as refused:
        LISTING.around(underlying, day, 1_000.0)
    assert refused.value.refusal.reason == reason


@pytest.mark.parametrize(
    ("tradingsymbol", "day", "reason"),
    [
        ("GOLDBEES", date(2024, 7, 3), "not_in_rulebook"),
        ("NIFTY 50", date(2015, 7, 3), "no_calendar"),
        ("NIFTY BANK", date(2025, 1, 10), "lot_size_unknown"),
    ],
)
def test_a_refusal_by_the_rules_is_counted_with_its_reason(
    tradingsymbol: str, day: date, reason: str
) -> None:
    candles = history({day: flat(1_000.0)}, tradingsymbol)
    rules = OptionRules(model=PriceModel(volatility=0.2))
    request = BacktestRequest("ma_crossover", trades_in="options")
    one = [signal(candles, 3)]
    made = option_trades(request, [candles], one, load_rulebook(), load_calendar(), rules=rules)
    assert (made.trades, made.refusals) == ((), {reason: 1})
