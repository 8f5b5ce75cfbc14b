import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from libs.events.ticks import TickColumns
from services.simulator.domain.feed.depth import LEVELS, Depth, Steps, market_depth

COUNT = 4
PRICES = st.lists(st.integers(0, 200_000), min_size=COUNT, max_size=COUNT)
QUANTITIES = st.lists(st.integers(0, 50_000), min_size=COUNT, max_size=COUNT)
NIFTY_LOT = 65


def steps(count: int = COUNT) -> Steps:
    return Steps(np.full(count, 100.0), np.full(count, 5), np.full(count, NIFTY_LOT))


def ticks(
    bid: list[int], spread: list[int], best: list[int], total: list[int], at_ms: int = 10**12
) -> TickColumns:
    """Ticks with bids in ticks of 5 paise; where the bid is 0, there is none."""
    whole = np.array(bid) * 5
    return TickColumns(
        instrument_token=np.arange(1, COUNT + 1, dtype=np.uint32) * 256 + 2,
        exchange_timestamp=np.full(COUNT, at_ms),
        last_price=whole / 100,
        total_buy_quantity=np.array(total),
        total_sell_quantity=np.array(total[::-1]),
        bid_price=whole / 100,
        bid_quantity=np.array(best),
        ask_price=(whole + np.array(spread) * 5 + 5) / 100,
        ask_quantity=np.array(best[::-1]),
    )


DEPTHS = st.builds(ticks, PRICES, PRICES, QUANTITIES, QUANTITIES)


def equal(left: Depth, right: Depth) -> bool:
    names = ("price", "quantity", "orders")
    return all(np.array_equal(getattr(left, name), getattr(right, name)) for name in names)


@given(DEPTHS)
def test_the_best_level_is_the_quote_itself(tick: TickColumns) -> None:
    depth = market_depth(tick, steps())
    for side, name in enumerate(("bid", "ask")):
        price, quantity = getattr(tick, f"{name}_price"), getattr(tick, f"{name}_quantity")
        is_there = (price > 0) & (quantity > 0)
        assert np.array_equal(depth.price[:, side, 0], np.rint(price * 100) * is_there)
        assert np.array_equal(depth.quantity[:, side, 0], quantity * is_there)


@given(DEPTHS)
def test_levels_go_away_from_the_middle_on_ticks_and_never_cross(tick: TickColumns) -> None:
    depth = market_depth(tick, steps())
    buy, sell = depth.price[:, 0].astype(float), depth.price[:, 1].astype(float)
    assert np.all((buy[:, 1:] < buy[:, :-1]) | (buy[:, 1:] == 0))
    assert np.all((sell[:, 1:] > sell[:, :-1]) | (sell[:, 1:] == 0))
    assert np.all(buy.max(axis=1) < np.where(sell > 0, sell, np.inf).min(axis=1))
    assert np.all(depth.price % 5 == 0)
    assert np.all(depth.price >= 0)


@given(DEPTHS)
def test_a_level_is_there_in_all_three_or_in_none(tick: TickColumns) -> None:
    depth = market_depth(tick, steps())
    assert np.array_equal(depth.price > 0, depth.quantity > 0)
    assert np.array_equal(depth.price > 0, depth.orders > 0)
    assert np.all(depth.orders <= np.maximum(depth.quantity, 1))


@given(DEPTHS)
def test_deeper_levels_are_whole_lots_within_the_total_where_it_allows(tick: TickColumns) -> None:
    depth = market_depth(tick, steps())
    assert np.all(depth.quantity[:, :, 1:] % NIFTY_LOT == 0)
    assert tick.total_buy_quantity is not None
    roomy = tick.total_buy_quantity >= depth.quantity[:, 0, 0] + 5 * LEVELS * NIFTY_LOT
    assert np.all(depth.quantity[:, 0].sum(axis=1)[roomy] <= tick.total_buy_quantity[roomy])


@given(DEPTHS, st.permutations(range(COUNT)))
def test_depth_of_a_tick_does_not_depend_on_its_company(
    tick: TickColumns, order: list[int]
) -> None:
    both = market_depth(tick, steps())
    turned = market_depth(tick.take(np.array(order)), steps())
    assert equal(turned, Depth(both.price[order], both.quantity[order], both.orders[order]))
    alone = market_depth(tick.take(slice(2, 3)), steps(1))
    assert equal(alone, Depth(both.price[2:3], both.quantity[2:3], both.orders[2:3]))


def test_depth_changes_with_the_second() -> None:
    given_ = ([20_000] * COUNT, [1] * COUNT, [650] * COUNT, [65_000] * COUNT)
    depths = [
        market_depth(ticks(*given_, at_ms=at_ms), steps()) for at_ms in (10**12, 10**12 + 999)
    ]
    assert equal(*depths)
    assert not equal(depths[0], market_depth(ticks(*given_, at_ms=10**12 + 1000), steps()))


def test_a_tick_without_bid_and_ask_has_no_depth() -> None:
    tick = TickColumns(np.array([256265], np.uint32), np.array([10**12]), np.array([25_000.0]))
    depth = market_depth(tick, steps(1))
    assert not depth.price.any()
    assert not depth.quantity.any()
    assert not depth.orders.any()


def test_what_is_no_number_is_no_price() -> None:
    tick = ticks([20_000] * COUNT, [1] * COUNT, [650] * COUNT, [65_000] * COUNT)
    assert tick.bid_price is not None
    tick.bid_price[0] = np.nan
    depth = market_depth(tick, steps())
    assert not depth.price[0, 0].any()
    assert depth.price[0, 1].all()
