from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.executor.domain.decision import Trade
from services.executor.domain.ladder import LadderStep
from services.executor.domain.plans import entry_plans, exit_plans, position_id_of
from services.executor.domain.policy import OrderRules
from services.executor.domain.sizing import Levels
from tests.unit.services.executor.builders import (
    DAY,
    LOT,
    NEXT_DAY,
    NOW,
    at,
    contract,
    exit_requested,
    plan,
    signal,
)


def trade(lots: int, lot_size: int = LOT) -> Trade:
    return Trade(
        contract=contract(lot_size=lot_size),
        lots=lots,
        quantity=lots * lot_size,
        premium=Decimal(100),
        limit=Decimal(101),
        levels=Levels(Decimal(70), Decimal(160)),
        numbers={},
    )


def test_an_entry_within_the_freeze_quantity_is_one_limit_order() -> None:
    (entry,) = entry_plans(signal(), trade(5), "paper", OrderRules(), 1800, NOW)
    assert (entry.leg, entry.transaction_type, entry.quantity) == ("entry", "BUY", 375)
    assert (entry.order_type, entry.price, entry.product) == ("LIMIT", Decimal(101), "NRML")
    assert [entry.stop_loss, entry.target, entry.premium] == [70, 160, 100]
    assert entry.position_id == position_id_of(signal().signal_id)
    assert (entry.causation_id, entry.correlation_id) == (
        signal().event_id,
        signal().correlation_id,
    )


LIMIT = LadderStep("LIMIT", Decimal("95.05"), wait_ms=1000)


@pytest.mark.parametrize(
    ("lots", "freeze", "sizes"),
    [
        (24, 1800, [1800]),
        (25, 1800, [1800, 75]),
        (50, 1800, [1800, 1800, 150]),
        (10, 700, [675, 75]),  # 700 units are 9.33 lots
        (2, 50, [75, 75]),  # never less than a lot
    ],
)
def test_entries_are_sliced_in_whole_lots_within_the_freeze_quantity(
    lots: int, freeze: int, sizes: list[int]
) -> None:
    plans = entry_plans(signal(), trade(lots), "paper", OrderRules(), freeze, NOW)
    assert [one.quantity for one in plans] == sizes


@given(st.integers(1, 200), st.sampled_from([15, 65, 75]), st.integers(200, 2800))
def test_slices_add_up_and_none_is_above_the_freeze_quantity(
    lots: int, lot_size: int, freeze: int
) -> None:
    one_trade, rules = trade(lots, lot_size), OrderRules()
    entries = entry_plans(signal(), one_trade, "paper", rules, freeze, NOW)
    request = exit_requested(entries[0].position_id)
    exits = exit_plans(entries[0], request, LIMIT, 3, one_trade.quantity, freeze, NOW)
    for plans in (entries, exits):
        assert sum(one.quantity for one in plans) == lots * lot_size
        assert all(one.quantity % lot_size == 0 for one in plans)
        assert all(0 < one.quantity <= freeze for one in plans)
    assert len({one.tag for one in (*entries, *exits)}) == len(entries) + len(exits)


def test_the_same_signal_gives_the_same_orders_and_another_gives_others() -> None:
    first, second, other = (
        entry_plans(signal(number), trade(30), "paper", OrderRules(), 1800, NOW)
        for number in (1, 1, 2)
    )
    assert first == second
    assert {one.order_id for one in first}.isdisjoint(one.order_id for one in other)


def test_an_exit_sells_by_the_step_of_its_ladder_for_the_reason_of_its_request() -> None:
    entry, request = plan(150), exit_requested(plan().position_id)
    (sale,) = exit_plans(entry, request, LIMIT, 0, 150, 1800, NOW + 5)
    assert (sale.leg, sale.transaction_type, sale.quantity) == ("exit", "SELL", 150)
    assert (sale.order_type, sale.price) == ("LIMIT", Decimal("95.05"))
    assert (sale.reason, sale.causation_id) == ("stop_loss", request.event_id)
    assert (sale.position_id, sale.contract) == (entry.position_id, entry.contract)
    assert sale.order_id != entry.order_id


def test_later_exits_of_a_position_are_other_orders() -> None:
    entry, request = plan(150), exit_requested(plan().position_id)
    first, second = (exit_plans(entry, request, LIMIT, n, 150, 1800, NOW)[0] for n in (0, 1))
    assert first.tag != second.tag
    assert first.event_id != second.event_id


def test_an_exit_belongs_to_the_day_on_which_it_is_sent() -> None:
    entry, request = plan(150), exit_requested(plan().position_id)
    assert entry.trading_day == DAY
    (overnight,) = exit_plans(entry, request, LIMIT, 0, 150, 1800, at(9, 15, day=NEXT_DAY))
    assert overnight.trading_day == NEXT_DAY
