"""The measures of a backtest, beside a plain recomputation by their formulas."""

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.local.backtest.measures import Measures, measures
from services.local.backtest.result import BacktestRequest, Equity
from services.local.backtest.trade import Trade
from tests.unit.services.local.backtest.made_results import (
    DAY_MS,
    MINUTE_MS,
    OPENS_MS,
    equity,
    result,
    trade,
)

CAPITAL = 100_000
REQUEST = BacktestRequest("made", capital=Decimal(CAPITAL))
IST_MS = 330 * MINUTE_MS
FIRST_DAY = 19_814  # 1 April 2024


def closes(days: int, a_day: int = 4) -> list[int]:
    """Return the closes of 15m candles from the open on, some of each day."""
    return [
        (FIRST_DAY + day) * DAY_MS + OPENS_MS - IST_MS + (candle + 1) * 15 * MINUTE_MS
        for day in range(days)
        for candle in range(a_day)
    ]


def of(trades: Sequence[Trade], rupees: Sequence[float], at_ms: Sequence[int]) -> Measures:
    return measures(trades, equity(rupees, at_ms, CAPITAL), REQUEST)


def naive(trades: Sequence[Trade], curve: Equity) -> dict[str, Any]:
    """Recompute what was measured by loops, without numpy."""
    at_ms, rupees = curve.at_ms.tolist(), curve.rupees.tolist()
    by_day: dict[int, float] = {}
    for at, worth in zip(at_ms, rupees, strict=True):
        by_day[(at + IST_MS) // DAY_MS] = worth
    before, returns = float(CAPITAL), []
    for worth in by_day.values():
        returns.append(worth / before - 1)
        before = worth
    days = list(by_day)
    elapsed = days[-1] - days[0]
    found: dict[str, Any] = {
        "days": len(days),
        "return": (rupees[-1] - CAPITAL) / CAPITAL,
        "cagr": math.exp(math.log(rupees[-1] / CAPITAL) * 365 / elapsed) - 1 if elapsed else None,
    }
    mean = sum(returns) / len(returns)
    if len(returns) > 1:
        variance = sum((one - mean) ** 2 for one in returns) / (len(returns) - 1)
        downside = sum(one**2 for one in returns if one < 0) / len(returns)
        year = math.sqrt(252)
        found["sharpe"] = mean / math.sqrt(variance) * year if variance > 1e-24 else None
        found["sortino"] = mean / math.sqrt(downside) * year if downside > 1e-24 else None
    found |= naive_fall(at_ms, rupees)
    nets = [one.net for one in trades]
    wins, losses = [one for one in nets if one > 0], [one for one in nets if one < 0]
    found["win_rate"] = len(wins) / len(nets) if nets else None
    found["profit_factor"] = float(sum(wins) / -sum(losses)) if losses else None
    found["expectancy"] = float(sum(nets) / len(nets)) if nets else None
    found["net"] = float(sum(nets))
    found["charges"] = float(sum(one.charges for one in trades))
    found["exposure"] = naive_exposure(trades, at_ms)
    return found


def naive_fall(at_ms: Sequence[int], rupees: Sequence[float]) -> dict[str, Any]:
    points = [(at_ms[0], float(CAPITAL)), *zip(at_ms, rupees, strict=True)]
    high, high_at, deepest = points[0][1], points[0][0], (0.0, 0, 0, 0.0)
    for index, (at, worth) in enumerate(points):
        if worth >= high:
            high, high_at = worth, at
        if 1 - worth / high > deepest[0] + 1e-15:
            deepest = (1 - worth / high, high_at, index, high)
    depth, from_ms, lowest, top = deepest
    if depth < 1e-12:
        return {"max_drawdown": 0.0, "max_drawdown_days": None, "max_drawdown_recovered": None}
    again = [at for at, worth in points[lowest:] if worth >= top]
    until = again[0] if again else points[-1][0]
    days = (until + IST_MS) // DAY_MS - (from_ms + IST_MS) // DAY_MS
    return {
        "max_drawdown": depth,
        "max_drawdown_days": days,
        "max_drawdown_recovered": bool(again),
    }


def naive_exposure(trades: Sequence[Trade], at_ms: Sequence[int]) -> float:
    """Go through the candles minute by minute."""
    minutes = [at - back * MINUTE_MS for at in at_ms for back in range(15, 0, -1)]
    open_in = [any(one.entered_ms <= at < one.exited_ms for one in trades) for at in minutes]
    return sum(open_in) / len(minutes)


def is_near(found: float | None, expected: float | None, part: float) -> bool:
    if found is None or expected is None:
        return found is expected
    return math.isclose(found, expected, rel_tol=part, abs_tol=1e-11)


@st.composite
def backtests(draw: st.DrawFn) -> tuple[list[Trade], Equity]:
    """Return trades at whole minutes, some of them outside the session, and an equity curve."""
    at_ms = closes(draw(st.integers(1, 8)))
    amounts = st.floats(20_000, 400_000).map(lambda one: round(one, 2))
    rupees = draw(st.lists(amounts, min_size=len(at_ms), max_size=len(at_ms)))
    nets = st.decimals(-5_000, 5_000, places=2)
    starts = st.integers(at_ms[0] // MINUTE_MS - 60, at_ms[-1] // MINUTE_MS)
    made = st.builds(
        lambda net, start, minutes: trade(net, entered_ms=start * MINUTE_MS, minutes=minutes),
        nets,
        starts,
        st.integers(0, 3_000),
    )
    return draw(st.lists(made, max_size=12)), equity(rupees, at_ms, CAPITAL)


@given(backtests())
def test_measures_equal_a_plain_recomputation(backtest: tuple[list[Trade], Equity]) -> None:
    trades, curve = backtest
    found = measures(trades, curve, REQUEST)
    for name, value in naive(trades, curve).items():
        assert is_near(found[name], value, 1e-9), name


@given(backtests(), st.integers(2, 9))
def test_ratios_do_not_depend_on_the_size_of_the_capital(
    backtest: tuple[list[Trade], Equity], times: int
) -> None:
    trades, curve = backtest
    bigger = equity((curve.rupees * times).tolist(), curve.at_ms.tolist(), CAPITAL * times)
    request = BacktestRequest("made", capital=Decimal(CAPITAL * times))
    one, many = measures(trades, curve, REQUEST), measures(trades, bigger, request)
    for name in ("return", "cagr", "sharpe", "sortino", "calmar", "max_drawdown"):
        assert is_near(many[name], one[name], 1e-6), name


@given(backtests())
def test_figures_stay_within_what_they_can_be(backtest: tuple[list[Trade], Equity]) -> None:
    trades, curve = backtest
    found = measures(trades, curve, REQUEST)
    for name in ("exposure", "max_drawdown", "win_rate"):
        value = found[name]
        assert value is None or 0 <= value <= 1 + 1e-12, name
    if trades:
        worst, mean, best = found["worst_trade"], found["expectancy"], found["best_trade"]
        assert worst is not None
        assert mean is not None
        assert best is not None
        assert worst <= mean + 1e-9
        assert mean <= best + 1e-9
    numbers = [value for value in found.values() if value is not None]
    assert all(math.isfinite(value) for value in numbers)


def test_trades_end_in_the_figures_by_hand() -> None:
    trades = [
        trade("300", "10", minutes=60),
        trade("-100", "10", minutes=30),
        trade("0", "10", minutes=30),
    ]
    found = of(trades, [CAPITAL + 200.0], closes(1, 1))
    assert found["trades"] == 3
    assert (found["net"], found["gross"], found["charges"]) == (200.0, 230.0, 30.0)
    assert found["charges_share"] == pytest.approx(30 / 230)
    assert found["win_rate"] == pytest.approx(1 / 3)
    assert found["profit_factor"] == 3.0
    assert found["expectancy"] == pytest.approx(200 / 3)
    assert (found["average_win"], found["average_loss"]) == (300.0, -100.0)
    assert (found["best_trade"], found["worst_trade"]) == (300.0, -100.0)
    assert found["average_seconds_in_trade"] == 40 * 60
    # Ten units each, bought at 800 and sold at 831, 791 and 801.
    assert found["turnover"] == 24_000 + 8_310 + 7_910 + 8_010
    assert found["turnover_of_capital"] == pytest.approx(48_230 / CAPITAL)


def test_without_a_trade_nothing_is_said_of_trades() -> None:
    found = of([], [float(CAPITAL)] * 8, closes(2))
    assert (found["trades"], found["net"], found["exposure"], found["turnover"]) == (0, 0, 0, 0)
    undefined = {
        "win_rate",
        "profit_factor",
        "expectancy",
        "average_win",
        "average_loss",
        "best_trade",
        "worst_trade",
        "average_seconds_in_trade",
        "charges_share",
    }
    assert {name for name in undefined if found[name] is not None} == set()


def test_a_constant_equity_has_no_ratio_and_no_fall() -> None:
    found = of([], [float(CAPITAL)] * 8, closes(2))
    assert (found["return"], found["cagr"], found["max_drawdown"]) == (0.0, 0.0, 0.0)
    assert [found[name] for name in ("sharpe", "sortino", "calmar")] == [None] * 3
    assert (found["max_drawdown_days"], found["max_drawdown_recovered"]) == (None, None)


def test_equal_returns_on_all_days_have_no_sharpe_ratio() -> None:
    at_ms = closes(9, 1)
    found = of([], [CAPITAL * 1.001 ** (day + 1) for day in range(9)], at_ms)
    assert found["sharpe"] is None
    assert found["sortino"] is None


def test_all_winners_have_no_profit_factor_and_no_average_loss() -> None:
    found = of([trade("10"), trade("20")], [CAPITAL + 30.0], closes(1, 1))
    assert (found["win_rate"], found["profit_factor"], found["average_loss"]) == (1.0, None, None)


def test_one_candle_has_a_return_and_nothing_by_the_year() -> None:
    found = of([], [CAPITAL * 1.1], closes(1, 1))
    assert found["return"] == pytest.approx(0.1)
    assert [found[name] for name in ("cagr", "sharpe", "sortino", "calmar")] == [None] * 4
    assert found["days"] == 1


def test_no_candle_gives_no_figure_of_equity() -> None:
    found = of([], [], [])
    assert found["days"] == 0
    assert [found[name] for name in ("return", "cagr", "sharpe", "max_drawdown")] == [None] * 4


def test_a_growth_beyond_floats_is_not_defined() -> None:
    assert of([], [CAPITAL, CAPITAL * 10.0], closes(2, 1))["cagr"] is None


def test_an_equity_that_is_used_up_has_no_growth_rate_and_no_ratio() -> None:
    found = of([], [CAPITAL, -5.0, 10.0], closes(3, 1))
    assert (found["sharpe"], found["sortino"]) == (None, None)
    assert of([], [CAPITAL, -5.0], closes(2, 1))["cagr"] is None


def test_a_fall_below_the_capital_counts_from_the_first_day() -> None:
    found = of([], [CAPITAL * 0.9, CAPITAL * 0.8, CAPITAL * 1.0], closes(3, 1))
    assert found["max_drawdown"] == pytest.approx(0.2)
    assert (found["max_drawdown_days"], found["max_drawdown_recovered"]) == (2, True)


def test_a_fall_that_is_not_made_good_lasts_until_the_end() -> None:
    rupees = [CAPITAL * factor for factor in (1.1, 1.1, 0.99, 1.0)]
    found = of([], rupees, closes(4, 1))
    assert found["max_drawdown"] == pytest.approx(0.1)
    assert (found["max_drawdown_days"], found["max_drawdown_recovered"]) == (2, False)


def test_charges_have_no_share_of_a_loss() -> None:
    assert of([trade("-50", "10")], [CAPITAL - 50.0], closes(1, 1))["charges_share"] is None


def test_trades_at_the_same_time_count_once_for_the_exposure() -> None:
    at_ms = closes(1)
    both = [trade(entered_ms=at_ms[0], minutes=15), trade(entered_ms=at_ms[0], minutes=30)]
    assert of(both, [float(CAPITAL)] * 4, at_ms)["exposure"] == pytest.approx(0.5)


def test_candles_of_another_interval_than_the_request_count_with_their_own_length() -> None:
    at_ms = [FIRST_DAY * DAY_MS + OPENS_MS - IST_MS + hour * 60 * MINUTE_MS for hour in (1, 2, 3)]
    half = trade(entered_ms=at_ms[0], minutes=90)
    assert of([half], [float(CAPITAL)] * 3, at_ms)["exposure"] == pytest.approx(0.5)


def test_a_night_is_no_time_of_candles() -> None:
    at_ms = closes(2)
    over_night = trade(entered_ms=at_ms[3], minutes=24 * 60 - 45)
    assert of([over_night], [float(CAPITAL)] * 8, at_ms)["exposure"] == pytest.approx(1 / 8)


def test_the_last_equity_is_the_capital_with_all_trades() -> None:
    made = result(trades=30)
    net, total = made.measures["net"], made.measures["return"]
    assert total is not None
    assert net == pytest.approx(total * float(made.request.capital))
