"""The resting stop of one position, as a state machine: what is wanted and what stands in.

The caller sends what is asked, and shows the order that stands; it cancels and awaits the stop
before an exit of its own, and wants nothing meanwhile.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from libs.market.price_limits import PriceReach
from services.executor.domain.resting_stop.levels import StopLevels, levels_of
from services.executor.domain.resting_stop.rules import RestingStopRules


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the stop is to guard: confirmed units, at a premium in rupees.

    `gap` is how far the exchange lets the limit be from the trigger (option_price_limits).
    `last_price` is what triggers go by, None where it is not known. No units: no stop, since
    nothing is held, or our own exit goes first. `may_rest`: the exchange takes orders now.
    """

    quantity: int
    stop: Decimal
    tick_size: Decimal
    gap: PriceReach
    last_price: Decimal | None = None
    may_rest: bool = True


@dataclass(frozen=True, slots=True)
class StopOrder:
    """The stop at the broker: units that may still fill, prices in rupees.

    `is_changing`: a request of ours is not decided yet. `is_confirmed`: the exchange has it.
    `is_triggered`: it works as a limit order.
    """

    quantity: int
    trigger_price: Decimal
    price: Decimal
    modifications_left: int
    is_changing: bool = False
    is_confirmed: bool = True
    is_triggered: bool = False


@dataclass(frozen=True, slots=True)
class PlaceStop:
    """Send a stop-limit sale."""

    quantity: int
    levels: StopLevels


@dataclass(frozen=True, slots=True)
class ModifyStop:
    """Change the stop that stands; `quantity` are the units that are to be open."""

    quantity: int
    levels: StopLevels


@dataclass(frozen=True, slots=True)
class CancelStop:
    """Cancel the stop that stands; where one is still wanted the next call places another."""


@dataclass(frozen=True, slots=True)
class HandOver:
    """Cancel what is left of the stop, and let the ladder sell; why."""

    why: str


@dataclass(frozen=True, slots=True)
class StopMissing:
    """Tell a person: no stop stands at the exchange for units that are held."""

    quantity: int
    why: str


StopMove: TypeAlias = PlaceStop | ModifyStop | CancelStop | HandOver | StopMissing


@dataclass(slots=True)
class RestingStop:
    """How one position is guarded; times are epoch ms."""

    rules: RestingStopRules
    _unguarded_since_ms: int | None = None
    _is_told: bool = False
    _moved_ms: int | None = None
    _triggered_ms: int | None = None
    _not_before_ms: int = 0
    _is_refused: bool = False
    _refusals: int = 0
    _none_before_ms: int = 0
    _why: str = "it vanished"

    def on_time(
        self, wanted: Wanted, standing: StopOrder | None, now_ms: int
    ) -> tuple[StopMove, ...]:
        """Return what to do now; it is asked on each tick and each second."""
        told = self._guarded(wanted, standing, now_ms)
        if standing is not None and standing.is_changing:
            return told
        if standing is None:
            self._triggered_ms = None
            return (*told, *self._place(wanted, now_ms))
        if standing.is_triggered:
            return self._triggered(wanted, standing, now_ms)
        self._triggered_ms = None
        return (*told, *self._keep(wanted, standing, now_ms))

    def on_refused(self, why: str, now_ms: int) -> None:
        """Note that the stop, or a change of it, was refused or ended by the exchange."""
        self._why, self._is_refused = why, True
        self._not_before_ms = now_ms + self.rules.again_ms
        if now_ms < self._none_before_ms:  # that of another slice, planned together with this one
            return
        is_in_a_row = now_ms - self._none_before_ms <= self.rules.missing_ms
        self._refusals = self._refusals + 1 if is_in_a_row else 1
        self._none_before_ms = now_ms + self.rules.back_off_ms(self._refusals)

    def _guarded(
        self, wanted: Wanted, standing: StopOrder | None, now_ms: int
    ) -> tuple[StopMissing, ...]:
        """Tell once when no stop has stood for too long, although one is wanted."""
        is_needed = wanted.quantity > 0 and wanted.may_rest
        if not is_needed or (standing is not None and standing.is_confirmed):
            self._unguarded_since_ms, self._is_told = None, False
            return ()
        if self._unguarded_since_ms is None:
            self._unguarded_since_ms = now_ms
        is_due = now_ms - self._unguarded_since_ms >= self.rules.missing_ms
        if self._is_told or not is_due:
            return ()
        self._is_told = True
        return (StopMissing(wanted.quantity, self._why),)

    def _place(self, wanted: Wanted, now_ms: int) -> tuple[StopMove, ...]:
        if not wanted.quantity or not wanted.may_rest or now_ms < self._not_before_ms:
            return ()
        levels, self._is_refused = self._levels(wanted), False
        self._not_before_ms = now_ms + self.rules.again_ms
        if levels is None:
            return (HandOver("the price is at the stop"),)
        if now_ms < self._none_before_ms:
            return ()
        self._moved_ms = now_ms
        return (PlaceStop(wanted.quantity, levels),)

    def _triggered(self, wanted: Wanted, standing: StopOrder, now_ms: int) -> tuple[StopMove, ...]:
        """Let it fill for a moment; then the ladder takes over."""
        if self._triggered_ms is None:
            self._triggered_ms = now_ms
        if not wanted.quantity:
            return (CancelStop(),)
        if now_ms - self._triggered_ms < self.rules.triggered_ms:
            return ()
        return (HandOver(f"the price went through the stop's limit, {standing.price}"),)

    def _keep(self, wanted: Wanted, standing: StopOrder, now_ms: int) -> tuple[StopMove, ...]:
        if not wanted.quantity:
            return (CancelStop(),)
        levels = self._levels(wanted)
        is_moved = levels is not None and self._is_worth_it(levels, standing, now_ms)
        kept = StopLevels(standing.trigger_price, standing.price)
        levels = levels if levels is not None and is_moved else kept
        if not is_moved and wanted.quantity == standing.quantity:
            return ()
        is_too_much = wanted.quantity < standing.quantity
        if now_ms < self._not_before_ms and not is_too_much:
            return ()
        self._moved_ms = now_ms
        if standing.modifications_left <= 0 or (is_too_much and self._is_refused):
            return (CancelStop(),)
        self._is_refused = False
        return (ModifyStop(wanted.quantity, levels),)

    def _is_worth_it(self, levels: StopLevels, standing: StopOrder, now_ms: int) -> bool:
        """Whether the level has moved by a step, the last move is old enough and one is spare."""
        moved = abs(levels.trigger_price - standing.trigger_price)
        is_far = moved > 0 and moved >= standing.trigger_price * self.rules.step
        is_late = self._moved_ms is None or now_ms - self._moved_ms >= self.rules.move_ms
        return is_far and is_late and standing.modifications_left > self.rules.spare_modifications

    def _levels(self, wanted: Wanted) -> StopLevels | None:
        return levels_of(wanted.stop, wanted.last_price, wanted.tick_size, wanted.gap, self.rules)
