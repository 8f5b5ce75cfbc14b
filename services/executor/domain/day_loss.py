"""What happens when a limit of the day is reached: it is said, and positions are closed by it."""

from libs.events.control import RiskLimitReached
from libs.events.event import utc_from_ms
from libs.market.calendar import IST
from libs.market.rupees import rupees
from services.executor.domain.risk import Breach

_WORDS = {
    "daily_loss": "the day's loss of {value} has reached its limit of {maximum}: no entry today",
    "daily_profit_armed": "the day's profit has reached {maximum}: it is locked once it falls",
    "daily_profit": "the day's profit of {value} is locked: all is closed, no entry today",
    "strategy_daily_loss": "{strategy}'s loss of {value} has reached its limit of {maximum}: "
    "its positions are closed, no entry of it today",
    "strategy_daily_profit_armed": "{strategy}'s profit of the day has reached {maximum}: "
    "it is locked once it falls",
    "strategy_daily_profit": "{strategy}'s profit of {value} is locked: its positions are closed, "
    "no entry of it today",
}


def limit_reached(breach: Breach, now_ms: int) -> RiskLimitReached:
    """Return the event of a limit of the day."""
    at = utc_from_ms(now_ms)
    day = at.astimezone(IST).date()
    of = (breach.strategy,) if breach.strategy else ()
    envelope = RiskLimitReached.without_cause(
        breach.limit, day, *of, occurred_at=at, trading_day=day
    )
    value, maximum = (rupees(one, paise=False) for one in (breach.value, breach.maximum))
    words = _WORDS[breach.limit]
    return RiskLimitReached(
        **envelope,
        reason=words.format(value=value, maximum=maximum, strategy=breach.strategy),
        limit=breach.limit,
        value=breach.value,
        maximum=breach.maximum,
        strategy=breach.strategy,
    )
