"""What happens when the day's loss reaches its limit: it is said, and all is closed if so set."""

from collections.abc import Iterable

from libs.events.control import RiskLimitReached
from libs.events.event import utc_from_ms
from libs.events.orders import OrderPlanned
from libs.events.positions import ExitRequested
from libs.market.calendar import IST
from libs.market.rupees import rupees
from services.executor.domain.exits import exit_request
from services.executor.domain.risk import Breach


def loss_reached(breach: Breach, now_ms: int) -> RiskLimitReached:
    """Return the event of the limit."""
    at = utc_from_ms(now_ms)
    day = at.astimezone(IST).date()
    envelope = RiskLimitReached.without_cause(breach.limit, day, occurred_at=at, trading_day=day)
    lost, limit = (rupees(amount, paise=False) for amount in (breach.value, breach.maximum))
    return RiskLimitReached(
        **envelope,
        reason=f"the day's loss of {lost} has reached its limit of {limit}: no entry today",
        limit=breach.limit,
        value=breach.value,
        maximum=breach.maximum,
    )


def exits_of_all(to_close: Iterable[OrderPlanned], now_ms: int) -> tuple[ExitRequested, ...]:
    """Return an exit of each position that is open, or whose entry may still fill."""
    return tuple(exit_request(plan, "kill_switch", "daily loss", now_ms) for plan in to_close)
