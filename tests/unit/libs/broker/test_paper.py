import asyncio
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.broker.errors import OrderRefused
from libs.broker.paper import PaperBroker, PaperRules
from libs.broker.port import OrderRequest, OrderUpdate
from libs.market.quotes import QuoteBook
from tests.unit.libs.broker.builders import PLACED_MS, quoted, quotes, request, sale

NAN = float("nan")


def broker_with(*requests: OrderRequest, slippage: float = 0.001) -> PaperBroker:
    broker = PaperBroker(PaperRules(latency_ms=500, slippage=slippage))
    for one in requests:
        asyncio.run(broker.place(one))
    return broker


def quote_again(seen: QuoteBook, after_ms: int, ask: float = 100.5) -> None:
    """Let the same book of quotes have a later one."""
    seen.update(**{name: [value] for name, value in quoted(after_ms, ask=ask).items()})


def book(broker: PaperBroker) -> Sequence[OrderUpdate]:
    return asyncio.run(broker.orders())


def fills(broker: PaperBroker) -> list[tuple[int, Decimal]]:
    return [(fill.quantity, fill.price) for update in book(broker) for fill in update.fills]


@pytest.mark.parametrize(
    ("order", "price"), [(request(), Decimal("100.5")), (sale(), Decimal("99.5"))]
)
def test_an_order_fills_at_the_other_side_of_the_quote(order: OrderRequest, price: Decimal) -> None:
    broker = broker_with(order)
    broker.on_quotes(quotes(500))
    (update,) = broker.take_updates()
    assert [(fill.quantity, fill.price) for fill in update.fills] == [(150, price)]
    assert (update.status, update.tag, update.at_ms) == ("COMPLETE", order.tag, PLACED_MS + 500)


@pytest.mark.parametrize(("after_ms", "is_filled"), [(0, False), (499, False), (500, True)])
def test_only_quotes_from_placing_and_latency_on_count(after_ms: int, is_filled: bool) -> None:
    broker = broker_with(request())
    broker.on_quotes(quotes(after_ms))
    assert bool(broker.take_updates()) == is_filled


def test_the_first_quote_that_counts_gives_the_price() -> None:
    broker = broker_with(sale())
    broker.on_quotes(quotes(400, bid=90.0))
    broker.on_quotes(quotes(700, bid=99.0))
    broker.on_quotes(quotes(800, bid=98.0))
    assert fills(broker) == [(150, Decimal(99))]


@pytest.mark.parametrize(("bid", "ask"), [(0.0, 0.0), (NAN, NAN), (101.0, 100.0)])
@pytest.mark.parametrize(
    ("order", "price"), [(request(), Decimal("100.10")), (sale(), Decimal("99.90"))]
)
def test_without_any_side_or_with_crossed_ones_the_last_price_counts_with_slippage_against_us(
    order: OrderRequest, price: Decimal, bid: float, ask: float
) -> None:
    broker = broker_with(order)
    broker.on_quotes(quotes(500, bid=bid, ask=ask))
    assert fills(broker) == [(150, price)]


@pytest.mark.parametrize("bid", [0.0, NAN])
def test_a_sale_without_a_bid_fills_nothing_whatever_the_last_price_says(bid: float) -> None:
    broker = broker_with(sale(), request(price=Decimal(30)))
    broker.on_quotes(quotes(500, bid=bid, ask=12.0, last_price=40.0))
    sold, bought = book(broker)
    assert sold.fills == ()
    assert [(fill.quantity, fill.price) for fill in bought.fills] == [(150, Decimal(12))]


def test_a_purchase_without_an_ask_fills_nothing_and_a_sale_meets_the_bid() -> None:
    broker = broker_with(sale(), request(price=Decimal(300)))
    broker.on_quotes(quotes(500, bid=39.0, ask=0.0, bid_quantity=100, last_price=40.0))
    sold, bought = book(broker)
    assert [(fill.quantity, fill.price) for fill in sold.fills] == [(100, Decimal(39))]
    assert bought.fills == ()


@pytest.mark.parametrize(
    ("order", "price"), [(request(), Decimal("100.20")), (sale(), Decimal("99.90"))]
)
def test_slippage_is_rounded_to_the_tick_against_us(order: OrderRequest, price: Decimal) -> None:
    broker = broker_with(order)
    broker.on_quotes(quotes(500, bid=0.0, ask=0.0, last_price=100.05))  # 100.15005 and 99.94995
    assert fills(broker) == [(150, price)]


def test_a_sale_brings_at_least_one_tick() -> None:
    broker = broker_with(sale())
    broker.on_quotes(quotes(500, bid=0.0, ask=0.0, last_price=0.05))
    assert fills(broker) == [(150, Decimal("0.05"))]


@pytest.mark.parametrize("last_price", [0.0, NAN])
def test_without_any_price_nothing_fills(last_price: float) -> None:
    broker = broker_with(request())
    broker.on_quotes(quotes(500, bid=0.0, ask=0.0, last_price=last_price))
    assert fills(broker) == []


@pytest.mark.parametrize(("ask", "is_filled"), [(101.0, True), (101.05, False)])
def test_a_purchase_never_pays_more_than_its_limit(ask: float, is_filled: bool) -> None:
    broker = broker_with(request())
    broker.on_quotes(quotes(500, ask=ask))
    assert bool(fills(broker)) == is_filled


@pytest.mark.parametrize(("bid", "is_filled"), [(99.0, True), (98.95, False)])
def test_a_sale_never_takes_less_than_its_limit(bid: float, is_filled: bool) -> None:
    broker = broker_with(sale(order_type="LIMIT", price=Decimal(99)))
    broker.on_quotes(quotes(500, bid=bid))
    assert bool(fills(broker)) == is_filled


def test_a_limit_holds_for_the_last_price_too_and_the_order_waits() -> None:
    broker = broker_with(request())
    broker.on_quotes(quotes(500, bid=0.0, ask=0.0, last_price=101.0))
    assert fills(broker) == []
    broker.on_quotes(quotes(600, ask=100.0))
    assert fills(broker) == [(150, Decimal(100))]


def test_a_quote_fills_at_most_its_quantity_and_each_later_quote_more() -> None:
    broker = broker_with(request())
    broker.on_quotes(quotes(500, ask_quantity=75))
    broker.on_quotes(quotes(500, ask_quantity=75))  # the same quote, seen again
    assert fills(broker) == [(75, Decimal("100.5"))]
    broker.on_quotes(quotes(600, ask=100.6, ask_quantity=50))
    broker.on_quotes(quotes(700, ask=100.7, ask_quantity=500))
    assert [quantity for quantity, _ in fills(broker)] == [75, 50, 25]
    statuses = [update.status for update in broker.take_updates()]
    assert statuses == ["OPEN", "OPEN", "COMPLETE"]


def test_a_side_without_quantity_fills_nothing() -> None:
    broker = broker_with(request())
    broker.on_quotes(quotes(500, ask_quantity=0))
    assert fills(broker) == []


def test_orders_share_the_quantity_of_one_quote() -> None:
    broker = broker_with(request("A" * 20), request("C" * 20), sale())
    broker.on_quotes(quotes(500, ask_quantity=200, bid_quantity=150))
    assert [quantity for quantity, _ in fills(broker)] == [150, 50, 150]


def test_a_cancelled_order_keeps_its_fills_and_fills_no_more() -> None:
    broker = broker_with(request())
    broker.on_quotes(quotes(500, ask_quantity=75))
    broker.take_updates()
    asyncio.run(broker.cancel(book(broker)[0].broker_order_id))
    (update,) = broker.take_updates()
    assert (update.status, update.reason) == ("CANCELLED", "cancelled on request")
    assert [fill.quantity for fill in update.fills] == [75]
    broker.on_quotes(quotes(600))
    assert broker.take_updates() == []


def test_a_cancellation_comes_after_the_quotes_that_came_before_it() -> None:
    """With 65 s between two quotes the order's timeout is over when the second one comes."""
    broker, seen = broker_with(request()), quotes(0)
    broker.on_quotes(seen)
    quote_again(seen, 65_000)
    asyncio.run(broker.cancel(book(broker)[0].broker_order_id))
    (update,) = broker.take_updates()
    assert (update.status, update.filled_quantity) == ("COMPLETE", 150)


def test_an_order_that_the_last_quotes_do_not_fill_times_out_by_them() -> None:
    broker, seen = broker_with(request()), quotes(0)
    broker.on_quotes(seen)
    quote_again(seen, 65_000, ask=102.0)
    asyncio.run(broker.cancel(book(broker)[0].broker_order_id))
    (update,) = broker.take_updates()
    assert (update.status, update.filled_quantity) == ("CANCELLED", 0)


def test_without_newer_quotes_a_cancellation_fills_nothing() -> None:
    broker = broker_with(request())
    broker.on_quotes(quotes(499))
    asyncio.run(broker.cancel(book(broker)[0].broker_order_id))
    assert [update.status for update in broker.take_updates()] == ["CANCELLED"]


def test_an_order_that_rests_lapses_at_the_end_of_its_day() -> None:
    broker = broker_with(request(price=Decimal(90)))
    broker.on_quotes(quotes(500))
    broker.on_quotes(quotes(24 * 3_600_000, ask=80.0))
    (update,) = broker.take_updates()
    assert (update.status, update.reason) == ("CANCELLED", "lapsed at the end of the day")


def test_cancelling_twice_or_what_is_complete_or_unknown_does_nothing() -> None:
    broker = broker_with(request(), request("C" * 20))
    open_id, other_id = (update.broker_order_id for update in book(broker))
    asyncio.run(broker.cancel(open_id))
    assert len(broker.take_updates()) == 1
    broker.on_quotes(quotes(500))
    broker.take_updates()
    for broker_order_id in (open_id, other_id, "paper-unknown"):
        asyncio.run(broker.cancel(broker_order_id))
    assert broker.take_updates() == []
    assert [update.status for update in book(broker)] == ["CANCELLED", "COMPLETE"]


def test_a_modified_order_fills_at_its_new_price_and_up_to_its_new_quantity() -> None:
    broker = broker_with(request(price=Decimal(90)))
    broker.on_quotes(quotes(500))
    assert fills(broker) == []
    asyncio.run(broker.modify(book(broker)[0].broker_order_id, 225, Decimal("100.50")))
    broker.on_quotes(quotes(600, ask_quantity=150))
    broker.on_quotes(quotes(700))
    assert [quantity for quantity, _ in fills(broker)] == [150, 75]


def test_only_an_open_limit_order_can_be_modified_and_never_below_what_is_filled() -> None:
    broker = broker_with(request(), sale(), request("C" * 20, quantity=300, price=Decimal(90)))
    market, limit = (update.broker_order_id for update in book(broker)[1:])
    with pytest.raises(OrderRefused, match="not an open limit order"):
        asyncio.run(broker.modify(market, 75, Decimal(99)))
    broker.on_quotes(quotes(500, ask_quantity=200))
    complete = book(broker)[0].broker_order_id
    for over in (complete, "paper-unknown"):
        with pytest.raises(OrderRefused, match="not an open limit order"):
            asyncio.run(broker.modify(over, 600, Decimal(101)))
    asyncio.run(broker.modify(limit, 300, Decimal(101)))
    broker.on_quotes(quotes(600, ask_quantity=200))
    with pytest.raises(OrderRefused, match="200 units are filled already"):
        asyncio.run(broker.modify(limit, 200, Decimal(101)))
    assert [update.status for update in book(broker)] == ["COMPLETE", "COMPLETE", "OPEN"]


def test_an_order_can_be_modified_25_times() -> None:
    broker = broker_with(request(price=Decimal(90)))
    broker_order_id = book(broker)[0].broker_order_id
    for left in range(25, 0, -1):
        assert broker.modifications_left(broker_order_id) == left
        asyncio.run(broker.modify(broker_order_id, 150, Decimal(90)))
    with pytest.raises(OrderRefused, match="modified too often"):
        asyncio.run(broker.modify(broker_order_id, 150, Decimal(90)))
    assert broker.modifications_left("paper-unknown") == 0


def test_trades_are_the_fills_and_positions_what_they_add_up_to() -> None:
    broker = broker_with(request(), sale(quantity=50), request("C" * 20, tradingsymbol="OTHER"))
    broker.on_quotes(quotes(500, ask_quantity=200))
    trades = asyncio.run(broker.trades())
    assert [(one.broker_order_id, one.transaction_type, one.fill.quantity) for one in trades] == [
        (f"paper-{'A' * 20}", "BUY", 150),
        (f"paper-{'B' * 20}", "SELL", 50),
        (f"paper-{'C' * 20}", "BUY", 50),
    ]
    assert {(one.exchange, one.product) for one in trades} == {("NFO", "NRML")}
    held = asyncio.run(broker.positions())
    assert [(one.tradingsymbol, one.quantity) for one in held] == [
        ("NIFTY2661625000CE", 100),
        ("OTHER", 50),
    ]
    assert broker.describe() == {"orders": 3, "working": 1}


def test_updates_are_waited_for_only_where_nobody_has_taken_them() -> None:
    async def story() -> None:
        broker = PaperBroker(PaperRules())
        waiting = asyncio.create_task(broker.updated())
        await asyncio.sleep(0)
        await broker.place(request())
        broker.on_quotes(quotes(500))
        assert len(broker.take_updates()) == 1  # in the same turn: who waits finds nothing
        await asyncio.sleep(0)
        assert not waiting.done()
        await broker.place(request("C" * 20))
        broker.on_quotes(quotes(600))
        await waiting

    asyncio.run(story())


def test_a_tag_that_was_used_before_is_refused_and_places_nothing() -> None:
    broker = broker_with(request())
    with pytest.raises(OrderRefused, match="was placed before"):
        asyncio.run(broker.place(request(quantity=75)))
    assert len(book(broker)) == 1


@pytest.mark.parametrize("quantity", [0, -75])
def test_an_order_for_nothing_is_refused(quantity: int) -> None:
    broker = broker_with()
    with pytest.raises(OrderRefused, match="quantity must be positive"):
        asyncio.run(broker.place(request(quantity=quantity)))
    assert book(broker) == []


def test_an_order_can_be_looked_up_by_its_tag_at_once() -> None:
    broker = broker_with(request())
    (update,) = book(broker)
    assert (update.tag, update.status, update.fills) == ("A" * 20, "OPEN", ())
    assert asyncio.run(broker_with().place(request())) == update.broker_order_id


def test_an_update_is_told_once() -> None:
    broker = broker_with(request())
    broker.on_quotes(quotes(500))
    assert len(broker.take_updates()) == 1
    assert broker.take_updates() == []


def test_quotes_of_another_contract_fill_nothing() -> None:
    broker = broker_with(request())
    broker.on_quotes(quotes(500, token=42))
    assert fills(broker) == []


stories = st.lists(
    st.tuples(st.integers(90, 110), st.integers(0, 100), st.integers(0, 3)), max_size=15
)


@given(stories, st.integers(1, 300), st.sampled_from(["LIMIT", "MARKET"]))
def test_no_story_of_quotes_fills_too_much_or_past_the_limit(
    story: list[tuple[int, int, int]], quantity: int, order_type: str
) -> None:
    broker = broker_with(request(quantity=quantity, order_type=order_type))
    after_ms, offered = 0, 0
    for ask, available, seconds in story:
        after_ms += seconds * 1000
        offered += available if seconds else 0
        broker.on_quotes(quotes(after_ms, bid=80.0, ask=float(ask), ask_quantity=available))
    filled = sum(units for units, _ in fills(broker))
    assert filled <= min(quantity, offered)
    assert all(units > 0 for units, _ in fills(broker))
    if order_type == "LIMIT":
        assert all(price <= 101 for _, price in fills(broker))
    ids = [fill.fill_id for update in book(broker) for fill in update.fills]
    assert len(ids) == len(set(ids))
