"""The figures of trades, against pandas and by hand."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.exit_plan import ExitPlan
from libs.events.positions import PositionEvent
from services.position.domain.booked import BookedFill
from services.position.domain.results import GROUPS, grouped_results, results_of
from services.position.domain.trades import Trade, with_slippage
from tests.unit.services.position.builders import (
    NOW,
    at,
    closed,
    fill,
    hear,
    make_positions,
    position_id,
    ticks,
)


def trade(net: str = "10.00", number: int = 1, **changes: Any) -> Trade:
    """A closed trade with this net; its charges are 5 rupees."""
    made = Trade.of(closed("0", number))
    given_net = {"realised": Decimal(net) + 5, "charges": Decimal(5)}
    return replace(made, position_id=position_id(number), **(given_net | changes))


amounts = st.decimals(-10_000, 10_000, places=2)


@given(st.lists(st.tuples(amounts, st.sampled_from(["rsi", "supertrend"])), min_size=1, max_size=9))
def test_the_figures_are_those_of_pandas(told: list[tuple[Decimal, str]]) -> None:
    start = closed("0").opened_at
    trades = [
        trade(str(net), number, strategy=name, closed_at=start + timedelta(seconds=60 * number))
        for number, (net, name) in enumerate(told, 1)
    ]
    frame = pd.DataFrame(
        {
            "net": [float(one.net) for one in trades],
            "strategy": [one.strategy for one in trades],
            "realised": [float(one.realised) for one in trades],
            "seconds": [60.0 * number for number in range(1, len(trades) + 1)],
        }
    )
    groups = grouped_results(trades[::-1], GROUPS["strategy"])
    assert list(groups) == sorted(frame["strategy"].unique())
    for name, part in [*frame.groupby("strategy"), ("", frame)]:
        found = groups[str(name)] if name else results_of(trades)
        net = part["net"]
        assert found.trades == len(part)
        assert float(found.net) == pytest.approx(net.sum(), abs=1e-6)
        assert found.win_rate == pytest.approx((net > 0).mean())
        assert float(found.expectancy or 0) == pytest.approx(net.mean(), abs=0.0051)
        losses = -net[net < 0].sum()
        factor = None if not (net < 0).any() else pytest.approx(net[net > 0].sum() / losses)
        assert found.profit_factor == factor
        running = net.cumsum()
        falls = running.cummax().clip(lower=0) - running
        assert float(found.drawdown) == pytest.approx(falls.max(), abs=1e-6)
        assert found.average_seconds == pytest.approx(part["seconds"].mean())
        gross = part["realised"].sum()
        share = pytest.approx(5 * len(part) / gross) if gross > 0.001 else found.charges_share
        assert found.charges_share == share


def test_no_trade_has_no_figures_but_sums_of_nothing() -> None:
    found = results_of([])
    assert found.trades == found.net == found.drawdown == 0
    assert (found.win_rate, found.profit_factor, found.expectancy) == (None, None, None)
    assert (found.slippage, found.charges_share, found.average_seconds) == (None, None, None)


def test_an_open_trade_counts_in_no_figure() -> None:
    still = trade("-99", 2, closed_at=None, exit_reason=None)
    assert results_of([trade(), still]) == results_of([trade()])


def test_trades_are_grouped_by_the_hour_of_entry_in_india_and_by_profile() -> None:
    early = trade(number=2, opened_at=trade().opened_at - timedelta(hours=1), profile="scalper")
    trades = [trade(), early]
    assert list(grouped_results(trades, GROUPS["hour"])) == ["09:00", "10:00"]
    assert list(grouped_results(trades, GROUPS["profile"])) == ["scalper", "standard"]
    assert list(grouped_results(trades, GROUPS["reason"])) == ["manual"]


def lived(*events: Any) -> PositionEvent:
    held = make_positions()
    return [one for one in hear(held, *events) if isinstance(one, PositionEvent)][-1]


def test_excursions_are_the_farthest_prices_from_the_price_paid() -> None:
    sold = fill("SELL", price="125", at_ms=at(10, 40))
    made = Trade.of(lived(fill(), ticks(150.0, NOW + 1000), ticks(90.0, NOW + 2000), sold))
    assert made.favourable == made.adverse == 30
    assert made.in_rupees(made.favourable) == 2250
    assert made.as_fraction(made.adverse) == 0.25
    unknown = replace(made, highest_price=None)
    assert unknown.in_rupees(unknown.favourable) is None


def test_the_profile_is_that_of_the_positions_exit_plan() -> None:
    bought = fill().model_copy(update={"exit_plan": ExitPlan(profile="balanced")})
    assert Trade.of(lived(bought)).profile == "balanced"
    assert Trade.of(lived(fill())).profile == "standard"


def test_slippage_is_what_fills_cost_against_the_prices_that_were_decided_on() -> None:
    bought = fill(price="121.00").model_copy(update={"premium": Decimal(120)})
    sold = fill("SELL", price="124.50", at_ms=at(10, 40))
    fills = [BookedFill.of(bought), BookedFill.of(sold)]
    made = with_slippage(Trade.of(lived(bought, sold)), fills)
    assert made.entry_slippage == 75
    assert made.exit_slippage is None
    asked = replace(fills[1], decided_price=Decimal(125))
    told = with_slippage(made, [fills[0], asked])
    assert (told.exit_slippage, told.slippage) == (Decimal("37.50"), Decimal("112.50"))


def test_an_exit_at_a_level_is_measured_from_the_level() -> None:
    made = replace(trade(), exit_reason="stop_loss", stop_loss=Decimal(84))
    sold = BookedFill.of(fill("SELL", price="83.00", at_ms=at(10, 40)))
    assert with_slippage(made, [sold]).exit_slippage == 75
    elsewhere = replace(made, exit_reason="square_off")
    booked_before = replace(made, profile="balanced")
    assert with_slippage(elsewhere, [sold]).exit_slippage is None
    assert with_slippage(booked_before, [sold]).exit_slippage is None
