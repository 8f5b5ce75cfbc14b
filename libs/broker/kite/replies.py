"""Converts error replies of Kite to errors."""

import json
from dataclasses import dataclass
from typing import Any

from libs.broker.errors import (
    BrokerError,
    BrokerUnavailable,
    LoginRefused,
    OrderNotSent,
    OrderRefused,
    OrderUnknown,
    RateLimited,
    ReplyUnreadable,
    RequestRefused,
    SessionError,
    SessionExpired,
)

_TOO_MANY = 429
_TIMED_OUT = 408
_UNCLASSIFIED = "GeneralException"
LOG_IN = "run `alphastocks login`"
_LOGIN_REASONS = (
    (
        "checksum",
        "the API secret is wrong: ALPHASTOCKS_KITE__API_SECRET is not that of the app {api_key}",
    ),
    (
        "api_key",
        "the API key is wrong: Kite has no app {api_key}, see ALPHASTOCKS_KITE__API_KEY",
    ),
    (
        "token",
        "the request token was used before or is too old: it serves once, for some minutes; log "
        "in once more in the browser",
    ),
)
"""Part of a login → what is wrong when Kite's reply names it; the first match counts."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Kite's order id; of an order in slices also those of its slices, and why others are refused.

    The id of an order in slices is a number only: it is in no book.
    """

    order_id: str
    slices: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


def placed_of(reply: object) -> Placed:
    """Return what a reply to a placing says.

    Raises RequestRefused if every slice was refused, TypeError if it has no order id.
    """
    fields = reply if isinstance(reply, dict) else {}
    children = fields.get("children") or ()
    slices = tuple(str(one["order_id"]) for one in children if one.get("order_id"))
    refused = [one.get("error") or {} for one in children if not one.get("order_id")]
    reasons = tuple(str(one.get("message") or one.get("error_type") or "no") for one in refused)
    if refused and not slices:
        error_type = str(refused[0].get("error_type") or "OrderException")
        raise RequestRefused(f"Kite says: {reasons[0]}", error_type)
    order_id = fields.get("order_id")
    if not order_id or not isinstance(order_id, str | int):
        raise TypeError("not an order id")
    return Placed(str(order_id), slices, reasons)


def error_of(status: int, content_type: str, body: bytes, cool_down_ms: int) -> BrokerError | None:
    """Return the error of a reply, None if it is not an error."""
    if status == _TOO_MANY:
        return RateLimited("Kite says: too many requests", cool_down_ms)
    if "json" in content_type:
        return _error_in(status, body)
    if status >= 500 or status == _TIMED_OUT:
        return BrokerUnavailable(f"Kite answers {status}")
    if status >= 400 or "csv" not in content_type:
        # The body is not shown: it may repeat a secret.
        return ReplyUnreadable(f"Kite answers {status} with {content_type or 'nothing named'}")
    return None


def _error_in(status: int, body: bytes) -> BrokerError | None:
    try:
        reply: Any = json.loads(body) if status >= 400 else {}
    except ValueError:
        reply = None
    if isinstance(reply, dict):
        return named_error(status, reply.get("error_type"), str(reply.get("message") or ""))
    return unnamed_error(status)


def named_error(status: int, error_type: object, message: str) -> BrokerError | None:
    """Return the error of Kite's own `error_type` and message, or None if there is none."""
    said = f"Kite says: {message or error_type}"
    if error_type == "TokenException":
        return SessionExpired(f"{said}: {LOG_IN}")
    if status >= 500 or status == _TIMED_OUT or error_type == "NetworkException":
        return BrokerUnavailable(f"{said} ({status})")
    if error_type == "DataException":
        return ReplyUnreadable(said)
    if isinstance(error_type, str) and error_type:
        return RequestRefused(said, error_type)
    return unnamed_error(status)


def login_refusal(said: str, api_key: str) -> LoginRefused:
    """Return which part of a login is wrong, from what Kite says of it."""
    reasons = (reason for word, reason in _LOGIN_REASONS if word in said.lower())
    reason = next(reasons, "Kite does not accept the login").format(api_key=api_key)
    return LoginRefused(f"{reason} ({said})")


def unnamed_error(status: int) -> BrokerError | None:
    """Return the error of a reply without a reason."""
    if status < 400:
        return None
    if status >= 500 or status == _TIMED_OUT:
        return BrokerUnavailable(f"Kite answers {status}")
    return ReplyUnreadable(f"Kite answers {status} without saying why")


def not_sent(error: BrokerError) -> OrderNotSent:
    """Return what an error before the sending of an order means for it."""
    return OrderNotSent(
        str(error),
        retry_after_ms=error.retry_after_ms if isinstance(error, RateLimited) else 0,
        needs_login=isinstance(error, SessionError),
    )


def placing_error(error: BrokerError) -> OrderRefused | OrderNotSent | OrderUnknown:
    """Return what an error means for the order that was to be placed or changed.

    OrderNotSent: no session, too many requests, no connection. OrderRefused: a reason that Kite
    names. Everything else leaves it in doubt.
    """
    if isinstance(error, OrderNotSent):
        return error
    is_unsent = isinstance(error, BrokerUnavailable) and not error.was_sent
    if is_unsent or isinstance(error, SessionError | RateLimited):
        return not_sent(error)
    if isinstance(error, RequestRefused) and error.error_type != _UNCLASSIFIED:
        return OrderRefused(str(error))
    return OrderUnknown(str(error))
