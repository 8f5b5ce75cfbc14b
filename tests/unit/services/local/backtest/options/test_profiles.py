"""A backtest in options obeys a strategy's profile, and refuses one that it cannot play."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from services.executor.domain.entry_limits import ReEntry
from services.executor.domain.policy import Policy, RiskLimits
from services.executor.domain.profiles import PRESETS, Profile
from services.executor.domain.sizing import levels_of
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.errors import BacktestError
from services.local.backtest.options.rules import OptionRules, PriceModel
from tests.unit.services.local.backtest.options.builders import DAY, flat, history, signal
from tests.unit.services.local.backtest.options.test_exits import NEXT, SPOT, TICK, only, run

HOUR_MS = 3_600_000


def rules(profile: str = "own", reentry: ReEntry | None = None, **own: Any) -> OptionRules:
    given = {"stop": "0.9", "target": "5", "risk": "0.02", **own}
    policy = Policy(
        profile=profile,
        profiles={"own": Profile(**given)},
        reentry=reentry or ReEntry(),
        limits=RiskLimits(losses_in_a_row=50),
    )
    return OptionRules(policy, model=PriceModel(volatility=0.15))


def days(*of: date) -> CandleHistory:
    return history({day: flat(SPOT) for day in of})


@pytest.mark.parametrize(
    ("strike", "wanted"),
    [
        ({"by": "moneyness", "wanted": [0.5]}, 23_400),
        ({"by": "moneyness", "wanted": [-1.5]}, 23_850),
        ({"by": "strikes", "wanted": [-6]}, 23_800),
    ],
)
def test_the_strike_is_the_profiles_also_far_from_the_money(
    strike: dict[str, Any], wanted: int
) -> None:
    candles = days(DAY)
    trade = only(run(candles, [signal(candles, 2)], rules=rules(strike=strike)))
    assert trade.tradingsymbol.endswith(f"{wanted}CE")


def test_levels_and_holding_time_are_those_of_a_preset() -> None:
    candles = days(DAY)
    trade = only(run(candles, [signal(candles, 2)], rules=rules("ultra_safe")))
    assert (trade.reason, trade.exited_ms) == ("holding_time", trade.entered_ms + 3 * HOUR_MS)
    bars = flat(SPOT)
    bars[5] = (SPOT, SPOT, SPOT - 400, SPOT)
    stopped = history({DAY: bars})
    trade = only(run(stopped, [signal(stopped, 2)], rules=rules("ultra_safe")))
    assert trade.reason == "stop_loss"
    stop = levels_of(trade.entry_price, TICK, PRESETS["ultra_safe"]).stop_loss
    assert trade.exit_price == stop


@pytest.mark.parametrize(
    ("hours", "reason", "day"), [(12, "holding_time", NEXT), (30, "expiry", NEXT)]
)
def test_over_night_a_holding_time_that_ends_while_it_is_closed_ends_at_the_next_open(
    hours: int, reason: str, day: date
) -> None:
    candles = days(DAY, NEXT)
    own = rules(overnight=True, holding_ms=hours * HOUR_MS)
    trade = only(run(candles, [signal(candles, 2)], rules=own))
    assert trade.reason == reason
    first = int(candles.opened_ms[candles.trading_day.tolist().index(day)])
    assert (trade.exited_ms == first) == (reason == "holding_time")


def test_without_the_night_it_is_squared_off() -> None:
    candles = days(DAY, NEXT)
    own = rules(holding_ms=12 * HOUR_MS)
    assert only(run(candles, [signal(candles, 2)], rules=own)).reason == "square_off"


def test_a_profile_that_risks_less_buys_fewer_lots() -> None:
    candles = days(DAY)
    some, less = (
        only(run(candles, [signal(candles, 2)], rules=rules(stop="0.5", risk=risk))).quantity
        for risk in ("0.01", "0.005")
    )
    assert less < some


def test_after_a_stop_it_is_entered_again_as_often_as_allowed() -> None:
    bars = flat(SPOT)
    bars[5] = (SPOT, SPOT, SPOT - 400, SPOT)
    candles = history({DAY: bars})
    signals = [signal(candles, 2), signal(candles, 8)]
    free = run(candles, signals, rules=rules(stop="0.3"))
    assert len(free.trades) == 2
    held = run(candles, signals, rules=rules(stop="0.3", reentry=ReEntry(most_a_day=0)))
    assert len(held.trades) == 1
    assert held.refusals == {"reentries_a_day": 1}


@pytest.mark.parametrize(
    ("name", "own", "parts"),
    [
        ("conservative", {}, "bookings and trail"),
        ("balanced", {}, "bookings and trail"),
        ("aggressive", {}, "bookings"),
        ("own", {"cost_after": Decimal("0.2")}, "cost_after"),
    ],
)
def test_a_profile_that_cannot_be_played_is_refused_by_name(
    name: str, own: dict[str, Any], parts: str
) -> None:
    candles = days(DAY)
    with pytest.raises(BacktestError, match=f"executor.profile: {name} has {parts}, which a"):
        run(candles, [signal(candles, 2)], rules=rules(name, **own))
