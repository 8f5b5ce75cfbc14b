"""The limits of the day, with open positions at their marks: entries stop, positions are closed."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.control import RiskLimitReached
from libs.events.event import identity
from libs.events.positions import ExitRequested, PositionUpdated
from services.executor.domain.day_limits import DayLimits, ProfitLock, StrategyLimits
from services.executor.domain.plans import position_id_of
from services.executor.domain.policy import Policy, RiskLimits
from services.executor.domain.risk import Breach, RiskBook
from tests.unit.services.executor.builders import (
    NEXT_DAY,
    NOW,
    list_chain,
    make_executor,
    position,
    signal,
)
from tests.unit.services.executor.venue import Trading

POSITION = position_id_of(signal().signal_id)


def losing(*, closes: bool) -> Trading:
    """A position whose open loss is beyond the day's limit of 50,000, and an entry that works."""
    policy = Policy(limits=RiskLimits(close_at_daily_loss=closes))
    trading = Trading(list_chain(make_executor(policy=policy)))
    trading.hear(signal())
    (entry,) = trading.plans("entry")
    trading.fill(entry.tag, 75)
    trading.hear(position(1, PositionUpdated, unrealised="-60000", net="-500"))
    return trading


@pytest.mark.parametrize("closes", [False, True])
def test_an_open_loss_beyond_the_limit_is_said_once_and_stops_the_entries_that_work(
    closes: bool,
) -> None:
    trading = losing(closes=closes)
    (entry,) = trading.plans("entry")
    trading.pass_time(30)
    (reached,) = trading.all(RiskLimitReached)
    assert reached.limit == "daily_loss"
    assert Decimal(str(reached.value)) >= 50_000
    assert trading.venue.orders[entry.tag].is_cancel_asked


def test_everything_is_closed_if_that_is_set_and_asked_for_once() -> None:
    trading = losing(closes=True)
    requests = trading.all(ExitRequested)
    assert [(one.position_id, one.reason) for one in requests] == [(POSITION, "daily_loss")]
    trading.hear(requests[0])
    trading.pass_time(30)
    assert len(trading.all(ExitRequested)) == 1


def test_nothing_is_closed_by_default() -> None:
    trading = losing(closes=False)
    trading.pass_time(30)
    assert trading.all(ExitRequested) == []


def held_by(limits: RiskLimits) -> Trading:
    """A filled position of ma_crossover under these limits."""
    trading = Trading(list_chain(make_executor(policy=Policy(limits=limits))))
    trading.hear(signal())
    (entry,) = trading.plans("entry")
    trading.fill(entry.tag, 75)
    return trading


def mark(trading: Trading, unrealised: str, at_ms: int = NOW, **changes: Any) -> None:
    trading.hear(position(1, PositionUpdated, unrealised=unrealised, at_ms=at_ms, **changes))


def limits_of(trading: Trading) -> list[tuple[str, str]]:
    return [(one.limit, one.strategy) for one in trading.all(RiskLimitReached)]


def reasons_of(trading: Trading) -> list[str]:
    return [one.reason for one in trading.all(ExitRequested)]


def test_a_locked_profit_closes_everything_when_the_day_falls_back_to_what_is_kept() -> None:
    lock = ProfitLock(at=Decimal("0.03"), keep=Decimal("0.02"))
    trading = held_by(RiskLimits(profit_lock=lock))
    mark(trading, "29999")
    assert limits_of(trading) == []
    mark(trading, "30000", NOW + 1000)
    assert (limits_of(trading), reasons_of(trading)) == ([("daily_profit_armed", "")], [])
    mark(trading, "20001", NOW + 2000)
    assert reasons_of(trading) == []
    mark(trading, "20000", NOW + 3000)
    assert limits_of(trading)[1:] == [("daily_profit", "")]
    assert reasons_of(trading) == ["daily_profit"]


def test_without_a_part_to_keep_a_profit_is_locked_at_once_and_stops_entries() -> None:
    trading = held_by(RiskLimits(profit_lock=ProfitLock(at=Decimal("0.03"))))
    mark(trading, "30000")
    assert limits_of(trading) == [("daily_profit", "")]
    assert reasons_of(trading) == ["daily_profit"]
    mark(trading, "90000", NOW + 1000)
    assert trading.executor.risk.breach("SBIN") == Breach("daily_profit", 30_000.0, 30_000.0)


def test_a_strategy_that_has_lost_its_day_is_left_and_the_others_go_on() -> None:
    own = {"ma_crossover": StrategyLimits(daily_loss=Decimal("0.02"))}
    trading = held_by(RiskLimits(strategies=own))
    mark(trading, "-90000", strategy="rsi", position_id=identity("another"))
    risk = trading.executor.risk
    assert limits_of(trading) == [("daily_loss", "")]  # all together, of which nothing is closed
    assert reasons_of(trading) == []
    mark(trading, "-20000", NOW + 1000)
    assert limits_of(trading)[1:] == [("strategy_daily_loss", "ma_crossover")]
    assert reasons_of(trading) == ["strategy_daily_loss"]
    reached = Breach("strategy_daily_loss", 20_000.0, 20_000.0, "ma_crossover")
    assert risk.breach("SBIN", "ma_crossover") == reached


def test_each_strategy_has_the_same_limits_unless_it_has_its_own() -> None:
    each = StrategyLimits(profit_lock=ProfitLock(at=Decimal("0.01")))
    own = {"rsi": StrategyLimits()}
    trading = held_by(RiskLimits(each_strategy=each, strategies=own))
    mark(trading, "90000", strategy="rsi", position_id=identity("another"))
    assert limits_of(trading) == []
    mark(trading, "10000", NOW + 1000)
    assert limits_of(trading) == [("strategy_daily_profit", "ma_crossover")]
    assert not trading.executor.risk.stops("rsi")
    assert trading.executor.risk.stops("ma_crossover")


def test_an_armed_lock_and_a_limit_of_a_strategy_outlive_a_restart_and_end_with_the_day() -> None:
    limits = RiskLimits(
        profit_lock=ProfitLock(at=Decimal("0.03"), keep=Decimal("0.02")),
        each_strategy=StrategyLimits(daily_loss=Decimal("0.02")),
    )
    before = held_by(limits)
    mark(before, "60000", strategy="rsi", position_id=identity("another"))
    mark(before, "-25000", NOW + 1000)
    assert limits_of(before) == [
        ("daily_profit_armed", ""),
        ("strategy_daily_loss", "ma_crossover"),
    ]
    risk = RiskBook(limits, Decimal(1_000_000))
    for event in before.all(RiskLimitReached):
        risk.on_event(event)
    assert risk.stops("ma_crossover")
    assert not risk.stops("rsi")
    fallen = position(1, PositionUpdated, unrealised="20000", at_ms=NOW + 2000)
    risk.on_event(fallen)
    assert [one.limit for one in risk.on_day(fallen.trading_day)] == ["daily_profit"]
    risk.start_day(NEXT_DAY)
    assert not risk.stops("ma_crossover")


@pytest.mark.parametrize("keep", ["0.03", "0.04"])
def test_a_lock_that_keeps_as_much_as_it_waits_for_is_refused(keep: str) -> None:
    with pytest.raises(ValueError, match="is not below at"):
        ProfitLock(at=Decimal("0.03"), keep=Decimal(keep))


@given(st.lists(st.integers(-60, 60), min_size=1, max_size=30))
def test_along_any_day_a_profit_is_locked_at_the_first_fall_to_what_is_kept_after_it(
    nets: list[int],
) -> None:
    limits = DayLimits(Decimal(1000), ProfitLock(at=Decimal("0.03"), keep=Decimal("0.02")))
    peak, locked = -100, False
    for net in nets:
        peak = max(peak, net)
        is_due = not locked and peak >= 30 and net <= 20
        names = [one.limit for one in limits.news({"": Decimal(net)})]
        assert ("daily_profit" in names) == is_due
        locked |= is_due


def test_the_refusal_of_a_signal_for_its_strategys_limit_stops_no_other_after_a_restart() -> None:
    limits = RiskLimits(each_strategy=StrategyLimits(daily_loss=Decimal("0.02")))
    trading = held_by(limits)
    mark(trading, "-20000")
    trading.hear(signal(2))
    (said, refusal) = trading.all(RiskLimitReached)
    assert (said.limit, refusal.limit) == ("strategy_daily_loss", "strategy_daily_loss")
    risk = RiskBook(limits, Decimal(1_000_000))
    risk.on_event(refusal)
    assert not risk.stops("rsi")
    risk.on_event(said)
    assert risk.stops("ma_crossover")
    assert not risk.stops("rsi")
