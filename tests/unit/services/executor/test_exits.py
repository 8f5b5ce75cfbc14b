from decimal import Decimal
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from libs.events.event import utc_from_ms
from libs.events.orders import OrderPlanned, OrderUnresolved
from libs.events.positions import PositionClosed
from services.executor.domain.plans import position_id_of
from services.executor.domain.policy import Policy, RiskLimits, Sizing
from tests.proofs import examples
from tests.unit.services.executor.builders import (
    LOT,
    NEXT_DAY,
    NOW,
    at,
    chain_rows,
    exit_requested,
    list_chain,
    make_executor,
    position,
    signal,
    ticks,
)
from tests.unit.services.executor.venue import Trading

POSITION = position_id_of(signal().signal_id)
BIG = Policy(sizing=Sizing(capital=Decimal(100_000_000)), limits=RiskLimits(lots_a_trade=30))


def entered(policy: Policy | None = None) -> Trading:
    """An entry is working at the venue, without a fill."""
    trading = Trading(list_chain(make_executor(policy=policy)))
    trading.hear(signal())
    return trading


def holding(policy: Policy | None = None) -> Trading:
    """An entry that filled completely."""
    trading = entered(policy)
    for one in trading.plans("entry"):
        trading.fill(one.tag, one.quantity)
    return trading


def leave(trading: Trading, lots: int | None = None, number: int = 1) -> None:
    trading.hear(exit_requested(POSITION, lots, number))


def tick(trading: Trading, seconds: int = 0) -> None:
    trading.now_ms += seconds * 1000
    trading.hear(ticks([], at_ms=trading.now_ms))


def token(plan: OrderPlanned) -> int:
    return plan.contract.instrument_token


def entry_of(trading: Trading) -> OrderPlanned:
    return trading.plans("entry")[0]


def test_an_exit_of_all_sells_what_is_held_at_the_bid() -> None:
    trading = holding()
    leave(trading)
    (sale,) = trading.plans("exit")
    bid = next(one.bid_price for one in chain_rows() if one.instrument_token == token(sale))
    assert (sale.transaction_type, sale.order_type) == ("SELL", "LIMIT")
    assert sale.price == Decimal(str(bid))
    assert sale.quantity == entry_of(trading).quantity
    assert sale.reason == "stop_loss"


def test_a_repeated_exit_request_is_not_sent_again() -> None:
    trading = holding()
    leave(trading)
    leave(trading)
    leave(trading, number=2)
    tick(trading, 60)
    assert len(trading.plans("exit")) == 1


def test_an_exit_of_some_lots_sells_only_these() -> None:
    trading = holding()
    leave(trading, lots=2)
    assert [one.quantity for one in trading.plans("exit")] == [2 * LOT]
    trading.fill(trading.plans("exit")[0].tag, 2 * LOT)
    tick(trading, 60)
    assert len(trading.plans("exit")) == 1


def test_the_stop_after_a_partial_exit_sells_the_rest() -> None:
    trading = holding()
    bought = entry_of(trading).quantity
    leave(trading, lots=2)
    trading.fill(trading.plans("exit")[0].tag, 2 * LOT)
    leave(trading, number=2)
    assert [one.quantity for one in trading.plans("exit")] == [2 * LOT, bought - 2 * LOT]
    assert trading.plans("exit")[1].reason == "stop_loss"


def test_two_partial_exits_add_up() -> None:
    trading = holding()
    leave(trading, lots=1, number=1)
    leave(trading, lots=2, number=2)
    assert [one.quantity for one in trading.plans("exit")] == [LOT, 2 * LOT]


def test_the_stop_after_a_booking_that_ended_as_a_market_order_begins_at_the_bid_again() -> None:
    trading = holding()
    leave(trading, lots=1)
    for _ in range(60):
        sale = trading.plans("exit")[-1]
        if sale.order_type == "MARKET":
            break
        tick(trading, 1)
        if trading.venue.orders[sale.tag].is_cancel_asked:
            trading.confirm_cancel(sale.tag)
    assert sale.order_type == "MARKET"
    trading.fill(sale.tag, sale.quantity)
    leave(trading, number=2)
    assert trading.plans("exit")[-1].order_type == "LIMIT"


def test_the_working_entry_is_cancelled_before_anything_is_sold() -> None:
    trading = entered()
    tag = entry_of(trading).tag
    trading.fill(tag, LOT)
    leave(trading)
    assert trading.venue.orders[tag].is_cancel_asked
    assert not trading.plans("exit")
    tick(trading, 10)
    assert not trading.plans("exit")
    trading.confirm_cancel(tag)
    assert [one.quantity for one in trading.plans("exit")] == [LOT]


def test_a_fill_that_crosses_the_cancellation_is_sold_too() -> None:
    trading = entered()
    tag = entry_of(trading).tag
    trading.fill(tag, LOT)
    leave(trading)
    trading.fill(tag, LOT)
    assert not trading.plans("exit")
    trading.confirm_cancel(tag)
    assert [one.quantity for one in trading.plans("exit")] == [2 * LOT]


def test_a_fill_after_the_confirmed_cancellation_is_sold_too() -> None:
    trading = entered()
    tag = entry_of(trading).tag
    trading.fill(tag, LOT)
    leave(trading)
    trading.confirm_cancel(tag)
    trading.fill(tag, LOT)
    assert [one.quantity for one in trading.plans("exit")] == [LOT, LOT]


def test_a_fill_after_the_position_closed_is_sold_too() -> None:
    trading = entered()
    tag = entry_of(trading).tag
    trading.fill(tag, LOT)
    leave(trading)
    trading.confirm_cancel(tag)
    trading.fill(trading.plans("exit")[0].tag, LOT)
    trading.hear(position(1, PositionClosed))
    trading.fill(tag, LOT)
    assert [one.quantity for one in trading.plans("exit")] == [LOT, LOT]


def test_a_refused_sale_of_such_a_fill_is_sent_again() -> None:
    trading = entered()
    tag = entry_of(trading).tag
    trading.fill(tag, LOT)
    leave(trading)
    trading.confirm_cancel(tag)
    trading.fill(trading.plans("exit")[0].tag, LOT)
    trading.hear(position(1, PositionClosed))
    trading.refuse_next = 1
    trading.fill(tag, LOT)
    tick(trading, 5)
    (anew,) = trading.venue.open_orders("SELL")
    assert anew.request.quantity == LOT


def test_an_exit_of_an_entry_without_fills_ends_in_an_expired_signal_and_no_sale() -> None:
    trading = entered()
    leave(trading)
    trading.confirm_cancel(entry_of(trading).tag)
    assert trading.types()[-1] == "SignalExpired"
    tick(trading, 60)
    assert not trading.plans("exit")


def test_a_refused_exit_is_sent_again_after_a_pause_under_another_tag() -> None:
    trading = holding()
    trading.refuse_next = 1
    leave(trading)
    trading.now_ms += 999
    tick(trading)
    assert len(trading.plans("exit")) == 1
    trading.now_ms += 1
    tick(trading)
    first, second = trading.plans("exit")
    assert first.quantity == second.quantity
    assert first.tag != second.tag
    assert list(trading.venue.orders)[-1] == second.tag


def test_an_exit_that_keeps_being_refused_is_not_sent_in_a_loop() -> None:
    trading = holding()
    trading.refuse_next = 1000
    leave(trading)
    sent_after = []
    for second in range(1, 301):
        before = len(trading.plans("exit"))
        tick(trading, 1)
        sent_after += [second] * (len(trading.plans("exit")) - before)
    assert sent_after == [1, 3, 7, 15, 31, 63, 123, 183, 243]
    alerts = [one.reason for one in trading.all(OrderUnresolved) if "refused" in one.reason]
    assert [reason.split(":")[1] for reason in alerts[:2]] == [
        " an exit was refused 3 times",
        " an exit was refused 7 times",
    ]


def test_an_exit_cancelled_half_way_sells_the_rest_later() -> None:
    trading = holding()
    leave(trading)
    sale = trading.plans("exit")[0]
    trading.fill(sale.tag, LOT)
    trading.confirm_cancel(sale.tag)
    tick(trading, 5)
    assert trading.plans("exit")[1].quantity == sale.quantity - LOT


def test_a_large_exit_goes_out_in_slices_within_the_freeze_quantity() -> None:
    trading = holding(BIG)
    leave(trading)
    assert [one.quantity for one in trading.plans("exit")] == [1800, 450]
    assert len(trading.venue.open_orders("SELL")) == 2


def test_refused_slices_are_all_retried_after_the_pause() -> None:
    trading = holding(BIG)
    trading.refuse_next = 2
    leave(trading)
    assert len(trading.plans("exit")) == 2
    tick(trading, 5)
    assert [one.quantity for one in trading.plans("exit")] == [1800, 450, 1800, 450]


def test_an_exit_of_an_unknown_position_does_nothing() -> None:
    trading = holding()
    assert trading.hear(exit_requested(uuid4())) == []


def test_an_exit_on_a_later_day_belongs_to_that_day() -> None:
    trading = holding()
    trading.now_ms = at(9, 16, day=NEXT_DAY)
    leave(trading)
    (sale,) = trading.plans("exit")
    assert sale.trading_day == NEXT_DAY
    assert sale.occurred_at == utc_from_ms(trading.now_ms)


class Venture:
    """One position through a random sequence, compared with the venue's records."""

    def __init__(self) -> None:
        self.trading = entered()
        self.wanted_lots = 0
        self.wants_all = False
        self.requests = 0

    @property
    def bought(self) -> int:
        return self.traded("BUY")

    @property
    def sold(self) -> int:
        return self.traded("SELL")

    def traded(self, side: str) -> int:
        orders = self.trading.venue.orders.values()
        return sum(
            one.request.quantity - one.left
            for one in orders
            if one.request.transaction_type == side
        )

    def step(self, action: str, size: int) -> None:
        venue, trading = self.trading.venue, self.trading
        buys, sales = venue.open_orders("BUY"), venue.open_orders("SELL")
        if action == "fill entry" and buys:
            trading.fill(buys[0].request.tag, min(25 * size, buys[0].left))
        elif action == "cancel entry" and buys and buys[0].is_cancel_asked:
            trading.confirm_cancel(buys[0].request.tag)
        elif action == "late fill":
            self.late_fill(size)
        elif action == "fill exit" and sales:
            trading.fill(sales[0].request.tag, min(25 * size, sales[0].left))
        elif action == "cancel exit" and sales:
            trading.confirm_cancel(sales[-1].request.tag)
        elif action == "refuse":
            trading.refuse_next = size
        elif action == "leave":
            self.leave(None)
        elif action == "leave some":
            self.leave(size)
        elif action == "tick":
            tick(trading, 3 * size)
        elif action == "repeat":
            trading.tell(*reversed(list(venue.orders)))
        elif action == "closed" and self.bought == self.sold > 0:
            trading.hear(position(1, PositionClosed))

    def late_fill(self, size: int) -> None:
        for one in list(self.trading.venue.orders.values()):
            is_entry = one.request.transaction_type == "BUY"
            if is_entry and one.status == "CANCELLED" and one.left:
                self.trading.fill(one.request.tag, min(25 * size, one.left))

    def leave(self, lots: int | None) -> None:
        self.requests += 1
        self.wants_all |= lots is None
        self.wanted_lots += lots or 0
        leave(self.trading, lots, self.requests)

    def check(self) -> None:
        working = sum(one.left for one in self.trading.venue.open_orders("SELL"))
        assert self.sold + working <= self.bought
        told = self.trading.executor.blotter.holding(POSITION)
        assert told.sold + told.selling <= told.bought
        assert told.sellable >= 0

    def finish(self) -> None:
        """Confirm what was asked to be cancelled, and fill every sale."""
        self.trading.refuse_next = 0
        for _ in range(20):
            tick(self.trading, 10)
            self.check()
            for one in self.trading.venue.open_orders("BUY"):
                self.trading.confirm_cancel(one.request.tag)
            for one in self.trading.venue.open_orders("SELL"):
                self.trading.fill(one.request.tag, one.left)


ACTIONS = [
    "fill entry",
    "cancel entry",
    "late fill",
    "fill exit",
    "cancel exit",
    "refuse",
    "leave",
    "leave some",
    "tick",
    "repeat",
    "closed",
]
stories = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(1, 4)), max_size=25)


@examples(50)
@given(stories)
def test_no_sequence_sells_more_than_was_bought_and_all_that_was_requested_is_sold(
    story: list[tuple[str, int]],
) -> None:
    venture = Venture()
    for action, size in story:
        venture.step(action, size)
        venture.check()
    venture.finish()
    wanted = venture.bought if venture.wants_all else venture.wanted_lots * LOT
    assert venture.sold == min(wanted, venture.bought)
    assert len({one.tag for one in venture.trading.all(OrderPlanned)}) == len(
        venture.trading.all(OrderPlanned)
    )


def test_positions_are_told_apart() -> None:
    trading = holding()
    other: UUID = position_id_of(signal(2).signal_id)
    trading.hear(exit_requested(other))
    assert not trading.plans("exit")
    assert trading.now_ms == NOW
