"""The orders of one contract, round by round."""

from dataclasses import replace
from decimal import Decimal

from libs.broker.port import OrderUpdate, is_flatten_tag
from libs.market.price_limits import PriceReach
from services.executor.domain.ladder import LadderRules
from services.local.flatten.closing import Act, Change, Closing, Drop, Send, Tell
from services.local.flatten.plan import Scope, plan_of
from services.local.flatten.prices import Prices
from services.local.flatten.terms import Terms
from tests.unit.services.local.flatten.books import BY_HAND, KEY, LOT, account, bought, order

PRICES = Prices(Decimal("99.95"), Decimal("100.05"), Decimal(100))
TERMS = Terms(20 * LOT, PriceReach(Decimal(50), Decimal(20), Decimal(40)))


class Rounds:
    """A closing, and a book in which its orders are played by hand."""

    def __init__(self, net: int = 2 * LOT, largest: int = 20 * LOT) -> None:
        terms = replace(TERMS, largest=largest)
        self.closing = Closing(KEY, terms, LadderRules(), doubt_ms=5000)
        made = bought(net) if net > 0 else order(1, "SELL", -net, -net, status="COMPLETE")
        self.book: list[OrderUpdate] = [made]
        self.net, self.now_ms = net, 0

    def next(self, prices: Prices = PRICES) -> tuple[Act, ...]:
        """Play a round a second later, and take over what is sent."""
        self.now_ms += 1000
        seen = account(*self.book, net=self.net)
        (target,) = plan_of(seen, Scope(books=())).targets
        acts = self.closing.acts(target, seen, prices, self.now_ms)
        for act in acts:
            if isinstance(act, Send):
                self.place(act)
            elif isinstance(act, Change):
                self.closing.on_changed(act)
        return acts

    def place(self, act: Send) -> OrderUpdate:
        """Let an order reach the book."""
        placed = order(len(self.book) + 1, act.side, act.quantity, tag=act.tag)
        self.book.append(placed)
        self.closing.on_placed(act, placed.broker_order_id)
        return placed

    def end(self, status: str, reason: str = "") -> None:
        """Let the latest order end unfilled."""
        self.book[-1] = replace(self.book[-1], status=status, reason=reason)  # type: ignore[arg-type]


def sent(acts: tuple[Act, ...]) -> list[Send]:
    return [one for one in acts if isinstance(one, Send)]


def test_the_first_order_rests_far_from_the_market_and_has_a_tag_of_its_own() -> None:
    (first,) = sent(Rounds().next())
    assert (first.side, first.quantity, first.price) == ("SELL", 2 * LOT, Decimal("120.05"))
    assert is_flatten_tag(first.tag)


def test_a_round_later_it_is_asked_for_at_the_bid() -> None:
    rounds = Rounds()
    rounds.next()
    (change,) = rounds.next()
    assert isinstance(change, Change)
    assert (change.price, change.quantity) == (Decimal("99.95"), 2 * LOT)


def test_two_runs_of_one_book_send_the_same_tags() -> None:
    one, other = Rounds().next(), Rounds().next()
    assert [act.tag for act in sent(one)] == [act.tag for act in sent(other)]


def test_the_later_of_two_sales_is_cancelled_and_only_the_other_one_is_repriced() -> None:
    rounds = Rounds()
    (act,) = sent(rounds.next())
    twin = rounds.place(act)
    change, drop = sorted(rounds.next(), key=lambda one: type(one).__name__)
    assert isinstance(drop, Drop)
    assert drop.broker_order_id == twin.broker_order_id
    assert isinstance(change, Change)
    assert change.broker_order_id != twin.broker_order_id


def test_a_sale_gives_way_to_one_by_hand_of_the_same_units() -> None:
    rounds = Rounds()
    rounds.next()
    ours = rounds.book[-1]
    rounds.book.append(order(9, units=2 * LOT, tag=BY_HAND))
    (drop,) = rounds.next()
    assert isinstance(drop, Drop)
    assert drop.broker_order_id == ours.broker_order_id


def test_a_short_is_bought_back_at_the_ask() -> None:
    rounds = Rounds(net=-LOT)
    (first,) = sent(rounds.next())
    assert (first.side, first.quantity, first.price) == ("BUY", LOT, Decimal("79.95"))
    (change,) = rounds.next()
    assert isinstance(change, Change)
    assert change.price == Decimal("100.05")


def test_an_order_is_not_larger_than_the_exchange_takes() -> None:
    acts = sent(Rounds(net=5 * LOT, largest=2 * LOT).next())
    assert [one.quantity for one in acts] == [2 * LOT, 2 * LOT, LOT]
    assert len({one.tag for one in acts}) == 3


def test_an_order_in_doubt_is_awaited_and_sent_again_after_its_time() -> None:
    rounds = Rounds()
    (first,) = sent(rounds.next())
    rounds.book.pop()
    rounds.closing.on_doubt(first, rounds.now_ms)
    waited = [rounds.next() for _ in range(4)]
    assert waited == [()] * 4
    told, again = rounds.next()
    assert isinstance(told, Tell)
    assert isinstance(again, Send)
    assert again.tag == first.tag


def test_an_order_in_doubt_that_arrives_is_gone_on_with() -> None:
    rounds = Rounds()
    (first,) = sent(rounds.next())
    rounds.closing.on_doubt(first, rounds.now_ms)
    assert not sent(rounds.next())


def test_a_refused_order_is_sent_again_nearer_to_the_market_and_later_each_time() -> None:
    rounds = Rounds()
    rounds.next()
    rounds.end("REJECTED", "Insufficient funds")
    acts = [rounds.next() for _ in range(3)]
    assert any("Insufficient funds" in one.text for one in acts[0] if isinstance(one, Tell))
    (again,) = [act for round_ in acts for act in sent(round_)]
    assert again.price == Decimal("100.05")


def test_the_last_step_asks_beyond_the_bid_and_then_it_begins_anew_and_says_so() -> None:
    rounds = Rounds()
    prices, told = list[Decimal](), list[str]()
    for _ in range(40):
        for act in rounds.next(Prices(Decimal(90) - len(prices), None, Decimal(90))):
            if isinstance(act, Change):
                prices.append(act.price)
            elif isinstance(act, Tell):
                told.append(act.text)
            elif isinstance(act, Drop):
                rounds.end("CANCELLED")
        if told:
            break
    assert prices[:4] == [Decimal(90), Decimal(89), Decimal(88), Decimal(87)]
    assert prices[4] == Decimal("81.70")
    assert "130 units are left" in told[0]


def test_without_any_price_the_brokers_own_market_order_is_sent() -> None:
    (first,) = sent(Rounds().next(Prices()))
    assert (first.order_type, first.price) == ("MARKET", Decimal(0))


def test_changes_that_are_refused_again_and_again_end_in_a_new_order() -> None:
    rounds = Rounds()
    rounds.next()
    for _ in range(12):
        for act in rounds.next():
            if isinstance(act, Change):
                rounds.closing.on_unchanged(act)
            if isinstance(act, Drop):
                return
    raise AssertionError("the order is never cancelled")


def test_a_cancellation_that_is_lost_is_asked_for_again() -> None:
    rounds = Rounds()
    (act,) = sent(rounds.next())
    rounds.place(act)
    drops = [one for _ in range(8) for one in rounds.next() if isinstance(one, Drop)]
    assert len(drops) == 3
