"""What a person must know of a position.

It is unguarded, expired, oversold, out of calendar, or was held over night.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID

from libs.events.event import utc_from_ms
from libs.events.instruments import Contract
from libs.events.positions import Alert, PositionAlerted, PositionEvent
from libs.market.calendar import IST, Calendar, Session, day_in_india, load_calendar
from libs.market.facts import Fact, values_of
from libs.market.rulebook import Rulebook, load_rulebook
from services.position.domain.exit_rules.expiry import BeforeExpiry
from services.position.domain.exit_rules.settings import HOUR_MS
from services.position.domain.lives import Life, life_of
from services.position.domain.watch import Watch

CALENDAR_ENDS_WITHIN = timedelta(weeks=6)
"""The calendar's end is said so long before: longer than the life of a near contract."""


BEFORE_OPEN_MS = 15 * 60_000
"""So long before the open, what was held over night is said."""


@dataclass(slots=True)
class Alerts:
    """Alerts that were raised: one for each cause in its words, and again each day while it lasts.

    At a start a contract has a minute to be quoted before it is called unguarded.
    """

    calendar: Calendar = field(default_factory=load_calendar)
    rulebook: Rulebook = field(default_factory=load_rulebook)
    expiry: BeforeExpiry = field(default_factory=lambda: BeforeExpiry(HOUR_MS, load_calendar()))
    _raised: set[UUID] = field(default_factory=set)
    _since_ms: int = 0
    _looked_on: date | None = None
    _found: tuple[Fact, ...] = ()

    def of(self, watch: Watch, now_ms: int) -> Sequence[PositionAlerted]:
        """Return what is wrong with a position at `now_ms` (epoch ms) and was not said today."""
        self._since_ms = self._since_ms or now_ms
        if self._is_well(watch, now_ms):
            return ()
        made = (_alerted(watch.state, *cause, now_ms) for cause in self._causes(watch, now_ms))
        return [one for one in made if self._is_news(one)]

    def life(self, contract: Contract) -> Life:
        """Return how long a contract lives."""
        return life_of(self.calendar, contract.exchange, contract.expiry)

    def _is_well(self, watch: Watch, now_ms: int) -> bool:
        """Return whether a position has no cause: the common case, which is looked at each second.

        What `told` calls stopped is neither oversold nor without a stop.
        """
        ends_ms, is_covered = watch.life
        return (
            not watch.told.may_stay
            and now_ms < ends_ms
            and is_covered
            and watch.is_guarded(now_ms, self._since_ms)
        )

    def _is_news(self, one: PositionAlerted) -> bool:
        is_news = one.event_id not in self._raised
        self._raised.add(one.event_id)
        return is_news

    def warnings(self, now_ms: int) -> tuple[str, ...]:
        """Return what is wrong with calendar and rules: they end soon, or have ended."""
        day = day_in_india(now_ms)
        if now_ms <= 0:
            return ()
        ending = tuple(fact.doubt(day) or "" for fact in self._ending(day))
        return (*self._of_calendar(day, now_ms), *ending)

    def _of_calendar(self, day: date, now_ms: int) -> tuple[str, ...]:
        if self.calendar.covers(day + CALENDAR_ENDS_WITHIN):
            return ()
        left = self.days_left(now_ms)
        when = f"ends in {left} days" if left else "has ended"
        return (f"the calendar of trading days {when}: expiries beyond it are not known",)

    def rule_days_left(self, now_ms: int) -> int:
        """Return for how many days every lot, freeze, rate and limit is known, at most 42."""
        day, most = day_in_india(now_ms), CALENDAR_ENDS_WITHIN.days
        if now_ms <= 0:
            return most
        ends = [one.until for one in self._ending(day) if one.until is not None]
        return min((max(0, (until - day).days + 1) for until in ends), default=most)

    def _ending(self, day: date) -> tuple[Fact, ...]:
        """Return what is known no more, or ends within weeks; found once a day."""
        if day != self._looked_on:
            facts = values_of(day, self.rulebook)
            found = (one for one in facts if one.ends_within(day))
            self._looked_on, self._found = day, tuple(found)
        return self._found

    def days_left(self, now_ms: int) -> int:
        """Return for how many days from `now_ms` (epoch ms) on the calendar holds, at most 42."""
        day, most = day_in_india(now_ms), CALENDAR_ENDS_WITHIN.days
        if now_ms <= 0:  # a feed's clock before its first stamp
            return most
        span = range(most, 0, -1)
        return next((n for n in span if self.calendar.covers(day + timedelta(days=n - 1))), 0)

    def _causes(self, watch: Watch, now_ms: int) -> Iterator[tuple[Alert, str]]:
        state = watch.state
        if state.quantity < 0:
            yield "oversold", f"{-state.quantity} units more were sold than held"
        if now_ms >= watch.life.ends_ms:
            yield "expired", f"{state.quantity} units are held after the expiry: not settled yet"
            return
        if not watch.life.is_covered:
            yield "calendar_ends", f"no sessions are known on its expiry {state.contract.expiry}"
        if state.quantity > 0 and self._is_unguarded(watch, now_ms):
            yield "unguarded", _unguarded(watch)
        if _is_kept_over_night(state, day_in_india(now_ms)) and self._is_morning(state, now_ms):
            yield "over_night", self._over_night(state, now_ms)

    def _is_unguarded(self, watch: Watch, now_ms: int) -> bool:
        if watch.is_guarded(now_ms, self._since_ms):
            return False
        opened_ms = self._opened_ms(watch.state.contract.exchange, now_ms)
        return opened_ms is not None and not watch.is_guarded(now_ms, opened_ms)

    def _is_morning(self, state: PositionEvent, now_ms: int) -> bool:
        """Return whether a session of today has begun, or is about to."""
        sessions = self._sessions(state.contract.exchange, now_ms)
        return any(now_ms >= one.open_ms - BEFORE_OPEN_MS for one in sessions)

    def _over_night(self, state: PositionEvent, now_ms: int) -> str:
        """Return by which rule a position that was held over night is left, and when."""
        plan, contract, at_ms = state.exit_plan, state.contract, self.expiry.at_ms(state)
        profile, expires = plan.profile if plan else "", f"it expires on {contract.expiry}"
        if at_ms is None:
            return f"held over night ({profile}); {expires}, a day whose sessions are not known"
        at = utc_from_ms(at_ms).astimezone(IST)
        is_today = at.date() == day_in_india(now_ms)
        day = "today" if is_today else f"at the latest on {at.date()}"
        is_settled = at.date() < contract.expiry
        why = f"{expires} and is settled in shares" if is_settled else expires
        return f"held over night ({profile}); {why}: it is left {day} at {at:%H:%M}"

    def _sessions(self, exchange: str, now_ms: int) -> tuple[Session, ...]:
        day = day_in_india(now_ms)
        if not self.calendar.covers(day) or not self.calendar.knows(exchange):
            return ()
        return tuple(self.calendar.sessions(exchange, day))

    def _opened_ms(self, exchange: str, now_ms: int) -> int | None:
        """Return the open of the session that runs (epoch ms), None outside of sessions."""
        sessions = self._sessions(exchange, now_ms)
        running = (one.open_ms for one in sessions if one.open_ms <= now_ms < one.close_ms)
        return next(running, None)


def _is_kept_over_night(state: PositionEvent, day: date) -> bool:
    plan = state.exit_plan
    opened_on = state.opened_at.astimezone(IST).date()
    return plan is not None and plan.overnight and state.quantity > 0 and opened_on < day


def _unguarded(watch: Watch) -> str:
    if watch.state.stop_loss <= 0:
        return "it has no stop loss"
    seen = utc_from_ms(watch.seen_ms).astimezone(IST).strftime("%H:%M:%S")
    last = f"since {seen}" if watch.seen_ms else "yet"
    return f"no price {last}: only exits by time act"


def _alerted(state: PositionEvent, alert: Alert, reason: str, now_ms: int) -> PositionAlerted:
    day = day_in_india(now_ms)
    envelope = PositionAlerted.after(
        state,
        *(state.position_id, alert, day, reason),
        occurred_at=utc_from_ms(now_ms),
        trading_day=day,
    )
    return PositionAlerted(
        **envelope,
        position_id=state.position_id,
        contract=state.contract.tradingsymbol,
        alert=alert,
        reason=reason,
    )
