"""Entry, exit, halt, trades by hand and stops in any order, with fills that are told late."""

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.strategies import booleans, integers, sampled_from

from tests.chaos.day_by_hand import DayByHand
from tests.proofs import examples


class Interleavings(RuleBasedStateMachine):
    """A trader, a strategy and a market that do what they like, when they like."""

    def __init__(self) -> None:
        super().__init__()
        self.day = DayByHand()

    @initialize(seconds=integers(0, 4))
    def a_position_opens(self, seconds: int) -> None:
        self.day.signal()
        self.day.play(seconds)

    @rule()
    def a_strategy_signals(self) -> None:
        self.day.signal()
        self.day.play()

    @rule()
    def the_trader_leaves(self) -> None:
        self.day.ask_to_leave()
        self.day.play()

    @rule()
    def the_trader_halts(self) -> None:
        self.day.halt()
        self.day.play()

    @rule()
    def the_trader_resumes(self) -> None:
        self.day.resume()
        self.day.play()

    @rule(side=sampled_from(["BUY", "SELL"]), lots=integers(1, 6))
    def the_trader_trades(self, side: str, lots: int) -> None:
        self.day.trade_by_hand(side, lots)
        self.day.play()

    @rule(factor=sampled_from([0.6, 0.85, 1.0, 1.2, 1.8]))
    def the_market_moves(self, factor: float) -> None:
        self.day.move_market(factor)
        self.day.play()

    @rule(is_late=booleans())
    def updates_come(self, is_late: bool) -> None:
        self.day.let_updates_be_late(is_late)

    @rule(seconds=integers(1, 5))
    def time_passes(self, seconds: int) -> None:
        self.day.play(seconds)

    @invariant()
    def nothing_forbidden_has_happened_at_the_exchange(self) -> None:
        assert self.day.world.exchange.seen.wrong == []

    def teardown(self) -> None:
        try:
            assert self.day.settle() == ()
        finally:
            self.day.close()


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(examples(25), stateful_step_count=15)
