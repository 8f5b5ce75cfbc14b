from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from libs.broker.port import Fill, fill_of_order, is_from_order, unbooked

PRICES = st.decimals("90", "110", places=2)


def fill(fill_id: str, quantity: int, price: str = "100") -> Fill:
    return Fill(fill_id, quantity, Decimal(price), 1)


def told(filled: int, average: str = "100", *booked: Fill) -> Fill:
    made = fill_of_order("77", booked, filled, Decimal(average), 1)
    assert made is not None
    return made


def test_of_trades_the_ones_with_other_ids_are_not_booked() -> None:
    first, second = fill("1", 50), fill("2", 25)
    assert unbooked([first], [first, second]) == (second,)
    assert unbooked([], [first, second]) == (first, second)
    assert unbooked([first, second], [first]) == ()


def test_a_fill_told_from_an_order_says_so_and_is_unique() -> None:
    made = told(75, "109.4")
    assert is_from_order(made)
    assert (made.quantity, made.price, made.fill_id) == (75, Decimal("109.4"), "order-77-75")
    assert not is_from_order(fill("77", 75))


def test_of_a_second_part_the_price_is_what_the_average_leaves_for_it() -> None:
    first = told(25, "100")
    second = told(75, "102", first)
    assert (second.quantity, second.price) == (50, Decimal(103))


def test_an_order_that_shows_no_price_tells_no_fill() -> None:
    assert fill_of_order("77", (), 75, Decimal(0), 1) is None
    assert fill_of_order("77", [fill("1", 75)], 75, Decimal(100), 1) is None


def test_trades_of_a_fill_that_was_told_from_the_order_confirm_it() -> None:
    booked = [told(75)]
    assert unbooked(booked, [fill("1", 50), fill("2", 25)]) == ()
    assert unbooked(booked, [fill("1", 50)]) == ()
    assert unbooked(booked, [fill("1", 75, "101")]) == ()  # at a price that differs


def test_trades_beyond_what_was_told_are_booked_by_their_units_once() -> None:
    booked = [told(50)]
    trades = [fill("1", 30), fill("2", 40, "101")]
    (part,) = unbooked(booked, trades)
    assert part == fill("2", 20, "101")
    assert unbooked([*booked, part], trades) == ()
    (rest,) = unbooked([*booked, part], [*trades, fill("3", 5)])
    assert rest == fill("3", 5)


def test_what_an_order_tells_after_a_restart_adds_only_what_trades_did_not() -> None:
    booked = [fill("1", 25, "100")]
    (part,) = unbooked(booked, [told(75, "102")])
    assert (part.fill_id, part.quantity, part.price) == ("order-77-75", 50, Decimal(103))
    assert unbooked([*booked, part], [told(75, "102")]) == ()
    assert unbooked([*booked, part], [fill("1", 25), fill("2", 50)]) == ()


@given(
    st.lists(st.tuples(st.integers(1, 50), PRICES), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 6), st.booleans()), max_size=12),
)
def test_each_unit_is_booked_once_whichever_way_it_is_told(
    sizes: list[tuple[int, Decimal]], tellings: list[tuple[int, bool]]
) -> None:
    trades = [Fill(str(n), units, price, 1) for n, (units, price) in enumerate(sizes)]
    booked: list[Fill] = []
    for seen, from_order in [*tellings, (len(trades), False)]:
        known = trades[:seen]
        units = sum(one.quantity for one in known)
        value = sum((one.price * one.quantity for one in known), Decimal(0))
        before = sum(one.quantity for one in booked)
        shown = [told(units, str(value / units))] if from_order and units else known
        booked += unbooked(booked, shown)
        assert sum(one.quantity for one in booked) == max(before, units)
    assert len({one.fill_id for one in booked}) == len(booked)
    assert all(one.quantity > 0 and one.price > 0 for one in booked)
