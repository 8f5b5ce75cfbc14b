"""Our books against the account, situation by situation."""

from dataclasses import replace
from decimal import Decimal

import pytest

from libs.broker.port import Margin, NetPosition, OrderStatus, Trade
from services.executor.domain.reconciliation import (
    AccountSnapshot,
    Adopt,
    Agree,
    Correct,
    Foreign,
    FundsShort,
    OurContract,
    Oversold,
    Quarantine,
    Unconfirmed,
    UnreadableRow,
    view_of,
)
from services.executor.domain.reconciliation.reconciler import GONE_READS
from tests.unit.services.executor.reconciliation.accounts import (
    KEY,
    LOT,
    MINUTE_MS,
    Account,
    Books,
    World,
)


def bought(quantity: int = LOT) -> World:
    world = World()
    world.trade("BUY", quantity, "entry")
    return world


def test_books_that_are_right_agree_at_once() -> None:
    world = bought()
    assert world.look() == (Agree(KEY),)
    assert world.reconciler.last_clean_ms == world.account.now_ms
    assert world.reconciler.age_ms(world.account.now_ms + 7) == 7


def test_before_the_first_snapshot_there_is_no_age() -> None:
    assert World().reconciler.age_ms(5) is None


def test_an_order_of_which_the_broker_knows_more_is_adopted_with_its_fills() -> None:
    world = World()
    world.books.send("BUY", LOT, "entry")
    world.account.trade("BUY", LOT, "entry")
    (found,) = world.look()
    assert isinstance(found, Adopt)
    assert (found.update.tag, found.update.filled_quantity) == ("entry", LOT)
    assert world.reconciler.last_clean_ms is None
    world.books.hear(found.update)
    assert world.look() == (Agree(KEY),)


def test_a_fill_that_the_trades_alone_show_yet_is_adopted_too() -> None:
    world = World()
    world.books.send("BUY", LOT, "entry")
    before = replace(world.account.snapshot())
    world.account.rest("BUY", LOT, "entry")
    early = tuple(world.account.orders)
    world.account.orders.clear()
    world.account.trade("BUY", LOT, "entry")
    late = replace(before, orders=early, trades=tuple(world.account.trades))
    (found,) = world.look(replace(late, positions=world.account.positions()))
    assert isinstance(found, Adopt)
    assert found.update.filled_quantity == LOT


def test_an_order_that_ended_at_the_broker_is_adopted() -> None:
    world = World()
    world.books.send("BUY", LOT, "entry")
    world.account.rest("BUY", LOT, "entry")
    world.books.hear(world.account.orders[-1])
    assert world.look() == (Agree(KEY),)
    world.account.orders[-1] = replace(world.account.orders[-1], status="CANCELLED")
    assert world.look() == (Adopt(KEY, world.account.orders[-1]),)


def test_a_position_closed_by_hand_is_booked_from_the_brokers_trade() -> None:
    world = bought()
    number = world.account.trade("SELL", LOT, price="93.25")
    assert world.settle() == (
        Correct(KEY, "SELL", LOT, "manual", Decimal("93.25"), (number, "2"), 1_002_000),
    )
    assert world.books.contract.held == 0
    assert world.look() == (Agree(KEY),)


def test_a_difference_counts_only_when_two_snapshots_agree() -> None:
    world = bought()
    world.account.trade("SELL", LOT)
    (first,) = world.look()
    assert isinstance(first, Unconfirmed)
    (again,) = world.look(after_ms=999)
    assert isinstance(again, Unconfirmed)
    (second,) = world.look(after_ms=1)
    assert isinstance(second, Correct)


def test_manual_sales_reduce_manual_holdings_first() -> None:
    world = bought()
    world.account.trade("BUY", 2 * LOT)
    world.account.trade("SELL", 2 * LOT)
    assert world.settle() == (Agree(KEY),)
    world.account.trade("SELL", LOT)
    (found,) = world.settle()
    assert isinstance(found, Correct)
    assert found.quantity == LOT


def test_a_sale_by_hand_of_more_than_the_owners_own_books_the_rest_as_ours() -> None:
    world = bought(2 * LOT)
    world.account.trade("BUY", LOT)
    world.account.trade("SELL", 2 * LOT)
    found, *_ = world.settle()
    assert isinstance(found, Correct)
    assert found.quantity == LOT
    assert world.look() == (Agree(KEY),)
    assert world.books.contract.held == LOT


def test_what_the_owner_carried_over_is_sold_before_ours() -> None:
    world = World(Account(carried=LOT))
    world.trade("BUY", LOT, "entry")
    world.account.trade("SELL", LOT)
    assert world.settle() == (Agree(KEY),)


def test_what_we_carried_over_agrees_although_its_trades_are_of_an_earlier_day() -> None:
    world = World(Account(carried=LOT), Books(OurContract(KEY, "NIFTY", LOT, LOT, 0)))
    assert world.look() == (Agree(KEY),)
    world.account.trade("SELL", LOT)
    (found,) = world.settle()
    assert isinstance(found, Correct)
    assert world.look() == (Agree(KEY),)


def test_a_trade_that_was_booked_stays_booked_and_what_is_bought_later_is_the_owners() -> None:
    world = bought()
    world.account.trade("SELL", LOT)
    world.settle()
    world.account.trade("BUY", LOT)
    assert world.settle() == (Agree(KEY), Foreign(KEY, LOT))
    assert world.books.contract.held == 0


def test_the_brokers_square_off_of_intraday_positions_is_called_so() -> None:
    key = KEY._replace(product="MIS")
    contract = OurContract(key, "NIFTY", LOT, 0, 0, square_off_ms=1_001_500)
    world = World(Account(key), Books(contract))
    world.trade("BUY", 2 * LOT, "entry")
    world.account.trade("SELL", LOT)
    (found,) = world.settle()
    assert isinstance(found, Correct)
    assert found.reason == "square_off"
    early = replace(world.books.contract, square_off_ms=9_000_000, booked={}, sold=0)
    world.books.contract = early
    (found,) = world.settle()
    assert isinstance(found, Correct)
    assert found.reason == "manual"


@pytest.mark.parametrize("is_gone", [False, True])
def test_what_is_held_at_expiry_is_settled(is_gone: bool) -> None:
    world = World(
        Account(carried=0 if is_gone else LOT),
        Books(OurContract(KEY, "NIFTY", LOT, LOT, 0, has_expired=True)),
    )
    found = world.settle()
    assert Correct(KEY, "SELL", LOT, "expiry") in found
    assert world.books.contract.held == 0


def test_750_sold_and_375_held_is_oversold_and_confirmed_by_two_snapshots() -> None:
    world = bought(375)
    world.trade("SELL", 375, "exit-0")
    world.trade("SELL", 375, "exit-1")
    assert world.look() == (Unconfirmed(KEY, Oversold(KEY, 375)),)
    assert world.look() == (Oversold(KEY, 375),)
    world.books.send("BUY", 375, "cover", is_cover=True)
    assert not [one for one in world.settle() if isinstance(one, Oversold)]
    world.account.trade("BUY", 375, "cover")
    world.settle()
    assert world.look() == (Agree(KEY),)
    assert world.account.net == world.books.contract.held == 0


def test_our_sale_after_a_sale_by_hand_is_what_oversold() -> None:
    world = bought(375)
    world.account.trade("SELL", 375)
    world.trade("SELL", 375, "exit")
    found = world.settle()
    assert [type(one) for one in found] == [Correct, Oversold]
    assert world.settle() == (Oversold(KEY, 375),)


def test_a_short_made_by_hand_is_never_touched() -> None:
    world = bought(375)
    world.trade("SELL", 375, "exit")
    world.account.trade("SELL", 375)
    assert world.settle() == (Agree(KEY), Foreign(KEY, -375))


def test_a_purchase_by_hand_covers_a_manual_short_first_and_then_what_we_oversold() -> None:
    world = bought()
    world.trade("SELL", LOT, "exit-0")
    world.account.trade("SELL", LOT)
    world.trade("SELL", LOT, "exit-1")
    world.account.trade("BUY", LOT)
    assert world.settle() == (Oversold(KEY, LOT),)
    world.account.trade("BUY", LOT)
    (found,) = world.settle()
    assert isinstance(found, Correct)
    assert (found.transaction_type, found.quantity) == ("BUY", LOT)
    assert world.look() == (Agree(KEY),)


def test_a_fill_between_the_lists_of_a_snapshot_raises_no_alarm() -> None:
    world = bought()
    early = world.account.snapshot()
    world.trade("SELL", LOT, "exit")
    torn = AccountSnapshot(early.orders, early.trades, world.account.positions())
    assert [type(one) for one in world.look(torn)] == [Unconfirmed]
    assert world.look() == (Agree(KEY),)


def test_equal_holes_around_two_different_fills_raise_no_alarm() -> None:
    world = bought(3 * LOT)
    for number in range(3):
        early = world.account.snapshot()
        world.books.send("SELL", LOT, f"exit-{number}")
        world.account.trade("SELL", LOT, f"exit-{number}")
        torn = AccountSnapshot(early.orders, early.trades, world.account.positions())
        found = world.look(torn)
        assert not [one for one in found if isinstance(one, Quarantine | Correct | Oversold)]
        world.books.hear(world.account.orders[-1])


def test_units_that_no_trade_explains_are_a_quarantine_and_booked_after_five_minutes() -> None:
    world = World(Account(carried=0), Books(OurContract(KEY, "NIFTY", LOT, LOT, 0)))
    other = NetPosition("NFO", "OTHER", "NRML", 0)
    whole = replace(world.account.snapshot(), positions=(other,))
    why = f"the account lacks {LOT} units, and no trade says why"
    assert world.look(whole) == (Unconfirmed(KEY, Quarantine(KEY, "NIFTY", why)),)
    for _ in range(GONE_READS - 2):
        assert world.look(whole) == (Quarantine(KEY, "NIFTY", why),)
    assert world.reconciler.quarantines == {"NIFTY": why}
    assert world.look(whole)[1] == Correct(KEY, "SELL", LOT, "earlier_day")


def test_a_purchase_of_what_the_owner_is_short_of_by_hand_is_a_quarantine() -> None:
    world = World()
    world.account.trade("SELL", LOT)
    world.trade("BUY", LOT, "entry")
    for _ in range(3 * GONE_READS):
        found = world.look()
        assert not [one for one in found if isinstance(one, Correct)]
    why = f"the account lacks {LOT} units of ours: its owner is short of as many"
    assert found == (Quarantine(KEY, "NIFTY", why), Foreign(KEY, -LOT))


def test_a_broker_without_a_single_position_never_makes_ours_disappear() -> None:
    world = World(Account(carried=0), Books(OurContract(KEY, "NIFTY", LOT, LOT, 0)))
    empty = replace(world.account.snapshot(), positions=())
    for _ in range(3 * GONE_READS):
        assert not [one for one in world.look(empty) if isinstance(one, Correct)]


def test_units_moved_to_another_product_are_a_quarantine_that_says_so() -> None:
    world = World(Account(carried=0), Books(OurContract(KEY, "NIFTY", LOT, LOT, 0)))
    moved = NetPosition(KEY.exchange, KEY.tradingsymbol, "MIS", LOT)
    whole = replace(world.account.snapshot(), positions=(moved,))
    for _ in range(3 * GONE_READS):
        found = world.look(whole)
        assert not [one for one in found if isinstance(one, Correct)]
    assert world.reconciler.quarantines == {"NIFTY": f"{LOT} units were moved to product MIS"}


def test_a_fill_that_the_brokers_trades_do_not_show_is_a_quarantine_until_they_do() -> None:
    world = bought()
    hidden = replace(world.account.snapshot(), trades=())
    for _ in range(2):
        found = world.look(hidden)
    assert found[0] == Quarantine(
        KEY, "NIFTY", f"the broker's trades lack {LOT} units that we booked"
    )
    assert world.look() == (Agree(KEY),)
    assert world.reconciler.quarantines == {}


def test_a_confirmed_quarantine_holds_while_the_account_moves() -> None:
    world = World(Account(carried=0), Books(OurContract(KEY, "NIFTY", LOT, LOT, 0)))
    world.look()
    world.look()
    world.trade("BUY", LOT, "entry")
    found = world.look()
    assert [type(one) for one in found] == [Quarantine]


def test_rows_that_nobody_needs_spoil_nothing_and_are_named() -> None:
    world = bought()
    rows = (
        UnreadableRow("order", "order 5", "NSE", "INFY"),
        UnreadableRow("trade", "trade 9", "NFO", KEY.tradingsymbol),
        UnreadableRow("position", "position 2", "NSE", "INFY"),
    )
    assert world.look(world.account.snapshot(*rows)) == (Agree(KEY),)
    seen = view_of(world.reconciler, world.account.now_ms)
    assert seen.unreadable == ("order order 5", "trade trade 9", "position position 2")


@pytest.mark.parametrize(
    "row",
    [
        UnreadableRow("position", "position 2", "NFO", KEY.tradingsymbol),
        UnreadableRow("order", "order 5", tag="entry"),
    ],
)
def test_a_row_that_is_needed_and_unreadable_is_a_quarantine(row: UnreadableRow) -> None:
    world = bought()
    for _ in range(2):
        found = world.look(world.account.snapshot(row))
    assert found[0] == Quarantine(KEY, "NIFTY", f"{row.kind} {row.name} cannot be read")


def test_a_trade_without_exchange_and_product_belongs_where_its_order_does() -> None:
    world = bought()
    vague = [replace(one, exchange="", product="") for one in world.account.trades]
    assert world.look(replace(world.account.snapshot(), trades=tuple(vague))) == (Agree(KEY),)


def test_a_trade_without_a_time_has_that_of_its_order() -> None:
    world = bought()
    number = world.account.trade("SELL", LOT)
    timeless = [replace(one, fill=replace(one.fill, at_ms=0)) for one in world.account.trades]
    for _ in range(2):
        (found,) = world.look(replace(world.account.snapshot(), trades=tuple(timeless)))
    assert isinstance(found, Correct)
    assert (found.trade, found.at_ms) == ((number, "2"), 1_002_000)


def test_a_trade_whose_contract_nobody_knows_is_unreadable_and_named() -> None:
    world = bought()
    (own,) = world.account.trades
    stranger = Trade("77", "INFY", "BUY", own.fill)
    seen = replace(world.account.snapshot(), trades=(own, stranger))
    assert world.look(seen) == (Agree(KEY),)
    assert view_of(world.reconciler, 0).unreadable == ("trade 1",)


def test_trade_ids_that_come_again_for_another_order_are_other_trades() -> None:
    world = bought()
    world.account.trade("SELL", LOT)
    again = [replace(one, fill=replace(one.fill, fill_id="1")) for one in world.account.trades]
    for _ in range(2):
        (found,) = world.look(replace(world.account.snapshot(), trades=tuple(again)))
    assert isinstance(found, Correct)


def test_a_trade_listed_twice_counts_once() -> None:
    world = bought()
    twice = replace(world.account.snapshot(), trades=(*world.account.trades,) * 2)
    assert world.look(twice) == (Agree(KEY),)


def test_contracts_and_orders_of_the_owner_are_recognised_and_left_alone() -> None:
    world = bought()
    other = Account(KEY._replace(tradingsymbol="BANKNIFTY26JUN55000PE"))
    other.trade("SELL", 30)
    other.rest("BUY", 30)
    own = world.account.snapshot()
    whole = AccountSnapshot(
        (*own.orders, *other.orders),
        (*own.trades, *other.trades),
        (*own.positions, *other.positions()),
    )
    assert world.look(whole) == (Agree(KEY), Foreign(other.key, -30, buying=30))
    assert world.reconciler.last_clean_ms == world.account.now_ms


def test_an_order_of_our_tag_under_another_id_is_adopted() -> None:
    world = bought()
    world.account.rest("BUY", LOT, "entry")
    found, _ = world.look(), None
    assert [type(one) for one in found] == [Adopt]


def strayed(filled: int, status: OrderStatus) -> World:
    """A purchase of ours stands under two ids; our books count the fills of both by its tag."""
    world = bought()
    world.account.rest("BUY", LOT, "entry")
    world.account.orders[-1] = replace(world.account.orders[-1], status=status)
    if filled:
        world.account.orders.pop()
        world.account.trade("BUY", filled, "entry")
    (order,) = world.books.contract.orders
    order = replace(order, filled=LOT + filled)
    world.books.contract = replace(world.books.contract, bought=LOT + filled, orders=(order,))
    return world


@pytest.mark.parametrize(("filled", "status"), [(LOT, "COMPLETE"), (0, "CANCELLED")])
def test_a_second_order_of_our_tag_that_is_over_and_booked_agrees(
    filled: int, status: OrderStatus
) -> None:
    assert strayed(filled, status).look() == (Agree(KEY),)


def test_a_second_order_of_our_tag_that_works_is_adopted_each_time() -> None:
    world = strayed(0, "OPEN")
    for _ in range(2):
        assert [type(one) for one in world.look()] == [Adopt]


def test_an_order_in_doubt_that_ended_at_the_broker_is_adopted() -> None:
    world = World()
    world.books.send("BUY", LOT, "entry")
    world.account.rest("BUY", LOT, "entry")
    world.account.orders[-1] = replace(world.account.orders[-1], status="REJECTED")
    assert [type(one) for one in world.look()] == [Adopt]


@pytest.mark.parametrize("carried", [0, LOT])
def test_what_was_settled_agrees_while_the_account_still_shows_it(carried: int) -> None:
    bought_before = OurContract(KEY, "NIFTY", LOT, carried, 0)
    world = World(Account(carried=carried), Books(bought_before))
    if not carried:
        world.trade("BUY", LOT, "entry")
    world.books.contract = replace(world.books.contract, has_expired=True)
    assert Correct(KEY, "SELL", LOT, "expiry") in world.settle()
    for _ in range(3):
        found = world.look()
        assert found[0] == Agree(KEY)
        assert not [one for one in found if isinstance(one, Quarantine | Correct | Oversold)]


def test_owed_funds_are_found() -> None:
    world = bought()
    margins = {
        "equity": Margin(Decimal(-5), Decimal(0)),
        "commodity": Margin(Decimal(0), Decimal(0)),
    }
    found = world.look(replace(world.account.snapshot(), margins=margins))
    assert found == (FundsShort("equity", Decimal(-5)), Agree(KEY))


def test_a_view_tells_outcome_units_and_reasons_by_contract() -> None:
    world = bought(2 * LOT)
    world.account.trade("BUY", LOT)
    world.look()
    world.account.trade("SELL", 2 * LOT)
    world.look()
    seen = view_of(world.reconciler, world.account.now_ms + 5)
    (one,) = seen.contracts
    assert (one.outcome, one.ours, one.account, one.by_hand) == ("unconfirmed", 150, 75, 0)
    assert one.why == (f"seen once: {LOT} units were sold by hand",)
    assert seen.age_ms == MINUTE_MS + 5 + 1000
    assert seen.clean_ms == world.account.now_ms - MINUTE_MS - 1000


FLATTEN = "FLATTEN" + "A" * 13


def test_what_a_flatten_sold_is_booked_as_flattened_and_ours_comes_before_the_owners() -> None:
    world = bought(2 * LOT)
    world.account.trade("BUY", LOT)
    world.account.trade("SELL", 2 * LOT, FLATTEN)
    found, *_ = world.settle()
    assert isinstance(found, Correct)
    assert (found.quantity, found.reason) == (2 * LOT, "flattened")
    assert world.look() == (Agree(KEY), Foreign(KEY, LOT))


def test_what_a_flatten_sold_too_much_and_bought_back_is_not_ours() -> None:
    world = bought()
    world.account.trade("SELL", 2 * LOT, FLATTEN)
    world.account.trade("BUY", LOT, FLATTEN)
    found, *_ = world.settle()
    assert isinstance(found, Correct)
    assert (found.quantity, found.reason) == (LOT, "flattened")
    assert world.look() == (Agree(KEY),)


def test_a_flatten_buys_back_what_our_orders_sold_too_much() -> None:
    world = bought()
    world.trade("SELL", 2 * LOT, "exit")
    world.account.trade("BUY", LOT, FLATTEN)
    found, *_ = world.settle()
    assert isinstance(found, Correct)
    assert (found.transaction_type, found.reason) == ("BUY", "flattened")
