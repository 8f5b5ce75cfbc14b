"""The account: session, owner, funds, books, and the address that orders come from."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from libs.broker.port import Margin, Session
from libs.market.calendar import IST
from libs.market.rupees import rupees
from services.executor.domain.doctor.finding import Finding, failed_or_ok

LOG_IN = "log in: alphastocks login"
CLEAN_WITHIN_MS = 150_000
"""Books and account are compared each minute: two comparisons may fail."""
FUNDS_PART = Decimal("0.9")
"""So much of the settings' capital must be there: a day's losses are no reason to stop."""
MOST_A_SECOND = 10
"""Order requests a second from which a strategy has to be registered with the exchange."""


def session_finding(session: Session | None, error: str, closes: datetime | None) -> Finding:
    """Check that there is a login which lasts until after the close; none may be needed."""
    if error:
        return Finding("session", "failed", error.partition(": run ")[0], LOG_IN)
    if session is None:
        return Finding("session", "ok", "none is needed")
    until = session.expires_at.astimezone(IST)
    reason = f"of {session.user_id}, until {until:%Y-%m-%d %H:%M} in India"
    is_short = closes is not None and session.expires_at <= closes
    return failed_or_ok("session", reason, f"it ends before the close: {LOG_IN}", is_bad=is_short)


def owner_finding(session: Session | None, user_id: str, *, is_real: bool) -> Finding:
    """Check that the account is the one that the settings name as its user's own."""
    if not is_real:
        return Finding("owner", "ok", "no real account")
    if not user_id:
        action = "write your own user id into executor.live.user_id: no account of somebody else"
        return Finding("owner", "failed", "nobody says whose account it is", action)
    if session is None:
        return Finding("owner", "waits", "nobody is logged in", LOG_IN)
    found, action = session.user_id, f"log in as {user_id}: one trades one's own account alone"
    return failed_or_ok("owner", f"logged in is {found}", action, is_bad=found != user_id)


def reconciliation_finding(
    age_ms: int | None, quarantines: Mapping[str, str], pace: float = 1.0
) -> Finding:
    """Check that our books and the account agreed a moment ago."""
    check, action = "reconciliation", "`alphastocks reconcile` says what differs"
    if quarantines:
        name, why = next(iter(quarantines.items()))
        return Finding(check, "failed", f"{name}: {why}", action)
    if age_ms is None:
        return Finding(check, "failed", "books and account were not compared yet", action)
    reason = f"books and account agreed {age_ms / 1000:.0f} s ago"
    return failed_or_ok(check, reason, action, is_bad=age_ms > CLEAN_WITHIN_MS * max(1.0, pace))


def margins_finding(available: Margin | None, *, is_needed: bool) -> Finding:
    """Check that the account's funds can be read, and are not owed."""
    if available is None:
        reason = "the funds were not read" if is_needed else "paper has no funds"
        return failed_or_ok("margins", reason, "look at the log of the executor", is_bad=is_needed)
    reason = f"{rupees(available.available)} available, {rupees(available.used)} used"
    return failed_or_ok("margins", reason, "pay in", is_bad=available.available < 0)


def funds_finding(available: Margin | None, capital: Decimal) -> Finding:
    """Check that the account has the capital which sizes and limits are fractions of."""
    if available is None:
        return Finding("funds", "unknown", f"the settings say {rupees(capital)}")
    has = available.available + available.used
    reason = f"{rupees(has)} in the account, {rupees(capital)} in the settings"
    action = "set executor.sizing.capital to no more than the account has"
    return failed_or_ok("funds", reason, action, is_bad=has < capital * FUNDS_PART)


def address_finding(registered: Sequence[str], seen: str, error: str) -> Finding:
    """Check that requests leave from an address that is registered with the broker."""
    check = "address"
    if error:
        return Finding(check, "failed", error, "correct executor.live.echo_url")
    if not seen:
        action = "name a page that replies with your address in executor.live.echo_url"
        return Finding(check, "unknown", "nobody was asked from where requests leave", action)
    if not registered:
        action = "write what is registered with the broker into executor.live.addresses"
        return Finding(check, "failed", f"{seen}; none is named as registered", action)
    action = f"register {seen} with the broker, or leave from {', '.join(registered)}"
    return failed_or_ok(check, seen, action, is_bad=seen not in registered)


def rate_finding(orders_a_second: int | None) -> Finding:
    """Check that orders stay below the rate from which strategies must be registered."""
    if orders_a_second is None:
        return Finding("order rate", "ok", "no orders are sent")
    reason = f"the client lets {orders_a_second} more order requests go in a second"
    action = f"below {MOST_A_SECOND}, or register the strategy with the exchange"
    is_bad = orders_a_second > MOST_A_SECOND
    return failed_or_ok("order rate", reason, action, is_bad=is_bad)


def logout_finding(session: Session | None, now: datetime, *, is_real: bool) -> Finding:
    """Check that the session is of one day: API sessions end each day."""
    if session is None or not is_real:
        return Finding("daily logout", "ok", "no session of a real account is held")
    hours = (session.expires_at - now).total_seconds() / 3600
    reason = f"the session ends by itself in {hours:.1f} h"
    return failed_or_ok("daily logout", reason, LOG_IN, is_bad=hours > 24)
