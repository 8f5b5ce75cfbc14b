from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.event import identity
from libs.events.positions import PerformanceMeasured, PositionClosed
from services.position.domain.performance import Performance
from tests.unit.services.position.builders import closed

CLOSED = closed("0")


def result(net: str | Decimal, number: int, **changes: Any) -> PositionClosed:
    """The closing `number`, so many seconds later."""
    fields = {
        "net": Decimal(net),
        "event_id": closed_id(number),
        "occurred_at": CLOSED.occurred_at + timedelta(seconds=number),
    } | changes
    return CLOSED.model_copy(update=fields)


def closed_id(number: int) -> Any:
    return identity("test closed", number)


def measured(*nets: str) -> PerformanceMeasured:
    *earlier, last = [result(net, number) for number, net in enumerate(nets)]
    performance = Performance()
    for one in earlier:
        performance.add(one)
    return performance.measured(last)


@pytest.mark.parametrize(
    ("nets", "wins", "win_rate", "average", "profit_factor", "drawdown"),
    [
        (["100"], 1, 1.0, "100.00", None, "0"),
        (["-100"], 0, 0.0, "-100.00", 0.0, "100"),
        (["100", "-50", "150", "-100"], 2, 0.5, "25.00", 250 / 150, "100"),
        (["100", "-80", "30", "-90", "200"], 3, 0.6, "32.00", 330 / 170, "140"),
        (["0"], 0, 0.0, "0.00", None, "0"),
        (["10", "10", "-0.01"], 2, 2 / 3, "6.66", 2000.0, "0.01"),
    ],
)
def test_the_figures_of_a_series_of_results(
    nets: list[str],
    wins: int,
    win_rate: float,
    average: str,
    profit_factor: float | None,
    drawdown: str,
) -> None:
    figures = measured(*nets)
    assert (figures.trades, figures.wins) == (len(nets), wins)
    assert figures.win_rate == pytest.approx(win_rate)
    assert figures.average == Decimal(average)
    assert figures.profit_factor == (
        None if profit_factor is None else pytest.approx(profit_factor)
    )
    assert figures.drawdown == Decimal(drawdown)
    assert figures.net == sum(Decimal(net) for net in nets)


@pytest.mark.parametrize(
    "changes",
    [{"strategy": "rsi"}, {"underlying": "BANKNIFTY"}, {"trading_day": date(2026, 6, 11)}],
)
def test_each_strategy_underlying_and_day_has_figures_of_its_own(changes: dict[str, Any]) -> None:
    performance = Performance()
    performance.add(result("-100", 1))
    figures = performance.measured(result("40", 2, **changes))
    assert (figures.trades, figures.net, figures.drawdown) == (1, Decimal(40), Decimal(0))


def test_a_repeated_closing_counts_once() -> None:
    performance = Performance()
    first = performance.measured(result("-100", 1))
    performance.add(result("-100", 1))
    assert performance.measured(result("-100", 1)) == first


def test_the_order_in_which_closings_are_restored_changes_no_figure() -> None:
    closings = [result(net, number) for number, net in enumerate(["100", "-80", "30", "-90"])]
    last = result("200", 9)
    figures = []
    for order in (closings, closings[::-1]):
        performance = Performance()
        for one in order:
            performance.add(one)
        figures.append(performance.measured(last))
    assert figures[0] == figures[1]
    assert figures[0].drawdown == 140


nets = st.lists(
    st.integers(-(10**7), 10**7).map(lambda paise: Decimal(paise) / 100), min_size=1, max_size=20
)


@given(nets)
def test_figures_are_within_their_bounds(of_day: list[Decimal]) -> None:
    figures = measured(*(str(net) for net in of_day))
    losses = -sum((net for net in of_day if net < 0), Decimal(0))
    assert 0 <= figures.win_rate <= 1
    assert 0 <= figures.drawdown <= losses
    assert figures.drawdown >= -min(of_day)
    assert (figures.profit_factor is None) == (losses == 0)
    assert abs(figures.average * figures.trades - figures.net) <= Decimal("0.005") * len(of_day)
