"""The ladder of one exit, as a state machine: what is known now in, what to do out.

The caller sends what is asked, tells of refusals and acceptances, and shows the order that works.
Freeze slices: one ladder for each slice.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeAlias

from libs.broker.port import Side
from services.executor.domain.ladder.rules import LadderRules
from services.executor.domain.ladder.steps import Exhausted, ExitView, LadderStep, step_of


@dataclass(frozen=True, slots=True)
class WorkingExit:
    """The exit's order at the broker: price in rupees, units that may still fill.

    `is_changing`: a request of ours (place, modify, cancel) is not decided yet.
    """

    order_type: Literal["LIMIT", "MARKET"]
    price: Decimal
    left: int
    modifications_left: int
    is_changing: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Send a new order for all that is left."""

    step: LadderStep


@dataclass(frozen=True, slots=True)
class Reprice:
    """Modify the working order to this price, rupees."""

    price: Decimal


@dataclass(frozen=True, slots=True)
class CancelWorking:
    """Cancel the working order; when that is confirmed the next call places another one."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Tell a person; `left` units are not sold. `is_urgent`: without him nothing goes on."""

    reason: str
    left: int
    is_urgent: bool = False


Move: TypeAlias = Place | Reprice | CancelWorking | Alert


@dataclass(slots=True)
class ExitLadder:
    """Where an exit stands; times are epoch ms.

    `round` counts how often the ladder was gone through. `refusals` are those in a row: an order
    that ended by itself counts too, one that stood for its time or filled ends the row.
    """

    side: Side
    rules: LadderRules
    step: int = 0
    round: int = 0
    refusals: int = 0
    _stands_since_ms: int | None = None
    _wait_ms: int = 0
    _not_before_ms: int = 0
    _alerted_ms: int | None = None
    _is_blind_told: bool = False
    _is_placed: bool = False
    _left: int = 0

    def on_time(
        self, view: ExitView, working: WorkingExit | None, left: int, now_ms: int
    ) -> tuple[Move, ...]:
        """Return what to do now; it is asked on each tick and each second.

        `working` is the order that was placed, until it has ended; `left` are the units still to
        be sold.
        """
        if left < self._left:
            self._end_refusals()
        self._left = left
        if left <= 0 or (working is not None and working.is_changing):
            return ()
        if working is None:
            return self._ended_by_itself(left, now_ms) or self._place(view, left, now_ms)
        if self._stands_since_ms is None:  # an order of before a restart
            self._stand(now_ms, self.rules.wait_ms(self.step))
        if now_ms - (self._stands_since_ms or 0) < self._wait_ms:
            return ()
        self._end_refusals()
        return self._climb(view, working, left, now_ms)

    def joining(self, view: ExitView) -> LadderStep | None:
        """Return the order for units that come on top while another order of the exit works."""
        step = self._order(view)
        return None if isinstance(step, Exhausted) else step

    def on_ended(self) -> None:
        """Note that the order filled, or ended at our wish: the next one is not held up by it."""
        self._is_placed = False
        self._stands_since_ms = None

    def is_waiting(self, now_ms: int) -> bool:
        """Whether the next order waits: for a while after one that was refused."""
        return now_ms < self._not_before_ms

    def on_refused(self, reason: str, left: int, now_ms: int) -> tuple[Alert, ...]:
        """Note that the broker refused what was asked last; return the alert that is due."""
        self.refusals += 1
        self._is_placed = False
        self._stands_since_ms = None
        self._not_before_ms = now_ms + self.rules.back_off_ms(self.refusals)
        if self.refusals < self.rules.alert_at:
            return ()
        if self.refusals == self.rules.alert_at:
            self.step = 0 if self.step >= self.rules.steps else self.rules.steps
        again_ms = self.rules.alert_again_ms
        if self._alerted_ms is not None and now_ms - self._alerted_ms < again_ms:
            return ()
        self._alerted_ms = now_ms
        said = f"an exit was refused {self.refusals} times: {reason}"
        return (Alert(said, left, is_urgent=self.refusals > self.rules.alert_at),)

    def _end_refusals(self) -> None:
        self.refusals, self._alerted_ms = 0, None

    def _ended_by_itself(self, left: int, now_ms: int) -> tuple[Alert, ...]:
        """Treat an order that ended unfilled, and not at our wish, as refused."""
        if not self._is_placed:
            return ()
        return self.on_refused("it ended unfilled", left, now_ms)

    def _place(self, view: ExitView, left: int, now_ms: int) -> tuple[Move, ...]:
        if now_ms < self._not_before_ms:
            return ()
        step = self._order(view)
        if isinstance(step, Exhausted):
            self._not_before_ms = now_ms + self.rules.slow_ms
            return self._start_anew(step.why, left)
        self._stand(now_ms, step.wait_ms)
        self._is_placed = True
        return (*self._blind(step, left), Place(step))

    def _climb(
        self, view: ExitView, working: WorkingExit, left: int, now_ms: int
    ) -> tuple[Move, ...]:
        """Go to the next step; the order is changed, or cancelled where it cannot be."""
        self.step += 1
        step = self._order(view)
        if isinstance(step, Exhausted):
            return (*self._start_anew(step.why, left), self._cancel())
        self._stand(now_ms, step.wait_ms)
        told = self._blind(step, left)
        if (step.order_type, step.price) == (working.order_type, working.price):
            return told
        is_limit = step.order_type == working.order_type == "LIMIT"
        if is_limit and working.modifications_left > 0:
            return (*told, Reprice(step.price))
        return (*told, self._cancel())

    def _cancel(self) -> CancelWorking:
        self._is_placed = False
        self._stands_since_ms = None
        return CancelWorking()

    def _order(self, view: ExitView) -> LadderStep | Exhausted:
        is_later = self.round > 0
        return step_of(self.step, self.side, view, self.rules, is_later_round=is_later)

    def _start_anew(self, why: str, left: int) -> tuple[Alert, ...]:
        """Alert with what is left; the ladder begins again at its first step, slower."""
        self.step, self.round = 0, self.round + 1
        return (Alert(f"an exit has not filled: {why}", left),)

    def _blind(self, step: LadderStep, left: int) -> tuple[Alert, ...]:
        """Alert once for each time without quotes."""
        is_told, self._is_blind_told = self._is_blind_told, step.is_blind
        if not step.is_blind or is_told:
            return ()
        return (Alert("an exit has no quote and goes by the last known price", left),)

    def _stand(self, now_ms: int, wait_ms: int) -> None:
        self._stands_since_ms, self._wait_ms = now_ms, wait_ms
