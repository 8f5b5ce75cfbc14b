"""When a position should be left, and for which reason."""

from dataclasses import dataclass
from datetime import datetime, time

from libs.events.event import ms_from_utc
from libs.events.positions import ExitReason, PositionEvent
from libs.market.calendar import IST, Calendar

HOUR_MS = 3600 * 1000


@dataclass(frozen=True, slots=True)
class ExitRules:
    """`square_off` is the time in India at which every position is left.

    On a day that closes earlier (Muhurat trading, say) it is `before_close_ms` before the close.
    `before_expiry_ms` is how long before the close of its expiry day a contract is left;
    `holding_ms` the longest holding time, None without one.
    """

    square_off: time = time(15, 15)
    before_close_ms: int = HOUR_MS // 4
    before_expiry_ms: int = HOUR_MS
    holding_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ExitTimes:
    """The epoch ms from which a position is left, by reason; 0 means never."""

    square_off_ms: int
    expiry_ms: int
    holding_ms: int

    @classmethod
    def of(cls, position: PositionEvent, rules: ExitRules, calendar: Calendar) -> "ExitTimes":
        """Return the times of a position, by the sessions of its days."""
        contract = position.contract
        sessions = calendar.sessions(contract.exchange, contract.expiry)
        opened_ms = ms_from_utc(position.opened_at)
        return cls(
            square_off_ms=_square_off_ms(position, rules, calendar),
            expiry_ms=sessions[-1].close_ms - rules.before_expiry_ms if sessions else 0,
            holding_ms=opened_ms + rules.holding_ms if rules.holding_ms else 0,
        )


def _square_off_ms(position: PositionEvent, rules: ExitRules, calendar: Calendar) -> int:
    """Return the square-off of the day on which the position was opened."""
    opened_on = position.opened_at.astimezone(IST).date()
    at_ms = ms_from_utc(datetime.combine(opened_on, rules.square_off, IST))
    sessions = calendar.sessions(position.contract.exchange, opened_on)
    return min(at_ms, sessions[-1].close_ms - rules.before_close_ms) if sessions else at_ms


def exit_reason(
    position: PositionEvent, last_price: float | None, now_ms: int, times: ExitTimes
) -> ExitReason | None:
    """Return why the position is to be left now, or None; the stop is looked at first."""
    if last_price is not None and last_price <= float(position.stop_loss):
        return "stop_loss"
    if last_price is not None and last_price >= float(position.target):
        return "target"
    timed: tuple[tuple[ExitReason, int], ...] = (
        ("square_off", times.square_off_ms),
        ("expiry", times.expiry_ms),
        ("holding_time", times.holding_ms),
    )
    return next((reason for reason, at_ms in timed if at_ms and now_ms >= at_ms), None)
