"""Whatever we and the owner trade, and however snapshots are torn, nothing is told wrongly."""

from hypothesis import given
from hypothesis import strategies as st

from libs.broker.port import ContractState, Side
from services.executor.domain.reconciliation import (
    AccountSnapshot,
    Adopt,
    Agree,
    Correct,
    Foreign,
    Oversold,
    Quarantine,
    sellable,
)
from tests.proofs import examples
from tests.unit.services.executor.reconciliation.accounts import LOT, Account, World

lots = st.integers(1, 4).map(lambda number: number * LOT)
acts = st.tuples(st.sampled_from(["buy", "sell", "buy by hand", "sell by hand", "settle"]), lots)


def sell(world: World, asked: int, tag: str) -> None:
    """Sell what the short read before a sale allows."""
    state = ContractState(world.account.positions(), ())
    sale = sellable(asked, world.books.contract, state)
    quantity = min(sale.quantity, max(0, world.books.contract.held))
    if quantity:
        world.trade("SELL", quantity, tag)


def play(world: World, story: list[tuple[str, int]]) -> None:
    for act, quantity in story:
        tag = f"order-{len(world.account.orders)}"
        if act == "buy":
            world.trade("BUY", quantity, tag)
        elif act == "sell":
            sell(world, quantity, tag)
        elif act == "settle":
            world.settle()
        else:
            world.account.trade("BUY" if act == "buy by hand" else "SELL", quantity)


@examples(200)
@given(st.lists(acts, max_size=12), st.integers(0, 2))
def test_after_any_trading_books_and_account_agree_to_the_unit(
    story: list[tuple[str, int]], carried: int
) -> None:
    world = World(Account(carried=carried * LOT))
    play(world, story)
    world.settle()
    first, *more = world.look()
    held = world.books.contract.held
    by_hand = sum(one.quantity for one in more if isinstance(one, Foreign))
    assert world.account.net == held + by_hand
    if isinstance(first, Oversold):
        assert held == -first.quantity
    elif isinstance(first, Quarantine):  # we bought what the owner is short of
        assert by_hand < 0 < held
    else:
        assert isinstance(first, Agree)
        assert 0 <= held <= max(0, world.account.net)


@examples(200)
@given(st.lists(acts, max_size=12))
def test_where_each_sale_by_hand_is_booked_before_our_next_one_nothing_is_oversold(
    story: list[tuple[str, int]],
) -> None:
    world = World()
    for act in story:
        play(world, [act, ("settle", 0)])
        found = world.look()
        assert not [one for one in found if isinstance(one, Oversold)]


@examples(200)
@given(st.data(), st.integers(1, 10))
def test_snapshots_that_are_torn_anywhere_between_our_own_fills_raise_no_alarm(
    data: st.DataObject, fills: int
) -> None:
    world = World()
    for number in range(fills):
        side: Side = data.draw(st.sampled_from(("BUY", "SELL")))
        quantity = LOT if side == "BUY" else min(LOT, world.books.contract.held)
        before = world.account.snapshot()
        books_hear_at_once = data.draw(st.booleans())
        if quantity:
            world.books.send(side, quantity, f"order-{number}")
            world.account.trade(side, quantity, f"order-{number}")
        after = world.account.snapshot()
        torn = [data.draw(st.booleans()) for _ in range(2)]
        orders = after.orders if all(torn) else before.orders
        trades = after.trades if torn[0] else before.trades
        if quantity and books_hear_at_once:
            world.books.hear(world.account.orders[-1])
        found = world.look(AccountSnapshot(orders, trades, after.positions))
        assert not [one for one in found if isinstance(one, Correct | Oversold | Quarantine)]
        if quantity and not books_hear_at_once:
            world.books.hear(world.account.orders[-1])
    assert [type(one) for one in world.look()] == [Agree]


@examples(100)
@given(st.lists(acts, max_size=12))
def test_what_is_adopted_late_changes_nothing_of_what_is_found(
    story: list[tuple[str, int]],
) -> None:
    """The books that hear of fills from snapshots alone end as those that hear at once."""
    prompt, late = World(), World()
    for number, (act, quantity) in enumerate(story):
        play(prompt, [("buy" if act == "sell" else act, quantity)] if act != "settle" else [])
        side: Side = "SELL" if act == "sell by hand" else "BUY"
        is_ours = act in {"buy", "sell"}
        if act != "settle":
            tag = f"entry-{number}" if is_ours else ""
            if is_ours:
                late.books.send("BUY", quantity, tag)
            late.account.trade(side, quantity, tag)
    for world in (prompt, late):
        for _ in range(3):
            world.settle()
    assert late.books.contract.held == prompt.books.contract.held
    assert not [one for one in late.look() if isinstance(one, Adopt)]
