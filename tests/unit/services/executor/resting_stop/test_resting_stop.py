"""A position's stop at an exchange that takes, refuses, triggers and loses it."""

import itertools
from dataclasses import dataclass, field, replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from libs.market.price_limits import PriceReach
from services.executor.domain.resting_stop import (
    CancelStop,
    HandOver,
    ModifyStop,
    PlaceStop,
    RestingStop,
    RestingStopRules,
    StopLevels,
    StopMissing,
    StopMove,
    StopOrder,
    Wanted,
)
from tests.proofs import examples

RULES = RestingStopRules()
WANTED = Wanted(
    quantity=75,
    stop=Decimal(84),
    tick_size=Decimal("0.05"),
    gap=PriceReach(Decimal(50), Decimal(10), Decimal(20)),
    last_price=Decimal(120),
)
LEVELS = StopLevels(Decimal("84.00"), Decimal("67.20"))


@dataclass(slots=True)
class Exchange:
    """Takes what a stop asks for, and writes it down."""

    stop: RestingStop = field(default_factory=lambda: RestingStop(RULES))
    wanted: Wanted = WANTED
    standing: StopOrder | None = None
    now_ms: int = 0
    refuses: bool = False
    said: list[tuple[int, StopMove]] = field(default_factory=list)

    def run(self, ms: int, step_ms: int = 250) -> None:
        for _ in range(ms // step_ms):
            for move in self.stop.on_time(self.wanted, self.standing, self.now_ms):
                self.said.append((self.now_ms, move))
                self.take(move)
            self.now_ms += step_ms

    def take(self, move: StopMove) -> None:
        if isinstance(move, CancelStop):
            assert self.standing is not None
            self.standing = None
        elif isinstance(move, PlaceStop | ModifyStop):
            if self.refuses:
                self.stop.on_refused("trigger refused", self.now_ms)
                return
            left = 25
            if isinstance(move, ModifyStop):
                assert self.standing is not None
                left = self.standing.modifications_left - 1
                assert left >= 0
            else:
                assert self.standing is None
            prices = move.levels
            self.standing = StopOrder(move.quantity, prices.trigger_price, prices.price, left)

    def moves(self) -> list[StopMove]:
        return [move for _, move in self.said]


def test_a_stop_for_the_confirmed_quantity_is_placed_once() -> None:
    exchange = Exchange()
    exchange.run(10_000)
    assert exchange.said == [(0, PlaceStop(75, LEVELS))]


def test_it_is_kept_in_step_with_partial_fills_and_partial_exits() -> None:
    exchange = Exchange()
    exchange.run(5000)
    for quantity in (150, 75):
        exchange.wanted = replace(WANTED, quantity=quantity)
        exchange.run(3000)
    assert exchange.moves()[1:] == [ModifyStop(150, LEVELS), ModifyStop(75, LEVELS)]


def test_trailing_moves_it_in_steps_and_at_most_once_a_second() -> None:
    exchange = Exchange()
    for tick in range(40):  # 0.25 rupees each 250 ms; a step is 1 % of the trigger
        exchange.wanted = replace(WANTED, stop=Decimal(84) + Decimal(tick) / 4)
        exchange.run(250)
    moved = [at for at, move in exchange.said if isinstance(move, ModifyStop)]
    assert moved
    assert all(later - earlier >= 1000 for earlier, later in itertools.pairwise(moved))
    levels = [
        move.levels.trigger_price for move in exchange.moves() if isinstance(move, ModifyStop)
    ]
    assert all(b - a >= a / 100 for a, b in itertools.pairwise(levels))


def test_trailing_never_passes_the_modifications_left_and_keeps_some_for_the_quantity() -> None:
    exchange = Exchange()
    exchange.run(3000)
    for tick in range(100):
        exchange.wanted = replace(WANTED, stop=Decimal(84 + tick), last_price=Decimal(500))
        exchange.run(1000)
    assert len(exchange.moves()) == 1 + 25 - RULES.spare_modifications
    exchange.wanted = replace(exchange.wanted, quantity=150)
    exchange.run(3000)
    assert isinstance(exchange.moves()[-1], ModifyStop)


def test_without_modifications_left_it_is_cancelled_and_placed_anew() -> None:
    exchange = Exchange()
    exchange.run(3000)
    assert exchange.standing is not None
    exchange.standing = replace(exchange.standing, modifications_left=0)
    exchange.wanted = replace(WANTED, quantity=150)
    exchange.run(3000)
    assert exchange.moves()[1:] == [CancelStop(), PlaceStop(150, LEVELS)]


def test_before_an_exit_of_our_own_it_is_cancelled_and_stays_away() -> None:
    exchange = Exchange()
    exchange.run(3000)
    exchange.wanted = replace(WANTED, quantity=0)
    exchange.run(20_000)
    assert exchange.moves()[1:] == [CancelStop()]


def test_a_stop_that_vanishes_is_placed_again_within_five_seconds() -> None:
    exchange = Exchange()
    exchange.run(10_000)
    exchange.standing = None
    exchange.run(5000)
    assert exchange.said[1:] == [(10_000, PlaceStop(75, LEVELS))]


def test_one_that_cannot_be_placed_is_told_after_five_seconds_and_once() -> None:
    exchange = Exchange(refuses=True)
    exchange.run(60_000)
    missing = [one for one in exchange.said if isinstance(one[1], StopMissing)]
    assert missing == [(5000, StopMissing(75, "trigger refused"))]
    assert len(exchange.said) <= 1 + 60_000 // RULES.again_ms


def test_one_whose_placing_is_never_answered_is_told_too() -> None:
    exchange = Exchange()
    exchange.run(250)
    assert exchange.standing is not None
    exchange.standing = replace(exchange.standing, is_changing=True, is_confirmed=False)
    exchange.run(10_000)
    assert [type(move) for move in exchange.moves()] == [PlaceStop, StopMissing]


def test_over_night_none_is_wanted_and_in_the_morning_one_is_placed_again() -> None:
    exchange = Exchange()
    exchange.run(3000)
    exchange.standing, exchange.wanted = None, replace(WANTED, may_rest=False)
    exchange.run(60_000)
    assert len(exchange.said) == 1
    exchange.wanted = WANTED
    exchange.run(3000)
    assert exchange.moves()[1:] == [PlaceStop(75, LEVELS)]


def test_one_that_is_triggered_and_does_not_fill_in_a_second_is_handed_to_the_ladder() -> None:
    exchange = Exchange()
    exchange.run(3000)
    assert exchange.standing is not None
    exchange.standing = replace(exchange.standing, is_triggered=True)
    exchange.run(1250)
    assert exchange.said[1:] == [(4000, HandOver("the price went through the stop's limit, 67.20"))]


def test_one_that_is_triggered_and_fills_asks_for_nothing() -> None:
    exchange = Exchange()
    exchange.run(3000)
    assert exchange.standing is not None
    exchange.standing = replace(exchange.standing, is_triggered=True)
    exchange.run(750)
    exchange.standing, exchange.wanted = None, replace(WANTED, quantity=0)
    exchange.run(5000)
    assert len(exchange.said) == 1


def test_where_the_price_is_at_the_stop_already_the_ladder_sells() -> None:
    exchange = Exchange(wanted=replace(WANTED, last_price=Decimal(84)))
    exchange.run(1000)
    assert exchange.moves() == [HandOver("the price is at the stop")]


def test_a_stop_for_too_many_units_whose_change_is_refused_is_cancelled() -> None:
    exchange = Exchange(wanted=replace(WANTED, quantity=150))
    exchange.run(3000)
    exchange.wanted, exchange.refuses = WANTED, True
    exchange.run(250)
    exchange.refuses = False
    exchange.run(3000)
    assert exchange.moves()[1:] == [ModifyStop(75, LEVELS), CancelStop(), PlaceStop(75, LEVELS)]


happenings = st.lists(
    st.tuples(
        st.sampled_from(["quantity", "stop", "vanish", "trigger", "refuse", "accept", "last"]),
        st.integers(0, 400),
    ),
    max_size=40,
)


@examples(200)
@given(happenings)
def test_whatever_happens_no_stop_stays_for_more_than_is_held_and_none_is_missing_in_silence(
    story: list[tuple[str, int]],
) -> None:
    exchange = Exchange()
    for what, number in story:
        if what == "quantity":
            exchange.wanted = replace(exchange.wanted, quantity=number // 75 * 75)
        elif what == "stop":
            exchange.wanted = replace(exchange.wanted, stop=Decimal(number + 1))
        elif what == "last":
            exchange.wanted = replace(exchange.wanted, last_price=Decimal(number + 2))
        elif what == "vanish":
            exchange.standing = None
        elif what == "trigger" and exchange.standing is not None:
            exchange.standing = replace(exchange.standing, is_triggered=True)
        else:
            exchange.refuses = what == "refuse"
        exchange.run(number * 25)
    exchange.refuses = False
    exchange.run(32_000)
    since = len(exchange.said)
    exchange.run(8000)
    if exchange.standing is not None and not exchange.standing.is_triggered:
        assert exchange.standing.quantity == exchange.wanted.quantity > 0
    elif exchange.wanted.quantity:
        assert any(isinstance(move, HandOver | StopMissing) for move in exchange.moves()[since:])
