"""A backtest in options obeys a strategy's profile, and refuses one that it cannot play."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from services.executor.domain.entry_limits import ReEntry
from services.executor.domain.policy import Policy, RiskLimits
from services.executor.domain.profiles import PRESETS, Profile
from services.executor.domain.sizing import levels_of, to_tick
from services.local.backtest.candles.history import CandleHistory
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


def rise(by: float = 300, low: float = 0, close: float = 0) -> CandleHistory:
    bars = flat(SPOT)
    bars[5] = (SPOT, SPOT + by, SPOT - low, SPOT + close)
    return history({DAY: bars})


def test_a_booked_part_is_a_trade_of_its_own_at_its_price_in_whole_lots() -> None:
    candles = rise()
    whole = only(run(candles, [signal(candles, 2)], rules=rules()))
    made = run(
        candles, [signal(candles, 2)], rules=rules(bookings=[{"gain": "0.2", "part": "0.3"}])
    )
    booked, rest = made.trades
    lot_size = 25
    assert booked.quantity == whole.quantity // lot_size * 3 // 10 * lot_size > 0
    assert booked.quantity + rest.quantity == whole.quantity
    assert (booked.reason, rest.reason) == ("booking", "square_off")
    assert booked.exited_ms == int(candles.closes_ms[5])
    assert booked.exit_price == to_tick(booked.entry_price * Decimal("1.2"), TICK)
    more = sum(one.charges for one in made.trades) - whole.charges
    assert 0 < more < 30, "the purchase is one order, the sale is two"


def test_a_single_lot_is_not_booked_in_parts() -> None:
    candles = rise()
    own = rules(bookings=[{"gain": "0.2", "part": "0.9"}], risk="0.003")
    trade = only(run(candles, [signal(candles, 2)], rules=own))
    assert (trade.quantity, trade.reason) == (25, "square_off")


@pytest.mark.parametrize("unit", [{"fall": "0.2"}, {"points": "40"}])
def test_a_trailing_stop_lies_below_the_highest_bid_of_before(unit: dict[str, str]) -> None:
    candles = rise()
    trade = only(run(candles, [signal(candles, 2)], rules=rules(trail={"gain": "0.1", **unit})))
    assert (trade.reason, trade.exited_ms) == ("trailing_stop", int(candles.closes_ms[5]))
    highest = trade.entry_price + trade.favourable
    level = highest * Decimal("0.8") if "fall" in unit else highest - 40
    assert abs(trade.exit_price - level) <= TICK


def test_after_its_gain_the_stop_lies_at_the_price_paid_and_before_it_does_not() -> None:
    own = rules(cost_after="0.2")
    candles = rise()
    trade = only(run(candles, [signal(candles, 2)], rules=own))
    assert (trade.reason, trade.exit_price) == ("stop_to_cost", trade.entry_price)
    candles = rise(by=20)
    assert only(run(candles, [signal(candles, 2)], rules=own)).reason == "square_off"


def test_within_a_candle_the_extreme_against_the_trade_comes_before_the_one_for_it() -> None:
    candles = rise(by=300, low=60, close=290)
    trade = only(run(candles, [signal(candles, 2)], rules=rules(cost_after="0.2")))
    # it is sold at the next candle's open, which is back at the start, not at cost in this one
    assert (trade.reason, trade.exit_price < trade.entry_price) == ("stop_to_cost", True)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_each_preset_is_played(name: str) -> None:
    candles = rise(by=150, close=100)
    made = run(candles, [signal(candles, 2)], rules=rules(name))
    assert bool(made.trades) == (name != "aggressive")
    assert all(one.quantity % 25 == 0 for one in made.trades)
    assert name != "aggressive" or made.refusals == {"no_contract": 1}, "a day before its expiry"
