"""The ladder of one exit against a broker that fills, refuses and rests as a test wishes."""

from dataclasses import dataclass, field, replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from services.executor.domain.ladder import (
    Alert,
    CancelWorking,
    ExitLadder,
    ExitView,
    LadderRules,
    LadderStep,
    Move,
    Place,
    PriceRange,
    Reprice,
    WorkingExit,
)
from tests.proofs import examples

RULES = LadderRules()
VIEW = ExitView(
    touch=Decimal("99.50"),
    last_known=Decimal("100.00"),
    price_range=PriceRange(Decimal(60), Decimal(140)),
    tick_size=Decimal("0.05"),
)
QUANTITY, MODIFICATIONS = 75, 25
HOUR_MS = 3_600_000


@dataclass(slots=True)
class Exchange:
    """Takes what a ladder asks, second by second, and writes it down."""

    ladder: ExitLadder = field(default_factory=lambda: ExitLadder("SELL", RULES))
    view: ExitView = VIEW
    working: WorkingExit | None = None
    left: int = QUANTITY
    now_ms: int = 0
    refuses: bool = False
    said: list[tuple[int, Move]] = field(default_factory=list)

    def run(self, ms: int, step_ms: int = 250) -> None:
        for _ in range(ms // step_ms):
            moves = self.ladder.on_time(self.view, self.working, self.left, self.now_ms)
            for move in moves:
                self.take(move)
            self.now_ms += step_ms

    def take(self, move: Move) -> None:
        self.said.append((self.now_ms, move))
        if isinstance(move, Place):
            assert self.working is None
            self.place(move.step)
        elif isinstance(move, CancelWorking):
            assert self.working is not None
            self.working = None
        elif isinstance(move, Reprice):
            assert self.working is not None
            assert self.working.modifications_left > 0
            left = self.working.modifications_left - 1
            self.working = replace(self.working, price=move.price, modifications_left=left)

    def place(self, step: LadderStep) -> None:
        if not self.refuses:
            self.working = WorkingExit(step.order_type, step.price, self.left, MODIFICATIONS)
            return
        for alert in self.ladder.on_refused("no", self.left, self.now_ms):
            self.said.append((self.now_ms, alert))

    def fill(self, quantity: int) -> None:
        self.left -= quantity
        assert self.working is not None
        self.working = replace(self.working, left=self.left) if self.left else None

    def of(self, kind: type[Move]) -> list[tuple[int, Move]]:
        return [one for one in self.said if isinstance(one[1], kind)]


def prices(exchange: Exchange) -> list[tuple[int, str, Decimal]]:
    told: list[tuple[int, str, Decimal]] = []
    for at_ms, move in exchange.said:
        if isinstance(move, Place):
            told.append((at_ms, move.step.order_type, move.step.price))
        elif isinstance(move, Reprice):
            told.append((at_ms, "LIMIT", move.price))
    return told


def test_an_exit_is_placed_at_once_at_the_touch() -> None:
    exchange = Exchange()
    exchange.run(250)
    assert prices(exchange) == [(0, "LIMIT", Decimal("99.50"))]


def test_it_follows_a_falling_touch_each_second_then_slower_then_by_the_protected_market() -> None:
    exchange = Exchange()
    for second in range(14):
        exchange.view = replace(VIEW, touch=Decimal(99 - second))
        exchange.run(1000)
    assert prices(exchange) == [
        (0, "LIMIT", Decimal(99)),
        (1000, "LIMIT", Decimal(98)),
        (2000, "LIMIT", Decimal(97)),
        (3000, "LIMIT", Decimal(96)),
        (6000, "LIMIT", Decimal(93)),
        (9250, "MARKET", Decimal(0)),
    ]


def test_behind_the_protected_market_comes_an_alert_with_what_is_left_and_a_slower_round() -> None:
    exchange = Exchange()
    exchange.run(12_000)
    exchange.fill(50)
    exchange.run(6_000)
    (alert,) = exchange.of(Alert)
    assert alert == (14_250, Alert("an exit has not filled: no step of the ladder is left", 25))
    assert prices(exchange)[-1] == (14_500, "LIMIT", Decimal("99.50"))
    exchange.run(14_000)
    assert prices(exchange)[-1] == (29_750, "MARKET", Decimal(0))


def test_a_price_that_stays_costs_no_modification() -> None:
    exchange = Exchange()
    exchange.run(9_000)
    assert not exchange.of(Reprice)


def test_without_modifications_left_the_order_is_cancelled_and_replaced() -> None:
    exchange = Exchange()
    exchange.run(500)
    assert exchange.working is not None
    exchange.working = replace(exchange.working, modifications_left=0)
    exchange.view = replace(VIEW, touch=Decimal(90))
    exchange.run(1000)
    assert [type(move) for _, move in exchange.said] == [Place, CancelWorking, Place]
    assert prices(exchange)[-1] == (1250, "LIMIT", Decimal(90))


def test_while_a_request_is_not_decided_nothing_else_is_asked() -> None:
    exchange = Exchange()
    exchange.run(500)
    assert exchange.working is not None
    exchange.working = replace(exchange.working, is_changing=True)
    exchange.run(60_000)
    assert len(exchange.said) == 1


def test_an_exit_that_has_filled_asks_for_nothing_more() -> None:
    exchange = Exchange()
    exchange.run(500)
    exchange.fill(QUANTITY)
    exchange.run(60_000)
    assert len(exchange.said) == 1


def test_an_order_of_before_a_restart_stands_for_its_time_and_is_repriced_then() -> None:
    working = WorkingExit("LIMIT", Decimal(99), QUANTITY, 3)
    exchange = Exchange(working=working, now_ms=5_000_000)
    exchange.run(2000)
    assert prices(exchange) == [(5_001_000, "LIMIT", Decimal("99.50"))]


def test_without_quotes_it_goes_by_the_last_known_price_and_says_so_once() -> None:
    exchange = Exchange(view=replace(VIEW, touch=None))
    exchange.run(8000)
    assert prices(exchange) == [(0, "LIMIT", Decimal(100))]
    (alert,) = exchange.of(Alert)
    assert alert == (0, Alert("an exit has no quote and goes by the last known price", QUANTITY))


def test_refusals_back_off_and_the_third_alerts_and_goes_to_the_protected_market() -> None:
    exchange = Exchange(refuses=True)
    exchange.run(9000)
    assert [(at, kind) for at, kind, _ in prices(exchange)] == [
        (0, "LIMIT"),
        (1000, "LIMIT"),
        (3000, "LIMIT"),
        (7000, "MARKET"),
    ]
    assert exchange.of(Alert) == [(3000, Alert("an exit was refused 3 times: no", QUANTITY))]


def test_an_exit_that_is_always_refused_calls_a_person_each_minute_and_asks_seldom() -> None:
    exchange = Exchange(refuses=True)
    exchange.run(HOUR_MS, step_ms=1000)
    alerts = [move for _, move in exchange.of(Alert)]
    assert 50 <= len(alerts) <= 62
    assert all(isinstance(one, Alert) and one.is_urgent for one in alerts[1:])
    assert len(exchange.of(Place)) <= 70  # 721 were seen


def test_an_order_that_ends_by_itself_counts_as_refused() -> None:
    exchange = Exchange()
    for _ in range(40):
        exchange.run(1000)
        exchange.working = None
    assert len(exchange.of(Place)) <= 8
    assert exchange.of(Alert)[0][1] == Alert("an exit was refused 3 times: it ended unfilled", 75)


def test_a_fill_ends_the_row_of_refusals() -> None:
    exchange = Exchange(refuses=True)
    exchange.run(3000)
    exchange.refuses = False
    exchange.run(1000)
    assert exchange.ladder.refusals == 2
    exchange.fill(25)
    exchange.run(250)
    assert exchange.ladder.refusals == 0


happenings = st.lists(
    st.tuples(
        st.sampled_from(["touch", "no touch", "fill", "refuse", "accept", "end", "change", "wait"]),
        st.integers(1, 20_000),
    ),
    max_size=40,
)


@examples(200)
@given(happenings, st.integers(0, 30))
def test_whatever_happens_orders_stay_within_range_and_modifications_and_an_alert_comes(
    story: list[tuple[str, int]], modifications: int
) -> None:
    exchange = Exchange()
    for what, number in story:
        if what == "touch":
            exchange.view = replace(exchange.view, touch=Decimal(number) / 100)
        elif what == "no touch":
            exchange.view = replace(exchange.view, touch=None)
        elif what in {"refuse", "accept"}:
            exchange.refuses = what == "refuse"
        elif what == "end":
            exchange.working = None
        elif exchange.working is not None and what == "fill":
            exchange.fill(min(number % QUANTITY, exchange.left))
        elif exchange.working is not None and what == "change":
            fewer = min(modifications, exchange.working.modifications_left)
            exchange.working = replace(exchange.working, modifications_left=fewer)
        exchange.run(number // 4)
    for _, kind, price in prices(exchange):
        assert kind == "MARKET" or 60 <= price <= 140
    exchange.refuses = False
    before = len(exchange.of(Alert))
    exchange.run(200_000)
    assert exchange.left == 0 or len(exchange.of(Alert)) > before
