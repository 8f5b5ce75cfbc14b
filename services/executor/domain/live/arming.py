"""An arming: live entries may be sent until a time, and so many of them. Exits need none.

It ends with its time (of the same trading day), with its last trade, on any quarantine, when the
mode is no longer live, when a person ends it, and when another process becomes the executor. It is
restored from `control`, and what it has opened from `orders`.
"""

from dataclasses import dataclass, field, replace
from uuid import UUID

from libs.events.control import Armed, DisarmCause, Disarmed
from libs.events.event import Event, ms_from_utc, utc_from_ms
from libs.market.calendar import day_in_india
from services.executor.domain.policy import Policy, RiskLimits

WORDS: dict[DisarmCause, str] = {
    "asked": "it was disarmed",
    "time": "its time is over",
    "trades": "it has opened as many positions as it allowed",
    "quarantine": "the account differs from our books",
    "mode": "the mode is not live any more",
    "other_executor": "it was given to another executor",
}
_NEVER = "nobody has armed it"
REAL_SENTENCE = "I trade real money and may lose all of it"
SIMULATOR_SENTENCE = "I try live trading on a simulator"


@dataclass(frozen=True, slots=True)
class ArmingView:
    """The arming that holds now or why there is none, and what the first one asks to be typed."""

    armed: Armed | None
    trades_left: int | None
    why_not: str
    sentence: str | None


@dataclass(slots=True)
class Arming:
    """The latest arming, and how earlier ones ended.

    `holder` is this process's name, `is_real` whether its account is a real one. `_entered`:
    when each position with live entries was planned, epoch ms.
    """

    holder: str = ""
    is_real: bool = False
    _latest: Armed | None = None
    _ended: dict[UUID, DisarmCause] = field(default_factory=dict)
    _entered: dict[UUID, int] = field(default_factory=dict)
    _real_kinds: set[bool] = field(default_factory=set)

    def on_event(self, event: Event) -> None:
        """Note an arming or the end of one; an older arming than the latest changes nothing."""
        if isinstance(event, Disarmed):
            if self._ended.get(event.armed_id) in (None, "trades"):
                self._ended[event.armed_id] = event.cause
        elif isinstance(event, Armed):
            self._real_kinds.add(event.is_real)
            if self._latest is None or event.occurred_at >= self._latest.occurred_at:
                self._latest = event

    def enter(self, position_id: UUID, planned_ms: int) -> None:
        """Note a position that live entries open."""
        self._entered.setdefault(position_id, planned_ms)

    @property
    def sentence(self) -> str | None:
        """What a person types at the first arming of such an account; None: it was typed once."""
        if self.is_real in self._real_kinds:
            return None
        return REAL_SENTENCE if self.is_real else SIMULATOR_SENTENCE

    def is_after(self, now_ms: int) -> bool:
        """Whether the latest arming is of a later time: one of now would change nothing."""
        return self._latest is not None and self._latest.occurred_ms > now_ms

    def current(self, now_ms: int) -> Armed | None:
        """Return the arming that holds now, None without one."""
        armed = self._latest
        return armed if armed is not None and self._cause(armed, now_ms) is None else None

    def may_send(self, now_ms: int) -> bool:
        """Whether an entry that is planned or works may go on; the last trade's may."""
        armed = self._latest
        if armed is None or now_ms >= ms_from_utc(armed.until):
            return False
        return self._cause(armed, now_ms) in (None, "trades")

    def trades_left(self, now_ms: int) -> int | None:
        """Return how many positions may still be opened; None: no limit of its own."""
        armed = self.current(now_ms)
        return None if armed is None or armed.trades is None else armed.trades - self._used(armed)

    def narrowed(self, policy: Policy, now_ms: int) -> Policy:
        """Return the rules with the arming's own limit of lots a trade."""
        armed = self.current(now_ms)
        if armed is None or armed.lots_a_trade is None:
            return policy
        limits: RiskLimits = policy.limits
        lots = min(limits.lots_a_trade, armed.lots_a_trade)
        return replace(policy, limits=replace(limits, lots_a_trade=lots))

    def why_not(self, now_ms: int) -> str:
        """Return in words why live is not armed."""
        armed = self._latest
        cause = None if armed is None else self._cause(armed, now_ms)
        return _NEVER if armed is None or cause is None else WORDS[cause]

    def view(self, now_ms: int) -> ArmingView:
        """Return what a person is shown."""
        armed, left = self.current(now_ms), self.trades_left(now_ms)
        return ArmingView(armed, left, "" if armed else self.why_not(now_ms), self.sentence)

    def due(self, now_ms: int) -> tuple[Disarmed, ...]:
        """Return the event of an end that has come by itself, once."""
        armed = self._latest
        cause = None if armed is None else self._cause(armed, now_ms)
        if armed is None or cause is None or armed.event_id in self._ended:
            return ()
        return self.end(cause, now_ms)

    def end(
        self, cause: DisarmCause, now_ms: int, by: str = "", reason: str = ""
    ) -> tuple[Disarmed, ...]:
        """End what holds still, and return the event; nothing if it has ended.

        After its last trade it is ended once more: then that trade's entry does not go on either.
        """
        ended = self.ending(cause, now_ms, by, reason)
        for event in ended:
            self.on_event(event)
        return ended

    def ending(
        self, cause: DisarmCause, now_ms: int, by: str = "", reason: str = ""
    ) -> tuple[Disarmed, ...]:
        """Return the event that ends what holds still, without ending it."""
        armed = self._latest
        was = None if armed is None else self._ended.get(armed.event_id)
        if armed is None or (was is not None and not self._is_last_trade_stopped(cause, now_ms)):
            return ()
        at, again = utc_from_ms(max(now_ms, armed.occurred_ms)), () if was is None else (cause,)
        return (
            Disarmed(
                **Disarmed.after(armed, armed.event_id, *again, occurred_at=at),
                reason=reason or WORDS[cause],
                armed_id=armed.event_id,
                cause=cause,
                by=by,
            ),
        )

    def _is_last_trade_stopped(self, cause: DisarmCause, now_ms: int) -> bool:
        """Whether a cause ends what the last trade of an arming may still do."""
        return cause in ("asked", "quarantine", "mode") and self.may_send(now_ms)

    def _cause(self, armed: Armed, now_ms: int) -> DisarmCause | None:
        if armed.event_id in self._ended:
            return self._ended[armed.event_id]
        if armed.holder != self.holder or armed.is_real != self.is_real:
            return "other_executor"
        if now_ms >= ms_from_utc(armed.until) or day_in_india(now_ms) != armed.trading_day:
            return "time"
        return "trades" if armed.trades is not None and self._used(armed) >= armed.trades else None

    def _used(self, armed: Armed) -> int:
        return sum(planned >= armed.occurred_ms for planned in self._entered.values())
